"""How time grows with n, d, P, |H|, m and k: exponents fitted to processor time, beside those that the docs state.

The peer is the statement. An exponent is the slope of log time over log size, by least squares; of d, where time grows
as d 2^d, the factor per two dimensions. Fixed costs make small sizes grow less than stated.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import gradvar as gv

from .members import Drawn
from .timing import Row, Run, Side, contest


def pairs(dim: int, degree: int, width: int, n: int) -> Run:
    H, model = gv.SparseParities(dim, degree), gv.MLP.random([dim, width, 1], rng=0)
    pool = ThreadPoolExecutor(1)
    settings = {"method": gv.MonteCarlo(variance_reduction=False), "rtol": 0, "rng": 0, "executor": pool}
    return lambda turn: (gv.gradient_variance(H, model, max_samples=n, **settings).value, math.nan)


def members(m: int) -> Run:
    H, model = Drawn(gv.SparseParities(32, 2)), gv.MLP.random([32, 32, 1], rng=0)
    method = gv.MonteCarlo(n_members=m, n_projections=None)
    return lambda turn: (gv.gradient_variance(H, model, method=method, max_samples=8192, rtol=0, rng=0).value, math.nan)


def spectrum(dim: int) -> Run:
    model = gv.MLP.random([dim, 32, 1], "relu", rng=0)
    return lambda turn: (float(gv.degree_spectrum(model)[1]), math.nan)


def closed_form(degree: int) -> Run:
    H, model = gv.SparseParities(1000, degree), gv.MLP.random([1000, 16, 1], rng=0)
    return lambda turn: (gv.gradient_variance(H, model, method="closed-form").value, math.nan)


def processor_time(name: str, side: Side, repeats: int) -> float:
    (row,) = contest("growth", name, [side], repeats)
    return statistics.median(row.turns["gradvar cpu"])


def rows(quick: bool) -> Iterator[Row]:
    more = [] if quick else [1]
    studies = {
        # name: (function, arguments for a size, sizes, what is stated)
        "n, inputs of pairs": (pairs, lambda n: (64, 3, 128, n), [4096, 8192, 16_384, *(32_768 for _ in more)], 2.0),
        "P, units of pairs": (pairs, lambda w: (32, 3, w, 4096), [128, 256, 512, *(1024 for _ in more)], 1.0),
        "size of H, by the degree, of pairs": (pairs, lambda k: (64, k, 64, 4096), [2, 4, 8], 0.0),
        "m, sampled members": (members, lambda m: (m,), [256, 512, 1024, *(2048 for _ in more)], 1.0),
        "k, degree of the closed form": (closed_form, lambda k: (k,), [2, 4, 8], 1.0),
    }
    for name, (function, arguments, sizes, stated) in studies.items():
        times = [processor_time(name, Side("gradvar", function, arguments(size)), 2) for size in sizes]
        scale = (
            [gv.SparseParities(64, k).log2_size * math.log(2) for k in sizes] if "size of H" in name else np.log(sizes)
        )
        slope = float(np.polyfit(scale, np.log(times), 1)[0])
        note = f"exponent {slope:.2f} over {sizes[0]}..{sizes[-1]}, stated {stated:g}"
        yield Row("growth", name, times[-1], note=note)
    dims = [16, 18, 20, *(22 for _ in more)]
    times = [processor_time("d", Side("gradvar", spectrum, (d,)), 2) for d in dims]
    factor = (times[-1] / times[0]) ** (2 / (dims[-1] - dims[0]))
    stated = (2 ** (dims[-1] - dims[0]) * dims[-1] / dims[0]) ** (2 / (dims[-1] - dims[0]))
    note = f"factor {factor:.2f} per two dimensions over {dims[0]}..{dims[-1]}, stated {stated:.2f}: d 2^d"
    yield Row("growth", "d, of the degree spectrum", times[-1], note=note)
