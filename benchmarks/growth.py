"""How time grows with n, d, P, |H|, m and k: exponents of one worker's processor time, beside those that are stated.

Times t1, t2, t3 at sizes s, 2s, 4s. What a call costs at any size falls out of their differences: where time is
a + b size^p, (t3 - t2)/(t2 - t1) = 2^p. Of d, where time grows as d 2^d, the same ratio at d, d + 2, d + 4 stands
beside that of the law. In |H|, where nothing is to grow, and in the steps that the closed form states for a degree k,
which have in them what all degrees cost, the exponent is that of two times. The peer is the statement.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import gradvar as gv
from gradvar.methods.closed_form.two_layer_parities import TwoLayerParities

from .interval_coverage import Drawn
from .timing import Row, Run, Side, contest


def pairs(dim: int, degree: int, width: int, n: int) -> Run:
    H, model = gv.SparseParities(dim, degree), gv.MLP.random([dim, width, 1], rng=0)
    method, pool = gv.MonteCarlo(variance_reduction=False), ThreadPoolExecutor(1)

    def run(turn: int) -> tuple[float, float]:
        found = gv.gradient_variance(H, model, method=method, max_samples=n, rtol=0, rng=0, executor=pool)
        return found.value, math.nan

    return run


def by_inputs(n: int) -> Run:
    return pairs(32, 3, 32, n)


def by_units(width: int) -> Run:
    return pairs(32, 3, width, 4096)


def by_degree(degree: int) -> Run:
    return pairs(64, degree, 64, 4096)


def members(m: int) -> Run:
    H, model = Drawn(gv.SparseParities(32, 2)), gv.MLP.random([32, 64, 1], rng=0)
    method = gv.MonteCarlo(n_members=m, n_projections=None)
    pool = ThreadPoolExecutor(1)

    def run(turn: int) -> tuple[float, float]:
        found = gv.gradient_variance(H, model, method=method, max_samples=4096, rtol=0, rng=0, executor=pool)
        return found.value, math.nan

    return run


def spectrum(dim: int) -> Run:
    model, pool = gv.MLP.random([dim, 32, 1], "relu", rng=0), ThreadPoolExecutor(1)
    return lambda turn: (float(gv.degree_spectrum(model, executor=pool)[1]), math.nan)


def exact(degree: int) -> gv.Problem:
    return gv.Problem(gv.SparseParities(1000, degree), gv.MLP.random([1000, 8, 1], rng=0))


def closed_form(degree: int) -> Run:
    problem = exact(degree)
    return lambda turn: (gv.gradient_variance(problem.hypotheses, problem.model, method="closed-form").value, math.nan)


def ratio_of_differences(first: float, second: float, third: float) -> float:
    """(t3 - t2)/(t2 - t1); nan where noise is larger than the growth."""
    return (third - second) / (second - first) if second > first and third > second else math.nan


def slope(times: list[float], logarithms: list[float]) -> float:
    """log2 t2/t1 over what log2 of the size grew by; it has no sign where it rounds to 0."""
    return round(math.log2(times[-1] / times[0]) / (logarithms[-1] - logarithms[0]), 2) + 0.0


def processor_times(name: str, prepare: Callable[[int], Run], sizes: tuple[int, ...], repeats: int) -> list[float]:
    """The median at each size; sizes take turns."""
    rows = list(contest("growth", name, [Side(f"{size}", prepare, (size,)) for size in sizes], repeats))
    turns = [rows[0].turns["gradvar cpu"], *(row.turns["peer cpu"] for row in rows)]
    return [statistics.median(cpu) for cpu in turns]


# name: (function, the first of three sizes in quick runs and in others, the exponent that is stated)
STUDIES: dict[str, tuple[Callable[[int], Run], int, int, float]] = {
    "n, inputs of pairs": (by_inputs, 4096, 16_384, 2.0),
    "P, units of pairs": (by_units, 256, 512, 1.0),
    "m, sampled members": (members, 512, 1024, 1.0),
}


def rows(quick: bool) -> Iterator[Row]:
    repeats = 2 if quick else 5
    for name, (function, small, large, stated) in STUDIES.items():
        first = small if quick else large
        times = processor_times(name, function, (first, 2 * first, 4 * first), repeats)
        exponent = math.log2(ratio_of_differences(*times))
        note = f"exponent {exponent:.2f} over {first}..{4 * first}, stated {stated:g}"
        yield Row("growth", name, times[-1], note=note)
    times = processor_times("|H|", by_degree, (2, 8), repeats)
    found = slope(times, [gv.SparseParities(64, k).log2_size for k in (2, 8)])
    note = f"exponent {found:.2f} over degrees 2..8, stated 0"
    yield Row("growth", "size of H, by the degree, of pairs", times[-1], note=note)
    times = processor_times("k", closed_form, (4, 64), repeats)
    found = slope(times, [math.log2(TwoLayerParities().work(exact(k))) for k in (4, 64)])
    note = f"exponent {found:.2f} of its stated steps over 4..64, stated 1"
    yield Row("growth", "k, degree of the closed form", times[-1], note=note)
    dims = (18, 20, 22) if quick else (20, 22, 24)
    times = processor_times("d", spectrum, dims, 7)  # large rows meet what else goes through the memory
    factor = ratio_of_differences(*times)
    stated = ratio_of_differences(*(d * 2.0**d for d in dims))
    note = f"factor {factor:.2f} per two dimensions over {dims[0]}..{dims[-1]}, stated {stated:.2f}: d 2^d"
    yield Row("growth", "d, of the degree spectrum", times[-1], note=note)
