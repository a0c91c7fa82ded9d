"""Do the intervals of sampled members hold the truth, whatever the members' shares are like?

All inputs are taken, and the members' gradients are rows of a table, drawn with odds, or functions of normal numbers;
so Var is known, and 5000 seeds take seconds: no gradient of a network is made, the statistic is the library's.

    python benchmarks/member_coverage.py --seeds 5000 --members 32 256
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

import gradvar as gv
from gradvar.methods.monte_carlo.member_gradients import MemberGradients, Part
from gradvar.methods.monte_carlo.member_statistic import MemberStatistic
from gradvar.methods.monte_carlo.member_sums import Sums

LEVELS = (0.90, 0.95, 0.99)
Draw = Callable[[int, np.random.Generator], np.ndarray]


def statistic(gradients: np.ndarray) -> MemberStatistic:
    """U from members' gradients at all inputs, shape (m, P)."""
    m = len(gradients)
    squares = ((gradients - gradients.mean(axis=0)) ** 2).sum(axis=1)
    sums = Sums(Part(0, m, ()), np.zeros((1, 1)), np.array([squares, squares]), np.zeros((2, 0)))
    return MemberStatistic.of(sums, all_inputs(m), np.ones(1))


@cache
def all_inputs(m: int) -> MemberGradients:
    """So many members of any class, at all inputs."""
    problem = gv.Problem(gv.SparseParities(2, 1), gv.Linear(np.ones(2)))
    return MemberGradients(problem, seed=0, key=0, m=m, n_projections=None, n=4, enumerated=True)


def table(rows: ArrayLike, odds: ArrayLike | None = None) -> tuple[Draw, float]:
    """The rows of a table, and Var."""
    t = np.asarray(rows, dtype=float)
    p = np.full(len(t), 1.0) if odds is None else np.asarray(odds, dtype=float)
    p = p / p.sum()
    return lambda m, rng: t[rng.choice(len(t), m, p=p)], float(p @ ((t - p @ t) ** 2).sum(axis=1))


def one_large(odds: float, share: float) -> tuple[Draw, float]:
    """Twenty members x_i, and one of so large a square that is drawn with these odds."""
    return table(np.diag([1.0] * 20 + [share**0.5]), [(1 - odds) / 20] * 20 + [odds])


KINDS: dict[str, tuple[Draw, float]] = {
    **{f"+-x_1, odds {p}": table([[1.0], [-1.0]], [p, 1 - p]) for p in (0.5, 0.5625, 0.625, 0.7, 0.9)},
    "x_1, x_2, odds .8": table(np.eye(2), [0.8, 0.2]),
    "x_1..x_3, odds .5 .3 .2": table(np.eye(3), [0.5, 0.3, 0.2]),
    "x_1..x_3": table(np.eye(3)),
    "x_1..x_9": table(np.eye(9)),
    "six x_i and two 3 x_i": table(np.vstack([np.eye(6), 3 * np.eye(6)[:2]])),
    "0 at .8, +-x_1, +-x_2": table([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], [0.8, 0.05, 0.05, 0.05, 0.05]),
    "5 normal numbers": (lambda m, rng: rng.standard_normal((m, 5)), 5.0),
    "their third powers": (lambda m, rng: rng.standard_normal((m, 5)) ** 3, 75.0),
    "one of square 15, odds 1/8": one_large(0.125, 15.0),
    "one of square 30, odds .06": one_large(0.06, 30.0),
}


def row(name: str, m: int, seeds: int) -> str:
    """Estimate one kind from all seeds; rates are of the intervals that are drawn."""
    draw, truth = KINDS[name]
    above, below, drawn, widths = np.zeros(3), np.zeros(3), 0, []
    for seed in range(seeds):
        found = statistic(draw(m, np.random.default_rng([seed, m, 0])))
        if not found.resolved:
            continue
        ends = np.array([found.interval(level) for level in LEVELS])
        above += ends[:, 0] > truth * (1 + 1e-9)
        below += ends[:, 1] < truth * (1 - 1e-9)
        widths.append((ends[1, 1] - ends[1, 0]) / truth)
        drawn += 1
    rates = [*(1 - (above + below) / drawn), above[1] / drawn, below[1] / drawn, 1 - drawn / seeds]
    return f"| {name:26} | {m:4} | " + " | ".join(f"{rate:6.1%}" for rate in rates) + f" | {np.median(widths):5.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--members", type=int, nargs="+", default=[32, 64, 256, 1024])
    parser.add_argument("--only", nargs="+")
    given = parser.parse_args()
    print("| members | m | 90% | 95% | 99% | above | below | unresolved | width |\n" + "|---" * 9 + "|")
    for name in given.only or KINDS:
        for m in given.members:
            print(row(name, m, given.seeds), flush=True)


if __name__ == "__main__":
    main()
