"""Do the intervals of sampled means, and of pairs where a signal is rare, hold the truth as often as they say?

The first table: values whose mean is known, from even ones to rare ones that most samples never meet. The second: a
relu unit p = relu(sum_i x_i - b) on 40 coordinates, which is active at few inputs, and the variance over the parities
of one degree by pairs of sampled inputs; the truth is a closed form. Rates are of the intervals that have an upper end;
"unresolved" is the share of those that have none.

    python benchmarks/mean_coverage.py --seeds 5000 --pairs 500
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import gradvar as gv
from gradvar.estimation.mean import Mean

LEVELS = (0.90, 0.95, 0.99)
Interval = tuple[float, float]
Draw = Callable[[np.random.Generator, int], np.ndarray]

SMOOTH: dict[str, tuple[Draw, float]] = {
    "normal, 10 +- 1": (lambda rng, n: 10 + rng.standard_normal(n), 10.0),
    "uniform": (lambda rng, n: rng.random(n), 0.5),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "square of a normal": (lambda rng, n: rng.standard_normal(n) ** 2, 1.0),
    "fourth power of a normal": (lambda rng, n: rng.standard_normal(n) ** 4, 3.0),
    "log-normal": (lambda rng, n: np.exp(rng.standard_normal(n)), math.exp(0.5)),
    "Pareto, exponent 3": (lambda rng, n: (1 - rng.random(n)) ** (-1 / 3), 1.5),
    "30 less an exponential": (lambda rng, n: np.maximum(30 - rng.exponential(size=n), 0), 29.0),
}


def rare(odds: float, value: float, else_: float) -> Draw:
    return lambda rng, n: np.where(rng.random(n) < odds, value, else_)


def rare_exponentials(odds: float) -> Draw:
    return lambda rng, n: rng.exponential(size=n) * (rng.random(n) < odds)


def kinds(n: int) -> dict[str, tuple[Draw, float]]:
    """All kinds of values at samples of this size, each with its mean."""
    found = dict(SMOOTH)
    for count in (0.2, 0.5, 1, 2, 3, 5, 10, 30):
        p = count / n
        found[f"0, and {count:g} times 1"] = (rare(p, 1.0, 0.0), p)
    for count in (0.2, 1, 3, 10):
        p = count / n
        found[f"1, and {count:g} times 42"] = (rare(p, 42.0, 1.0), 1 + 41 * p)
    for count in (1, 3, 10):
        p = count / n
        found[f"1, and {count:g} times 0"] = (rare(p, 0.0, 1.0), 1 - p)
    for count in (1, 5, 30):
        p = count / n
        found[f"0, and {count:g} exponentials"] = (rare_exponentials(p), p)
    return found


def rates(intervals: Iterable[list[Interval] | None], truth: float) -> str:
    """The row of a table: the share of intervals at each level that hold the truth, and where the others are."""
    held, above, below, unresolved, total = np.zeros(3), 0, 0, 0, 0
    for found in intervals:
        total += 1
        if found is None:
            unresolved += 1
            continue
        held += [low <= truth <= high for low, high in found]
        above += found[1][0] > truth
        below += found[1][1] < truth
    resolved = total - unresolved
    if not resolved:
        return "|    -  |    -  |    -  |    -  |    -  | 100.0% |"
    shares = [*(held / resolved), above / resolved, below / resolved, unresolved / total]
    return "| " + " | ".join(f"{share:5.1%}" for share in shares) + " |"


def mean_intervals(values: np.ndarray) -> list[Interval] | None:
    mean = Mean.of(values)
    if not mean.resolved:
        return None
    return [(mean.lower(0.5 - level / 2), mean.upper(0.5 + level / 2)) for level in LEVELS]


def pair_intervals(
    H: gv.SparseParities, model: gv.MLP, n: int, seed: int, pool: ThreadPoolExecutor
) -> list[Interval] | None:
    found = [
        gv.gradient_variance(
            H, model, method="monte-carlo", rtol=0, max_samples=n, rng=seed, confidence=level, executor=pool
        )
        for level in LEVELS
    ]
    return [one.interval for one in found] if found[0].resolved else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=200, help="seeds of the second table")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 2000])
    given = parser.parse_args()
    columns = (
        "| 90%   | 95%   | 99%   | above | below | unresolved |\n|{}|{}|-------|-------|-------|-------|-------|-----|"
    )
    print(f"| values                       |     n {columns.format('-' * 30, '-' * 7)}")
    for n in given.sizes:
        for name, (draw, truth) in kinds(n).items():
            rng = np.random.default_rng(0)
            row = rates((mean_intervals(draw(rng, n)) for _ in range(given.seeds)), truth)
            print(f"| {name:28} | {n:5} {row}", flush=True)
    print(f"\n| degree, active inputs        |     n {columns.format('-' * 30, '-' * 7)}")
    dim, n = 40, 2000
    with ThreadPoolExecutor(1) as pool:
        for degree in (1, 2):
            for b in (22, 20, 18, 16, 14, 12, 10):
                model = gv.MLP([[[1.0] * dim], [[1.0]]], [[-float(b)], [0.0]], "relu")
                H = gv.SparseParities(dim, degree)
                truth = gv.gradient_variance(H, model, method="closed-form").value
                active = n * sum(math.comb(dim, j) for j in range(dim + 1) if 2 * j - dim > b) / 2**dim
                row = rates((pair_intervals(H, model, n, seed, pool) for seed in range(given.pairs)), truth)
                print(f"| {degree}, {active:<25.2f} | {n:5} {row}", flush=True)


if __name__ == "__main__":
    main()
