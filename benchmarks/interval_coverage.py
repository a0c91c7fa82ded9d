"""Do Monte Carlo intervals hold the truth as often as they say?

For each problem the truth is exact (closed form or enumeration). Each is estimated from many seeds at several sample
sizes; the table says how often the intervals at 90, 95 and 99% hold the truth, and how the mean of the estimates
compares with it.

    python benchmarks/interval_coverage.py --seeds 400 --sizes 200 1000 5000
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import gradvar as gv

LEVELS = (0.90, 0.95, 0.99)


def heavy(dim: int, power: float, rng: int) -> gv.MLP:
    """A network one of whose units is far larger than the rest."""
    model = gv.MLP.random([dim, 16, 1], "relu", rng=rng)
    first = np.array(model.weights[0])
    first[0] *= power
    return gv.MLP([first, model.weights[1]], model.biases, "relu")


def problems() -> dict[str, tuple[object, object, str]]:
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
    }


def covered(H: object, model: object, loss: str, n: int, seeds: range, method: object) -> dict[str, object]:
    """Which intervals hold the truth at each level, which lie above it or below it, and what was estimated."""
    truth = gv.gradient_variance(H, model, loss).value
    values, errors, unresolved = [], [], 0
    above, below = np.zeros(len(LEVELS)), np.zeros(len(LEVELS))
    with ThreadPoolExecutor(1) as pool:
        for seed in seeds:
            for i, level in enumerate(LEVELS):  # the same samples each time
                found = gv.gradient_variance(
                    H, model, loss, method=method, max_samples=n, rtol=0, rng=seed, executor=pool, confidence=level
                )
                low, high = found.interval
                above[i] += low > truth
                below[i] += high < truth
            values.append(found.value / truth)
            errors.append(found.standard_error / truth)
            unresolved += not found.resolved
    return {
        "hits": 1 - (above + below) / len(seeds),
        "above": above / len(seeds),
        "below": below / len(seeds),
        "values": np.array(values),
        "errors": np.array(errors),
        "unresolved": unresolved,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 1000, 5000])
    parser.add_argument("--only", default="")
    parser.add_argument("--plain", action="store_true", help="without variance reduction")
    given = parser.parse_args()
    method = gv.MonteCarlo(variance_reduction=not given.plain)
    print(
        f"| {'problem':28} |     n | 90%   | 95%   | 99%   | above | below | mean/truth (+-) | error | error/stated |"
        " unresolved |"
    )
    print(f"|{'-' * 30}|{'-' * 7}|{'-------|' * 5}{'-' * 17}|-------|{'-' * 14}|{'-' * 12}|")
    for name, (H, model, loss) in problems().items():
        if given.only not in name:
            continue
        for n in given.sizes:
            found = covered(H, model, loss, n, range(given.first, given.first + given.seeds), method)
            values, errors = found["values"], found["errors"]
            spread = values.std(ddof=1)
            rates = " | ".join(f"{rate:5.1%}" for rate in [*found["hits"], found["above"][1], found["below"][1]])
            stated = spread / np.sqrt(np.mean(errors[np.isfinite(errors)] ** 2))
            print(
                f"| {name:28} | {n:5} | {rates} | {values.mean():7.3f} ({spread / len(values) ** 0.5:.3f})"
                f" | {spread:5.3f} | {stated:12.2f} | {found['unresolved']:10} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
