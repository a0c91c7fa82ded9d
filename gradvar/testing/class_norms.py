"""Checks of the operator norm of a hypothesis class, by eigenvalues or between bounds from sampled inputs.

Each public function is one check, as in `class_formulas`.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from .checks import CheckFailed, offered, resting_on, skip
from .class_formulas import MOST_EIGENVALUES, covariance_of
from .class_probe import ClassProbe
from .comparison import ROUNDING, STANDARD_ERRORS, Carried, number


def operator_norm(probe: ClassProbe) -> str:
    """operator_norm() is the largest eigenvalue of the centred Gram matrix over |H|."""
    return _norm(probe, centred=True)


def operator_norm_uncentred(probe: ClassProbe) -> str:
    """operator_norm(centred=False) is the largest eigenvalue of the Gram matrix over |H|."""
    return _norm(probe, centred=False)


def log2_operator_norm(probe: ClassProbe) -> str:
    """log2_operator_norm() is the logarithm of operator_norm(), centred and not."""
    offered(probe.H, "log2_operator_norm")
    offered(probe.H, "operator_norm")
    said = []
    for centred in (True, False):
        log2 = number("`log2_operator_norm`", offered(probe.H, "log2_operator_norm")(centred=centred))
        norm = number("`operator_norm`", offered(probe.H, "operator_norm")(centred=centred))
        if norm > 1e-300 and abs(log2 - math.log2(norm)) > ROUNDING * max(1.0, abs(log2)):
            raise CheckFailed(
                f"`log2_operator_norm({centred=})` is {log2:.9g}, but `operator_norm({centred=})` = {norm:.6g} has "
                f"log2 {math.log2(norm):.9g}"
            )
        if norm <= 1e-300 and log2 > -990:
            raise CheckFailed(f"`log2_operator_norm({centred=})` is {log2:.6g}, but `operator_norm` is {norm:.6g}")
        said.append(f"{log2:.6g}")
    return f"log2 {said[0]} centred, {said[1]} uncentred"


def _norm(probe: ClassProbe, centred: bool) -> str:
    norm = number("`operator_norm`", offered(probe.H, "operator_norm")(centred=centred))
    if not 0 <= norm < math.inf:
        raise CheckFailed(f"`operator_norm` must be finite and >= 0, got {norm}")
    exact = _exact_norm(probe, centred)
    if exact is not None:
        truth, size, how = exact
        # Upper bounds, which some classes give, are wrong here: the norm is said to be one.
        if abs(norm - truth) > ROUNDING * size:
            raise CheckFailed(f"`operator_norm({centred=})` is {norm:.9g}, but {how} is {truth:.9g}")
        return f"{norm:.6g}: {how}"
    if not centred:
        low = number("`operator_norm`", offered(probe.H, "operator_norm")(centred=True))
        if norm < low * (1 - ROUNDING):
            raise CheckFailed(f"`operator_norm(centred=False)` is {norm:.6g}, below the centred one, {low:.6g}")
        return f"{norm:.6g}, at least the centred one, {low:.6g}"
    offered(probe.H, "covariance")
    return _sampled_norm(probe, norm)


def _exact_norm(probe: ClassProbe, centred: bool) -> tuple[float, float, str] | None:
    """The norm by eigenvalues, the trace it is a part of, and what it was computed from."""
    if probe.table is not None and min(probe.table[0].shape) <= MOST_EIGENVALUES:
        values, _, weights = probe.table
        scaled = (values - values.mean(axis=0) if centred else values) * np.sqrt(weights)
        small = scaled @ scaled.T if scaled.shape[0] <= scaled.shape[1] else scaled.T @ scaled
        matrix, how = small / values.shape[0], f"the eigenvalue from all {values.shape[0]:,} members"
    elif centred and probe.points is not None and probe.points[1].size <= MOST_EIGENVALUES:
        if not callable(getattr(probe.H, "covariance", None)):
            return None
        points, weights = probe.points
        root = np.sqrt(weights)
        matrix = covariance_of(probe, points, points) * root[:, None] * root
        how = f"the eigenvalue of `covariance` on all {weights.size:,} points"
    else:
        return None
    return float(np.linalg.eigvalsh(matrix)[-1]), float(np.trace(matrix)), how


def _sampled_norm(probe: ClassProbe, norm: float) -> str:
    """Hold the norm against the trace and against the Rayleigh quotient of a function, both from sampled inputs.

    The trace E C(x, x) is at most |H| - 1 times the norm and at least the norm. The function is the top eigenvector
    of the covariance at 128 inputs, continued to all by the covariance: E f(x) C(x, x') f(x') <= norm E f^2.
    """
    base = resting_on("inputs", lambda: probe.draw_inputs(128, 14))
    top = np.linalg.eigh(covariance_of(probe, base, base))[1][:, -1]
    excess, traces, carried = [], [], Carried()
    for key in range(100, 132):
        x = resting_on("inputs", partial(probe.draw_inputs, 48, key))
        matrix = covariance_of(probe, x, x)
        f = covariance_of(probe, x, base) @ top
        diagonal = np.diagonal(matrix)
        pairs = (f @ matrix @ f - f**2 @ diagonal) / (48 * 47)
        scale = float((f**2).mean())
        excess.append((pairs - norm * scale, scale))
        traces.append(float(diagonal.mean()))
        carried.add(np.maximum(diagonal, 0.0))
    if not carried.by_enough:
        skip(f"a few rare inputs make the trace of the covariance, which {norm:.6g} would be held against")
    differences = np.array([difference for difference, _ in excess])
    error = STANDARD_ERRORS * float(differences.std(ddof=1)) / math.sqrt(differences.size)
    scale = float(np.mean([scale for _, scale in excess]))
    if differences.mean() > error + ROUNDING * norm * scale:
        raise CheckFailed(
            f"`operator_norm` is {norm:.6g}, but a function on 1,536 sampled inputs has the Rayleigh quotient "
            f"{norm + float(differences.mean()) / scale:.6g} +- {error / scale:.2g}, which is no larger than the norm"
        )
    trace = float(np.mean(traces))
    spread = STANDARD_ERRORS * float(np.std(traces, ddof=1)) / math.sqrt(len(traces)) + ROUNDING * trace
    if norm > trace + spread:
        raise CheckFailed(f"`operator_norm` is {norm:.6g}, above the trace E C(x, x) = {trace:.6g} +- {spread:.2g}")
    if norm > 0 and trace > spread and math.log2(norm) < math.log2(trace - spread) - probe.log2_size - 1e-9:
        raise CheckFailed(
            f"`operator_norm` is {norm:.6g}, below the trace E C(x, x) over |H|, {trace:.6g}/2^{probe.log2_size:.6g}: "
            "|H| eigenvalues of that size do not add up to it"
        )
    return f"{norm:.6g}, between the Rayleigh quotient of a function and the trace {trace:.4g}, on sampled inputs"
