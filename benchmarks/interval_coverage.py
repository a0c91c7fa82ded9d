"""Do Monte Carlo intervals hold the truth as often as they say?

For each problem the truth is exact: a closed form, an enumeration, or a formula that is named. Each is estimated from
many seeds at several sample sizes. A row of the table says how often the intervals at 90, 95 and 99% hold the truth,
which 95% intervals lie above and below it, how often it is below the 95% upper limit, and how the estimates and their
stated errors compare with it.

    python benchmarks/interval_coverage.py --seeds 300 --sizes 200 1000 5000
    python benchmarks/interval_coverage.py --seeds 300 --sizes 16384 --rtol 0.2      # as many as a pilot finds enough
    python benchmarks/interval_coverage.py --seeds 300 --sizes 4000 --members 512    # as if no covariance were known
    python benchmarks/interval_coverage.py --seeds 300 --sizes 256 --members 50 --alike      # members of equal shares
"""

from __future__ import annotations

import argparse
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np

import gradvar as gv
from gradvar.classes.base import HypothesisClass, Samples
from gradvar.core.arguments import Stream
from gradvar.estimation.settings import Settings
from gradvar.methods.monte_carlo.control_variates import regression
from gradvar.methods.monte_carlo.input_pairs import InputPairs, _estimate
from gradvar.methods.monte_carlo.pair_sums import PairSums
from gradvar.methods.monte_carlo.sampled_members import SampledMembers
from gradvar.models.base import Model

LEVELS = (0.90, 0.95, 0.99)
Case = tuple[HypothesisClass, Model, str]
Members = TypeVar("Members")


def heavy(dim: int, power: float, rng: int) -> gv.MLP:
    """A network one of whose units is far larger than the rest."""
    model = gv.MLP.random([dim, 16, 1], "relu", rng=rng)
    first = np.array(model.weights[0])
    first[0] *= power
    return gv.MLP([first, model.weights[1]], model.biases, "relu")


def half_spaces(n: int, dim: int, m: int, freedom: float, rng: int) -> gv.FiniteClass:
    """Random half-spaces on points whose coordinates have Student's distribution."""
    generator = np.random.default_rng(rng)
    points, normals = generator.standard_t(freedom, (n, dim)), generator.standard_normal((m, dim))
    return gv.FiniteClass(np.where(normals @ points.T > 0, 1, -1), points)


# p = x^3 w: with relu(v x), v normal, E_x[relu(v x) x^3] = 3 v/2, and Var = 9/4. The rows have the tails of x^4.
CUBE = gv.from_function(lambda x: x[:, 0] ** 3, lambda x: x**3, 1)
FORMULAS = {"neurons(1) cube": 9 / 4}


def problems() -> dict[str, Case]:
    """Problems with an exact answer: light and heavy tails, degenerate and not."""
    mlp = gv.MLP.random
    return {
        "parities(12, 1) linear": (gv.SparseParities(12, 1), gv.Linear(np.ones(12)), "square"),
        "parities(16, 1) linear hinge": (gv.SparseParities(16, 1), gv.Linear(np.full(16, 0.4)), "hinge"),
        "parities(12, 2) tanh": (gv.SparseParities(12, 2), mlp([12, 8, 1], rng=0), "square"),
        "parities(16, 2) tanh x2": (gv.SparseParities(16, 2), mlp([16, 16, 1], rng=2, scale=2.0), "square"),
        "parities(40, 2) tanh": (gv.SparseParities(40, 2), mlp([40, 64, 1], rng=0), "square"),
        "parities(64, 3) tanh": (gv.SparseParities(64, 3), mlp([64, 32, 1], rng=1), "square"),
        "parities(12, 2) relu hinge": (gv.SparseParities(12, 2), mlp([12, 8, 1], "relu", rng=1), "hinge"),
        "parities(10, 3) 2 layers": (gv.SparseParities(10, 3), mlp([10, 6, 4, 1], "relu", rng=3), "square"),
        "parities(12, 4) tanh": (gv.SparseParities(12, 4), mlp([12, 8, 1], rng=4, scale=2.0), "logistic"),
        "parities(16, 2) one big unit": (gv.SparseParities(16, 2), heavy(16, 20.0, 0), "square"),
        "cosine(3, 1.5) tanh": (gv.LinearPeriodic(3, 1.5), mlp([3, 16, 1], rng=0), "square"),
        "cosine(10, 2) tanh": (gv.LinearPeriodic(10, 2.0), mlp([10, 16, 1], rng=0), "square"),
        "cosine(5, 2) cosine": (gv.LinearPeriodic(5, 2.0), gv.Cosine(np.full(5, 0.5)), "square"),
        "cosine(10, 1) relu": (gv.LinearPeriodic(10, 1.0), mlp([10, 16, 1], "relu", rng=0), "square"),
        "biased(12, .5, 2) relu": (gv.BiasedParities(12, 0.5, 2), mlp([12, 8, 1], "relu", rng=0), "square"),
        "plain biased(10, .3) hinge": (
            gv.BiasedParities(10, 0.3, normalised=False),
            mlp([10, 8, 1], "relu", rng=1),
            "hinge",
        ),
        "multiples(101) tanh": (gv.ModularMultiples(101), mlp([7, 16, 1], rng=0), "square"),
        "log(1009) relu hinge": (gv.DiscreteLog(1009), mlp([10, 16, 1], "relu", rng=0), "hinge"),
        "half-spaces(4) t4 linear": (half_spaces(20_000, 4, 16, 4.0, 1), gv.Linear(np.ones(4)), "square"),
        "neurons(1) cube": (gv.RandomNetworks(1, (), "relu"), CUBE, "square"),
    }


class Lines:
    """The functions <c, x> of normal x, for rows c of a table; drawn at random. Var = E_c ||c - E c||^2 if linear."""

    labels = "real"

    def __init__(self, table: np.ndarray) -> None:
        self.table, self.inputs, self.log2_size = table, gv.Gaussian(table.shape[1]), float(np.log2(len(table)))

    def sample(self, m: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(len(self.table), size=m)

    def evaluate(self, members: np.ndarray, x: np.ndarray) -> np.ndarray:
        values: np.ndarray = self.table[members] @ x.T
        return values


TABLES = {
    "x_1, x_2": np.eye(2),
    "x_1, -x_1": np.array([[1.0], [-1.0]]),
    "x_1..x_3": np.eye(3),
    "x_1..x_5": np.eye(5),
    "x_1..x_9": np.eye(9),
    "x_1, 2 x_2, 3 x_3": np.diag([1.0, 2.0, 3.0]),
    "seven on a circle": np.exp(2j * np.pi * np.arange(7) / 7).view(float).reshape(7, 2),
}


def alike() -> dict[str, Case]:
    """Classes whose members' shares are equal, and two beside them; only draws are known."""
    return {name: (Lines(table), gv.Linear(np.ones(table.shape[1])), "square") for name, table in TABLES.items()}


FORMULAS |= {name: float(((t - t.mean(axis=0)) ** 2).sum(axis=1).mean()) for name, t in TABLES.items()}


class Drawn(Generic[Members]):
    """A class of which only draws are known."""

    def __init__(self, H: Samples[Members]) -> None:
        self.H, self.inputs, self.log2_size = H, H.inputs, H.log2_size
        self.labels = getattr(H, "labels", "real")

    def sample(self, m: int, rng: np.random.Generator) -> Members:
        return self.H.sample(m, rng)

    def evaluate(self, members: Members, x: np.ndarray) -> np.ndarray:
        return self.H.evaluate(members, x)


def estimates(problem: gv.Problem, settings: Settings, reduced: bool, members: int) -> list[gv.Estimate]:
    """One estimate for each level: of the same samples, unless the level has a say in how many there are."""
    at_levels = [replace(settings, confidence=level) for level in LEVELS]
    if members:
        return [SampledMembers(members, None).estimate(problem, level) for level in at_levels]
    if settings.rtol > 0:
        return [InputPairs(reduced).estimate(problem, level) for level in at_levels]
    sums = PairSums(problem, settings, regression(problem, settings) if reduced else None, Stream.PAIRS)
    sums.extend(settings.max_samples, lambda _: None)
    return [_estimate(sums, level, 0.0) for level in at_levels]


def row(name: str, n: int, seeds: range, rtol: float, reduced: bool, members: int, pool: Executor) -> str:
    """Estimate one problem from all seeds."""
    H, model, loss = (problems() | alike())[name]
    problem = gv.Problem(Drawn(H) if members and isinstance(H, Samples) else H, model, loss)
    exact = FORMULAS[name] if name in FORMULAS else gv.gradient_variance(H, model, loss).value
    above, below, beyond, values, errors, unresolved = np.zeros(3), np.zeros(3), 0, [], [], 0
    for seed in seeds:
        found = estimates(problem, Settings.checked(rtol, 0.95, n, seed, pool, False), reduced, members)
        above += [one.interval[0] > exact for one in found]
        below += [one.interval[1] < exact for one in found]
        beyond += found[1].upper < exact
        values.append(found[1].value / exact)
        if found[1].resolved:
            errors.append(found[1].standard_error / exact)
        else:
            unresolved += 1
    spread = np.std(values, ddof=1)
    rates = [*(1 - (above + below) / len(seeds)), above[1] / len(seeds), below[1] / len(seeds), 1 - beyond / len(seeds)]
    said = " | ".join(f"{rate:5.1%}" for rate in rates)
    mean = f"{np.mean(values):6.3f} ({spread / len(seeds) ** 0.5:.3f})"
    stated = spread / np.sqrt(np.mean(np.square(errors))) if errors else np.nan
    return (
        f"| {name:28} | {n:5} | {len(seeds):5} | {said} | {mean:15} | {spread:5.3f} | {stated:6.2f} | {unresolved:10} |"
    )


HEADER = (
    f"| {'problem':28} |     n | seeds | 90%   | 95%   | 99%   | above | below | upper | mean/truth (+-) | error |"
    f" stated | unresolved |\n|{'-' * 30}|{'-' * 7}|{'-' * 7}|{'-------|' * 6}{'-' * 17}|-------|{'-' * 8}|{'-' * 12}|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 1000, 5000])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--alike", action="store_true", help="classes whose members' shares are equal")
    parser.add_argument("--rtol", type=float, default=0.0, help="let a pilot choose the size, up to that of --sizes")
    parser.add_argument("--plain", action="store_true", help="without variance reduction")
    parser.add_argument("--members", type=int, default=0, help="draw so many members, whole gradients")
    given = parser.parse_args()
    print(HEADER)
    with ThreadPoolExecutor(1) as pool:
        for name in given.only or (alike() if given.alike else problems()):
            for n in given.sizes:
                seeds = range(given.first, given.first + given.seeds)
                print(row(name, n, seeds, given.rtol, not given.plain, given.members, pool), flush=True)


if __name__ == "__main__":
    main()
