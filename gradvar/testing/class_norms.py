"""Checks of the operator norm of a hypothesis class, by eigenvalues or between bounds from sampled inputs.

Each public function is one check, as in `class_formulas`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from ..core.arguments import Array
from .checks import CheckFailed, offered, skip
from .class_formulas import MOST_EIGENVALUES, covariance_of, mean_by, mean_of
from .class_probe import ClassProbe
from .comparison import ROUNDING, STANDARD_ERRORS, by_enough, exactly, number

Kernel = Callable[[Array, Array], Array]
_FEW_MEMBERS = 256


def operator_norm(probe: ClassProbe) -> str:
    """operator_norm() is the largest eigenvalue of the centred Gram matrix over |H|."""
    return _norm(probe, centred=True)


def operator_norm_uncentred(probe: ClassProbe) -> str:
    """operator_norm(centred=False) is the largest eigenvalue of the Gram matrix over |H|."""
    return _norm(probe, centred=False)


def log2_operator_norm(probe: ClassProbe) -> str:
    """log2_operator_norm() is the logarithm of operator_norm(), centred and not."""
    log2_of, norm_of = offered(probe.H, "log2_operator_norm"), offered(probe.H, "operator_norm")
    said = []
    for centred in (True, False):
        log2 = number("`log2_operator_norm`", log2_of(centred=centred))
        norm = number("`operator_norm`", norm_of(centred=centred))
        # Where the norm underflows, its logarithm is below that of the least float.
        wrong = abs(log2 - math.log2(norm)) > ROUNDING * max(1.0, abs(log2)) if norm > 1e-300 else log2 > -990
        if wrong:
            raise CheckFailed(
                f"`log2_operator_norm({centred=})` is {log2:.9g}, but `operator_norm({centred=})` = {norm:.6g} has "
                f"log2 {math.log2(norm) if norm > 0 else -math.inf:.9g}"
            )
        said.append(f"{log2:.6g}")
    return f"log2 {said[0]} centred, {said[1]} uncentred"


def _norm(probe: ClassProbe, centred: bool) -> str:
    norm_of = offered(probe.H, "operator_norm")
    norm = number("`operator_norm`", norm_of(centred=centred))
    if not 0 <= norm < math.inf:
        raise CheckFailed(f"`operator_norm` must be finite and >= 0, got {norm}")
    gram = _gram(probe, centred)
    if gram is not None:
        matrix, how = gram
        truth = exactly(np.asarray(np.linalg.eigvalsh(matrix)[-1:], dtype=np.float64), float(np.trace(matrix)))
        # Upper bounds, which some classes give, are wrong here: the norm is said to be one.
        truth.agrees(np.array([norm]), lambda at: f"`operator_norm({centred=})`", how)
        return f"{norm:.6g}: {how}"
    if not centred:
        low = number("`operator_norm`", norm_of(centred=True))
        if norm < low * (1 - ROUNDING):
            raise CheckFailed(f"`operator_norm(centred=False)` is {norm:.6g}, below the centred one, {low:.6g}")
        log2_size = probe.log2_draws
        claim = bool(getattr(probe.H, "is_orthonormal", False)) and norm > 0
        if claim and abs(math.log2(norm) + log2_size) > ROUNDING * max(1.0, log2_size):
            raise CheckFailed(
                f"`operator_norm(centred=False)` is {norm:.6g} = 2^{math.log2(norm):.6g}, but the norm of an "
                f"orthonormal class is the largest probability of a member, 1/|H| or 2^-{log2_size:.6g}"
            )
    kernel = _kernel(probe, centred)
    if kernel is not None:
        return _sampled_norm(probe, norm, kernel)
    if centred:
        skip("the class lists no members and says no `covariance` to hold the norm against")
    return f"{norm:.6g}, at least the centred one, {low:.6g}"


def _gram(probe: ClassProbe, centred: bool) -> tuple[Array, str] | None:
    """A matrix with the eigenvalues of the (centred) Gram matrix over |H|, and its source in words."""
    if probe.table is not None and min(probe.table[0].shape) <= MOST_EIGENVALUES:
        values, _, weights = probe.table
        shares = np.full(len(values), 1 / len(values)) if probe.prior is None else probe.prior
        scaled = (values - mean_by(values, probe.prior) if centred else values) * np.sqrt(weights)
        scaled *= np.sqrt(shares)[:, None]
        small = scaled @ scaled.T if scaled.shape[0] <= scaled.shape[1] else scaled.T @ scaled
        return small, f"the eigenvalue from all {values.shape[0]:,} members"
    points = probe.points
    if points is None or points[1].size > MOST_EIGENVALUES:
        return None
    kernel, root = _kernel(probe, centred), np.sqrt(points[1])
    what = "`covariance`" if centred else "`covariance` and `mean`"
    how = f"the eigenvalue of {what} on all {root.size:,} points"
    return None if kernel is None else (kernel(points[0], points[0]) * root[:, None] * root, how)


def _kernel(probe: ClassProbe, centred: bool) -> Kernel | None:
    """Cov_h(h(x), h(x')), or E_h h(x) h(x') if not centred: of all members if they are few, else as H says it."""
    if probe.all_members is not None and probe.all_members[1] <= _FEW_MEMBERS:
        members, size = probe.all_members

        def of_members(x: Array, x2: Array) -> Array:
            left, right = (probe.values(members, size, points) for points in (x, x2))
            if centred:
                left, right = (side - mean_by(side, probe.prior) for side in (left, right))
            return np.asarray(left.T * (1 / size if probe.prior is None else probe.prior) @ right)

        return of_members
    if not callable(getattr(probe.H, "covariance", None)):
        return None
    covariance = partial(covariance_of, probe)
    if centred:
        return covariance
    if not callable(getattr(probe.H, "mean", None)):
        return None

    def uncentred(x: Array, x2: Array) -> Array:
        # E h(x) h(x') = Cov(h(x), h(x')) + m(x) m(x')
        return covariance(x, x2) + np.outer(mean_of(probe, x), mean_of(probe, x2))

    return uncentred


def _sampled_norm(probe: ClassProbe, norm: float, kernel: Kernel) -> str:
    """Hold the norm against the trace and against the Rayleigh quotient of a function, both from sampled inputs.

    C is the kernel. The trace E C(x, x) is at most |H| times the norm and at least the norm. The function is the top
    eigenvector of C at 128 inputs, continued to all by C: E f(x) C(x, x') f(x') <= norm E f^2.
    """
    base = probe.draw_inputs(128, 14)
    top = np.linalg.eigh(kernel(base, base))[1][:, -1]
    blocks, diagonals = [], []
    for key in range(100, 132):
        x = probe.draw_inputs(48, key)
        matrix = kernel(x, x)
        f = kernel(x, base) @ top
        diagonals.append(np.diagonal(matrix))
        # Unbiased for E f(x) C(x, x') f(x') over pairs x != x'; and E f^2.
        pairs = (f @ matrix @ f - f**2 @ diagonals[-1]) / (48 * 47)
        blocks.append((pairs, (f**2).mean()))
    if not by_enough(np.maximum(np.concatenate(diagonals), 0.0)):
        skip(f"a few rare inputs make the trace of the covariance, which {norm:.6g} would be held against")
    quadratic, squares = np.transpose(blocks)
    excess, error = _mean(quadratic - norm * squares)
    scale = float(squares.mean())
    if excess > error + ROUNDING * norm * scale:
        raise CheckFailed(
            f"`operator_norm` is {norm:.6g}, but a function on 1,536 sampled inputs has the Rayleigh quotient "
            f"{norm + excess / scale:.6g} +- {error / scale:.2g}, which is no larger than the norm"
        )
    trace, error = _mean(np.mean(diagonals, axis=1))
    spread = error + ROUNDING * trace
    if norm > trace + spread:
        raise CheckFailed(f"`operator_norm` is {norm:.6g}, above the trace E C(x, x) = {trace:.6g} +- {spread:.2g}")
    if norm > 0 and trace > spread and math.log2(norm) < math.log2(trace - spread) - probe.log2_size - 1e-9:
        raise CheckFailed(
            f"`operator_norm` is {norm:.6g}, below the trace E C(x, x) over |H|, {trace:.6g}/2^{probe.log2_size:.6g}: "
            "|H| eigenvalues of that size do not add up to it"
        )
    return f"{norm:.6g}, between the Rayleigh quotient of a function and the trace {trace:.4g}, on sampled inputs"


def _mean(blocks: Array) -> tuple[float, float]:
    """The mean over blocks of pairs, and six standard errors of it."""
    return float(blocks.mean()), STANDARD_ERRORS * float(blocks.std(ddof=1)) / math.sqrt(blocks.size)
