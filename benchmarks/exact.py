"""Exact at d = 1000, where sampling returns no digit: the closed form, against torch's sampled members.

gradvar's error is the one that it states, relative to the value; that of torch is the distance from it.
"""

from __future__ import annotations

from collections.abc import Iterator

import gradvar as gv

from .accuracy import sampled_by_torch
from .networks import network
from .timing import Row, Run, Side, contest


def by_gradvar(dim: int, degree: int, method: str) -> Run:
    H, model = gv.SparseParities(dim, degree), network(dim, 128)

    def run(turn: int) -> tuple[float, float]:
        found = gv.gradient_variance(H, model, method=method)
        low, high = found.mantissa_interval
        return found.value, (high - low) / 2 / abs(found.mantissa)

    return run


def rows(quick: bool) -> Iterator[Row]:
    for dim, degree in ((1000, 4),) if quick else ((100, 4), *((1000, k) for k in range(1, 11))):
        sides = [
            Side("gradvar", by_gradvar, (dim, degree, "closed-form")),
            Side("torch, two halves", sampled_by_torch, (dim, degree, 2048 if quick else 8192, 64)),
        ]
        yield from contest("exact", f"d = {dim}, degree {degree}, 128 units", sides, 1, exact=True)
    sides = [
        Side("gradvar", by_gradvar, (20, 3, "closed-form")),
        Side("gradvar's enumeration", by_gradvar, (20, 3, "enumeration")),
    ]
    yield from contest("exact", "d = 20, degree 3, 128 units", sides, 1, exact=True)
