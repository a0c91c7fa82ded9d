"""The degree spectrum and the U-statistic against what one would otherwise write, side by side in one run.

Run as `python benchmarks/estimates.py`. Medians of repeats in which the candidates take turns, so that a busy
machine slows all of them; ratios are times over gradvar's own. Both alternatives are good NumPy: a transform of the
whole gradient matrix for the spectrum; materialised per-example gradients and two matrix products for the pairs.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

import gradvar as gv

REPEATS = 5


def spectrum_by_gradients(model: gv.MLP, dim: int) -> np.ndarray:
    """Per-example gradients at all points, one batched transform, squares binned by degree."""
    cube = gv.Hypercube(dim)
    rows = model.gradient(cube.points(0, 2**dim)).T.copy()
    stride = 1
    while stride < 2**dim:
        pairs = rows.reshape(len(rows), -1, 2, stride)
        rows = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], axis=2)
        rows = rows.reshape(len(pairs), -1)
        stride *= 2
    squares = (rows / 2**dim) ** 2
    degrees = np.bitwise_count(np.arange(2**dim))
    return np.array([squares[:, degrees == k].sum(axis=0).mean() for k in range(dim + 1)])


def pairs_by_gradients(model: gv.MLP, H: gv.SparseParities, n: int) -> float:
    """The same U-statistic from an (n, P) gradient matrix and (n, n) matrices."""
    x = H.inputs.sample(n, np.random.default_rng(0))
    gradients = model.gradient(x)
    products = (gradients @ gradients.T) * H.covariance(x, x)
    return float((products.sum() - np.trace(products)) / (n * (n - 1)))


def compare(title: str, candidates: dict[str, Callable[[], object]]) -> None:
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for run in range(REPEATS + 1):
        for name, candidate in candidates.items():
            begin = time.perf_counter()
            candidate()
            if run:  # the first one compiles
                times[name].append(time.perf_counter() - begin)
    own = statistics.median(times["gradvar"])
    print(title)
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"  {name:<28} {median:8.3f} s   ratio {median / own:6.2f}")


def main() -> None:
    for dim, width in ((12, 64), (14, 32)):
        model = gv.MLP.random([dim, width, 1], rng=0)
        alternative = spectrum_by_gradients(model, dim)
        assert np.allclose(gv.degree_spectrum(model), alternative, rtol=1e-9, atol=1e-18)
        compare(
            f"degree spectrum, {model!r}",
            {
                "gradvar": lambda model=model: gv.degree_spectrum(model),
                "NumPy transform of gradients": lambda model=model, dim=dim: spectrum_by_gradients(model, dim),
            },
        )
    model = gv.MLP.random([20, 64, 1], rng=0)
    compare(f"degree spectrum, {model!r}", {"gradvar": lambda: gv.degree_spectrum(model)})
    H, pair_model, n = gv.SparseParities(64, 2), gv.MLP.random([64, 128, 1], rng=0), 4096
    compare(
        f"U-statistic, n = {n}, {H!r}, {pair_model!r}",
        {
            "gradvar": lambda: gv.gradient_variance(H, pair_model, method="monte-carlo", rtol=0, max_samples=n, rng=0),
            "NumPy gradients, one product": lambda: pairs_by_gradients(pair_model, H, n),
        },
    )
    compare(
        f"U-statistic, n = 16384, {H!r}, {pair_model!r}",
        {
            "gradvar": lambda: gv.gradient_variance(
                H, pair_model, method="monte-carlo", rtol=0, max_samples=16384, rng=0
            )
        },
    )


if __name__ == "__main__":
    main()
