"""Tools for tests: of the library, and of classes, models and losses that you bring.

`check_hypothesis_class(H)`, `check_model(model)`, `check_loss(loss)` and `check_theorem1(H, model, loss)` look at
everything that such an object says and return a `CheckReport`; `hypothesis_class_checks(H)` and its siblings hand out
the same checks one by one, for `pytest.mark.parametrize`. `gradvar.testing.strategies` makes random classes, models
and losses for Hypothesis (the extra `testing`); `gradvar.testing.reference` is the slow, obviously right version of
the library.

>>> import gradvar as gv
>>> from gradvar.testing import check_hypothesis_class
>>> check_hypothesis_class(gv.Parities(4), rng=0).passed
True
"""

import lazy_loader

# The names stand in __init__.pyi; each is loaded on first use, so that `gradvar.testing.reference` stands on nothing
# of the library. Without `__all__`, `help(gradvar.testing)` is this page.
__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
