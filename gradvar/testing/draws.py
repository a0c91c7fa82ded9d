"""How often drawn members and inputs are equal to each other, or to listed ones, beside their probabilities."""

from __future__ import annotations

import math

import numpy as np

from ..classes.members.repeats import too_often
from ..core.arguments import Array
from .checks import CheckFailed
from .comparison import FALSE_ALARM, ROUNDING, first, short


def numbered(rows: Array) -> dict[bytes, int]:
    """A number for each different row."""
    return {name: i for i, name in enumerate(dict.fromkeys(map(np.ndarray.tobytes, rows + 0.0)))}


def equal_to_earlier(values: Array, rng: np.random.Generator) -> int:
    """How many of drawn members (m, n) are equal to an earlier one at all n inputs.

    Equal functions have equal projections on a random direction, and others have not; a gap is one between functions.
    """
    along = np.sort(values @ rng.standard_normal(values.shape[1]))
    return int((np.diff(along) <= ROUNDING * float(np.abs(values).max(initial=0.0)) * values.shape[1]).sum())


def repeat_tails(repeats: int, draws: int, log2_size: float) -> tuple[float, float]:
    """The probabilities that as few or fewer, as many or more, of m draws from N members are equal to an earlier one.

    For N = 2^log2_size equally likely ones, by the chances of k different ones among the first j draws,
    p_j(k) = p_{j-1}(k) k/N + p_{j-1}(k - 1) (1 - (k - 1)/N). From N = m^2 on, where few repeat, a bound on the second:
    r of them with probability at most (m (m - 1)/2N)^r/r!.
    """
    if log2_size >= 2 * math.log2(draws):
        return 1.0, 2.0**-40 if too_often(repeats, draws, log2_size) else 1.0
    size = round(2**log2_size)
    k = np.arange(draws + 1)
    chances = (k == 0).astype(np.float64)
    stay, go = np.minimum(k / size, 1.0), np.maximum(1 - k / size, 0.0)
    for _ in range(draws):
        chances[1:] = chances[1:] * stay[1:] + chances[:-1] * go[:-1]
        chances[0] = 0.0
    return float(chances[draws - repeats :].sum()), float(chances[: draws - repeats + 1].sum())


def same_distribution(what: str, unit: str, drawn: Array, listed: Array, probabilities: Array) -> str:
    """Compare how often each of the listed rows is drawn with its probability; rows that are equal are one.

    All together by chi-square, where those with fewer than five expected draws are one; and each by itself.
    """
    from scipy.special import bdtr, bdtrc

    number = numbered(listed)
    at = [number.get(row.tobytes(), -1) for row in drawn + 0.0]
    if -1 in at:
        stranger = short(drawn[at.index(-1)])
        raise CheckFailed(f"`{what}` drew {stranger}, which is none of the {len(number):,} {unit}s")
    n = len(at)
    counts = np.bincount(at, minlength=len(number)).astype(np.float64)
    expected = n * np.bincount([number[row.tobytes()] for row in listed + 0.0], probabilities)
    impossible = (expected == 0) & (counts > 0)
    if impossible.any():
        raise CheckFailed(f"`{what}` drew {unit} {first(impossible)[0]}, whose probability is 0")
    # Chi-square spreads its attention over all counts: one that is much too small or large is looked at by itself.
    chances = np.minimum(expected / n, 1.0)
    tails = np.minimum(bdtr(counts, n, chances), np.where(counts > 0, bdtrc(counts - 1, n, chances), 1.0))
    alone = 2 * counts.size * float(tails.min())
    rare = expected < 5
    observed, predicted = (np.append(a[~rare], a[rare].sum()) for a in (counts, expected))
    if predicted[-1] < 5:
        observed, predicted = observed[:-1], predicted[:-1]
    tail = _chi_square_tail(observed, predicted)
    if 2 * min(tail, alone) < FALSE_ALARM:
        if alone < tail:
            i, told = int(np.argmin(tails)), f"one so far off has the probability {alone:.2g}"
        else:
            i = int(np.argmax((counts - expected) ** 2 / np.maximum(expected, 1)))
            told = f"all counts together: chi-square tail {tail:.2g}"
        raise CheckFailed(
            f"`{what}` drew {unit} {i} {counts[i]:.0f} times in {n}, where {expected[i]:.1f} are expected ({told})"
        )
    return f"{n} draws over {len(number):,} {unit}s, chi-square tail {tail:.2g}"


def _chi_square_tail(counts: Array, expected: Array) -> float:
    """The probability of a chi-square statistic this large or larger, at the expected counts (all positive)."""
    from scipy.special import chdtrc

    if counts.size < 2:
        return 1.0
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return float(chdtrc(counts.size - 1, statistic))
