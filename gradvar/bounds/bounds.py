r"""Upper bounds on the gradient variance.

Var(H, F, w) is the trace of the product of two positive semi-definite operators, the class covariance and the
tangent kernel of the signal, so it is at most the norm of one times the trace of the other:

    Var <= ||T_C|| E||s||^2 <= ||T_C|| L^2 G^2,     ||T_C|| = lambda_max(J Gram J)/|H|,  J = I - 11'/|H|,

with G^2 = E||dp/dw||^2 and |b| <= L. For an orthonormal class ||T_C|| = 1/|H|: Theorem 1 of arXiv 1703.07950. The
other bounds replace the norm by something larger: the uncentred norm (no J), Gershgorin's max_i sum_j |Gram_ij|,
Boas and Bellman's max_i Gram_ii + (sum_{i != j} Gram_ij^2)^(1/2), each over |H|, and the cross-predictability
||Gram||_F/|H|. For an infinite class the Gram matrix over |H| is the integral operator of the Gram kernel, and there
is no Theorem 1. Of members with probabilities pi, D = diag(pi), all are norms of D^1/2 Gram D^1/2 in the place of
Gram/|H|, and an orthonormal class has Var <= sum_i pi_i ||E[h_i s]||^2 <= max_i pi_i E||s||^2 (Bessel). Cosine
targets have Theorem 2 (`theorem2.py`): an explicit bound on their operator norm.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from contextlib import suppress

from ..classes.base import HypothesisClass, KnowsGram, log2_share, prior_of
from ..classes.gram.derived import gram_norms, second_moment
from ..core.errors import NotApplicableError, TooLargeError
from ..core.numbers import log2_end, log2_of
from ..estimation.settings import Settings
from ..problem import Problem
from ..results.estimate import Estimate
from ..results.findings import Assumption, Bound
from .operator_norm import Constant, norm_constant
from .theorem2 import theorem_2

FORMULAS = {
    "operator-norm": "lambda_max(J Gram J)/|H| E||s||^2",
    "operator-norm-uncentred": "lambda_max(Gram)/|H| E||s||^2",
    "gershgorin": "max_i sum_j |Gram_ij|/|H| E||s||^2",
    "boas-bellman": "(max E h^2 + (sum_{i!=j} Gram_ij^2)^1/2)/|H| E||s||^2",
    "cross-predictability": "||Gram||_F/|H| E||s||^2",
}
_WITH_PRIOR = {
    "operator-norm": "lambda_max((diag(pi) - pi pi') Gram) E||s||^2",
    "operator-norm-uncentred": "lambda_max(diag(pi) Gram) E||s||^2",
    "gershgorin": "max_i sum_j pi_j |Gram_ij| E||s||^2",
    "boas-bellman": "(max_i pi_i E h_i^2 + (sum_{i!=j} pi_i pi_j Gram_ij^2)^1/2) E||s||^2",
    "cross-predictability": "(sum_ij pi_i pi_j Gram_ij^2)^1/2 E||s||^2",
}
_INFINITE = {
    "operator-norm": "lambda_max(centred Gram kernel) E||s||^2",
    "operator-norm-uncentred": "lambda_max(Gram kernel) E||s||^2",
}
_NOT_KNOWN = {"failed": "no", "unknown": "it is not known to be an"}
CLASS_BOUNDS: dict[str, Callable[[HypothesisClass], tuple[str, Constant] | None]] = {"theorem-2": theorem_2}
"""Bounds that hold for one kind of class, by name: each returns its formula and constant, or None for the others."""


def bounds(
    problem: Problem, gradient: Estimate, signal: Estimate, known: tuple[Assumption, ...], settings: Settings
) -> dict[str, Bound]:
    """Return every bound by name, each with whether it applies and why.

    Parameters
    ----------
    problem : Problem
        Class, model and loss.
    gradient, signal : Estimate
        G^2 and E||s||^2.
    known : tuple of Assumption
        The assumptions of Theorem 1.
    settings : Settings
        Confidence and randomness of an operator norm that can only be estimated.
    """
    hypotheses = problem.hypotheses
    orthonormal = not any(a.name == "orthonormal class" and a.status in _NOT_KNOWN for a in known)
    constants = _constants(hypotheses, orthonormal, settings)
    theorem = theorem_1(problem, gradient, known)
    if isinstance(hypotheses, KnowsGram) and not math.isnan(constants["operator-norm"].log2):
        # Orthonormal up to rounding: what the theorem says of the Gram matrix as it is.
        share = log2_share(hypotheses) + math.log2(second_moment(hypotheses))
        excess = max(constants["operator-norm"].log2 - share, 0.0)
        theorem = dataclasses.replace(
            theorem, log2_interval=(theorem.log2_interval[0], theorem.log2_interval[1] + excess)
        )
    found = {"theorem-1": theorem}
    formulas = FORMULAS | _INFINITE if hypotheses.log2_size == math.inf else FORMULAS
    formulas = formulas if prior_of(hypotheses) is None else _WITH_PRIOR
    for name, constant in constants.items():
        found[name] = norm_bound(name, formulas[name], constant, signal)
    for name, bound in CLASS_BOUNDS.items():
        one = bound(hypotheses)
        if one is not None:
            found[name] = norm_bound(name, *one, signal)
    return found


def theorem_1(problem: Problem, gradient: Estimate, known: tuple[Assumption, ...]) -> Bound:
    """Return L^2 G^2/|H|, times E h^2 where that is known, applicable where no assumption failed or is unknown.

    Of members with probabilities pi, max_i pi_i stands for 1/|H|.
    """
    share, lipschitz = log2_share(problem.hypotheses), problem.loss.lipschitz
    failed = [a for a in known if a.status in _NOT_KNOWN]
    square = 2 * math.log2(lipschitz) if math.isfinite(lipschitz) else 0.0
    times = "L^2 " if square != 0 else ""
    formula = f"{times}G^2/|H|" if prior_of(problem.hypotheses) is None else f"max_i pi_i {times}G^2"
    formula += f", L = {lipschitz:g}" if times else ""
    moment = second_moment(problem.hypotheses)
    if moment != 1:
        square, formula = square + math.log2(moment), f"{moment:g} {formula}"
    constant = math.nan if share == -math.inf else square + share
    reason = "; ".join(f"{_NOT_KNOWN[a.status]} {a.name}: {a.evidence}" for a in failed) or "its assumptions hold"
    return norm_bound("theorem-1", formula, Constant(constant, reason), gradient, applicable=not failed)


def norm_bound(name: str, formula: str, constant: Constant, norm: Estimate, *, applicable: bool | None = None) -> Bound:
    """Return a norm times a constant as a bound, which applies where the constant is known unless it is said here."""
    log2, why, ends = constant
    low, high = (
        end if end == -math.inf else end + log2_end(norm_end, norm.exponent)  # zero times a finite norm
        for end, norm_end in zip(ends or (log2, log2), norm.mantissa_interval, strict=True)
    )
    return Bound(
        name=name,
        formula=formula,
        log2_constant=log2,
        log2=log2 if log2 == -math.inf else log2 + norm.log2,
        log2_interval=(low, high),
        exact=norm.exact and ends is None,
        n_samples=0 if ends is not None and ends[1] - ends[0] >= (high - low) / 2 else norm.n_samples,
        applicable=not math.isnan(log2) if applicable is None else applicable,
        reason=why,
    )


def _constants(hypotheses: HypothesisClass, orthonormal: bool, settings: Settings) -> dict[str, Constant]:
    """The factor of E||s||^2 in each bound; nan where it is not known."""
    try:
        norms = gram_norms(hypotheses, orthonormal)
    except (NotApplicableError, TooLargeError) as error:
        constants = dict.fromkeys(FORMULAS, Constant(math.nan, str(error)))
        constants["operator-norm"] = norm_constant(hypotheses, True, settings)
        constants["operator-norm-uncentred"] = norm_constant(hypotheses, False, settings)
        frobenius = getattr(hypotheses, "frobenius_norm", None)
        if frobenius is not None:
            with suppress(NotApplicableError, TooLargeError):
                constants["cross-predictability"] = Constant(log2_of(frobenius(), 0), "Frobenius norm of the class")
        return constants
    log2 = {
        "operator-norm": norms.centred,
        "operator-norm-uncentred": norms.uncentred,
        "gershgorin": norms.gershgorin,
        "boas-bellman": norms.boas_bellman,
        "cross-predictability": norms.frobenius,
    }
    return {name: Constant(value, norms.evidence) for name, value in log2.items()}
