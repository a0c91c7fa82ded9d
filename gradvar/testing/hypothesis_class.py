"""The checks of a hypothesis class: `check_hypothesis_class` runs them, `hypothesis_class_checks` hands them out."""

from __future__ import annotations

from ..classes.base import HypothesisClass
from ..classes.outputs import by_output
from ..core.arguments import SeedLike
from . import class_draws, class_formulas, class_inputs, class_norms
from .checks import Check, CheckReport, checks_of, named, report
from .class_probe import ClassProbe

CHECKS = (
    class_inputs.inputs,
    class_inputs.input_points,
    class_inputs.input_sampling,
    class_draws.size,
    class_draws.sample,
    class_draws.evaluate,
    class_draws.evaluate_batch,
    class_draws.evaluate_pure,
    class_draws.members,
    class_draws.sample_uniform,
    class_draws.labels,
    class_draws.examples,
    class_draws.tabulated,
    class_formulas.mean,
    class_formulas.covariance,
    class_formulas.covariance_batch,
    class_formulas.covariance_symmetric,
    class_formulas.covariance_positive,
    class_formulas.null_functions,
    class_norms.operator_norm,
    class_norms.operator_norm_uncentred,
    class_norms.log2_operator_norm,
    class_formulas.orthonormal,
    class_formulas.project,
    class_formulas.gram,
    class_formulas.inner_products,
)
"""Every check of a class: a function of a probe, whose name and docstring are the check's."""


def hypothesis_class_checks(H: object, rng: SeedLike = 0) -> list[Check]:
    """Return the checks of a hypothesis class, one by one.

    Parameters
    ----------
    H : HypothesisClass
        Any object with the members of the protocol (`gradvar.classes.base`), a subclass of nothing if need be.
    rng : int, SeedSequence, Generator or None
        Of the inputs and members that are drawn.

    Returns
    -------
    list of Check
        Call one: it raises `AssertionError` with a counterexample, or `unittest.SkipTest` where `H` offers nothing
        to look at. `@pytest.mark.parametrize("check", hypothesis_class_checks(H), ids=str)` makes them tests.

    Examples
    --------
    >>> import gradvar as gv
    >>> for check in hypothesis_class_checks(gv.Parities(3))[:2]:
    ...     check()
    """
    return checks_of(CHECKS, ClassProbe(by_output(H) if isinstance(H, HypothesisClass) else H, rng))


def check_hypothesis_class(H: object, rng: SeedLike = 0) -> CheckReport:
    """Look at everything that a hypothesis class says of itself.

    What it says of its mean, covariance, operator norm, orthonormality, Gram matrix and projections is compared with
    all members at all inputs where they are few (4,096 each at most), else with drawn ones: a correct class then fails
    a check in one of a million seeds, and small errors go unseen (the evidence says how small). Of what few rare draws
    make nothing is said; a class that lives on inputs or members which none of the draws meets may fail.

    Parameters
    ----------
    H, rng
        As for `hypothesis_class_checks`.

    Returns
    -------
    CheckReport
        A sequence of results that prints as a table; `.passed`, `.failures`, `.raise_if_failed()`. Checks that `H`
        gives no material for are in it as "not applicable", with the reason. An exception raised by `H` is a failure.

    Examples
    --------
    >>> import gradvar as gv
    >>> check_hypothesis_class(gv.SparseParities(6, 2)).passed
    True
    >>> H = gv.SparseParities(6, 2)
    >>> H.mean = lambda x: 0.0 * x[:, 0]
    >>> print(check_hypothesis_class(H).failures[0])
    mean: failed: `mean` at x = [1., 1., 1., 1., 1., 1.] is 0, but the mean of all 15 members is 1 +- 1e-09
    """
    return report(named(H), hypothesis_class_checks(H, rng))
