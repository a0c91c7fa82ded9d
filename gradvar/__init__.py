"""gradvar: the gradient variance over a hypothesis class.

How much does the gradient of a model's loss depend on which target of a class H it is being trained on?

    Var(H, F, w) = E_h || grad F_h(w) - E_h' grad F_h'(w) ||^2,     F_h(w) = E_x[loss(p_w(x), h(x))],

next to the bound of Theorem 1 in "Failures of Gradient-Based Deep Learning" (arXiv 1703.07950): at most
G(w)^2 / |H| for an orthonormal class.

>>> import gradvar as gv
>>> check = gv.bound_check(gv.Parities(5), gv.Linear([1.0] * 5))
>>> check.variance.value, check.verdict
(0.1513671875, 'holds')

The verbs are `bound_check`, `gradient_variance`, `degree_spectrum`, `sweep`, `descend` and `along`; `dir(gradvar)`
lists every name, and `help(gradvar.bound_check)` explains one.
"""

import lazy_loader

from .core.version import __version__ as __version__

# The names stand in __init__.pyi. Without `__all__`, `help(gradvar)` is this page, not the help of every name.
__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
