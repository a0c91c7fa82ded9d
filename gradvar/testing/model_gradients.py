"""Checks of the gradient of a model: against differences of predictions, in factors, summed over a batch.

Each public function is one check: its name, with hyphens, is the check's; its docstring says what it makes sure of; it
returns the evidence.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ..core.arguments import Array, stream
from ..core.reach import Reach
from ..models.base import largest_gradient as bound_of
from .checks import CheckFailed, called, offered, skip
from .comparison import agree, at_inputs, number, real, short, untouched
from .differences import Derivative, derivative
from .model_probe import ModelProbe, Parametric
from .regions import Rows

Direction = tuple[str, Array, float]
"""Its name, the vector, and the size of the parameters that it moves."""
_MOST_COORDINATES, _DIRECTIONS = 256, 8
_MOST_PAIRED = 257
_TINY = 1e-300


def gradient_value(probe: ModelProbe) -> str:
    """gradient(x) is the derivative of the prediction in the parameters (complex step or differences)."""
    w, function = probe.at_parameters
    real("`parameters`, one for each column of `gradient`,", w, probe.gradient.shape[1:])
    at_w = real("p(w, x) at the model's parameters", np.asarray(function(w)), probe.predictions.shape)
    where = at_inputs("these are not the parameters of the model: p(w, x)", probe.x)
    agree(at_w, probe.predictions, probe.rounding_of(at_w, probe.terms), where, "`predict`")
    rng, model = stream(probe.seed, 1), probe.own_parameters
    found = _compared(probe, function, w, _directions(w, rng))
    if model is not None and probe.predict is None:
        other = w * (1 + 0.1 * rng.uniform(-1, 1, w.size))
        along = [(f"{label}, at other parameters", v, size) for label, v, size in _random_directions(2, w.size, rng)]
        found += _compared(probe.elsewhere(model, other), function, other, along)
    kinks = sum(int(one.kink.sum()) for one in found)
    told = sum(int(np.isfinite(one.error).sum()) for one in found)
    untold = len(found) * len(probe.x) - told - kinks
    left_out = f"; {kinks:,} at kinks left out" if kinks else ""
    left_out += f"; {untold:,} that differences cannot tell left out" if untold else ""
    if told == 0:
        skip(f"the prediction has no derivative in the parameters that can be told; pass other inputs as `x`{left_out}")
    return f"{told:,} derivatives by {' and '.join(sorted({one.how for one in found}))}{left_out}"


def _compared(probe: ModelProbe, function: Parametric, w: Array, directions: list[Direction]) -> list[Derivative]:
    """Derivatives of the prediction along directions, made sure to be those that the gradient says."""
    g, sizes = probe.gradient, np.abs(probe.gradient)
    every = []
    for label, v, size in directions:

        def along(t: complex, v: Array = v) -> object:
            return function(w + t * v)

        found = derivative(along, g @ v, size=size, terms=sizes @ np.abs(w), unit=probe.unit)
        error = found.error + probe.relative * (sizes @ np.abs(v)) + _TINY
        where = at_inputs(f"`gradient` {label}", probe.x)
        agree(g @ v, found.value, error, where, f"the derivative of the prediction by {found.how}")
        every.append(found)
    return every


def tangent_factors(probe: ModelProbe) -> str:
    """tangent_factors(x) multiply out to the kernel of the gradient: sum (A A'^T) * (B B'^T) = g g'^T."""
    factors_of = offered(probe.model, "tangent_factors")
    for rows in _two_batches(probe):
        x, g = probe.x[rows], probe.gradient[rows]
        kernel = _kernel(untouched("tangent_factors", factors_of, x), len(x))
        where = at_inputs("the product of `tangent_factors`", x, x)
        # |<g, g'>| and the terms of its sum are at most |g| |g'|.
        norms = np.linalg.norm(g, axis=1)
        agree(kernel, g @ g.T, probe.relative * np.outer(norms, norms) + _TINY, where, "<g(x), g(x')> of `gradient`")
    return f"the kernel of the gradient at {len(probe.x)} inputs and in a batch of {len(x)}"


def _kernel(factors: object, n: int) -> Array:
    """The inner products of the gradients that factors stand for, shape (n, n)."""
    pairs = factors if isinstance(factors, (list, tuple)) else [factors]
    if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        raise CheckFailed(f"`tangent_factors` must return a list of pairs (A, B), got {short(factors)}")
    kernel = np.zeros((n, n))
    for i, pair in enumerate(pairs):
        left, right = (_factor(f"{name}_{i}", factor, n) for name, factor in zip("AB", pair, strict=True))
        # <g(x), g(x')> = sum_l (A_l A_l'^T) * (B_l B_l'^T)
        kernel += (left @ left.T) * (right @ right.T)
    return kernel


def _factor(name: str, factor: object, n: int) -> Array:
    if not isinstance(factor, np.ndarray) or factor.ndim != 2 or factor.shape[0] != n:
        shape = factor.shape if isinstance(factor, np.ndarray) else short(factor)
        raise CheckFailed(f"{name} of `tangent_factors` must have shape ({n}, r), got {shape}")
    return real(f"{name} of `tangent_factors`", factor, factor.shape)


def pullback(probe: ModelProbe) -> str:
    """pullback(x) is p(x) and the function c -> sum_n c_n dp(x_n)/dw, for any c, called as often as one likes."""
    method = offered(probe.model, "pullback")
    for rows in _two_batches(probe):
        x, g, n = probe.x[rows], probe.gradient[rows], len(rows)
        pair = untouched("pullback", method, x)
        if not isinstance(pair, tuple) or len(pair) != 2 or not callable(pair[1]):
            raise CheckFailed(f"`pullback` must return the predictions and a function of c (n,), got {short(pair)}")
        p, before = real("the predictions of `pullback`", pair[0], (n,)), probe.predictions[rows]
        agree(p, before, probe.rounding_of(before, probe.terms), at_inputs("p(x) of `pullback`", x), "`predict`")
        # Random c, single rows, none at all.
        for c in (*stream(probe.seed, 3).standard_normal((2, n)), *np.eye(n)[[0, n // 2, -1]], np.zeros(n)):
            back = untouched("the function that `pullback` returns", partial(called, "pullback(x)[1]", pair[1]), c)
            found = real("the sum of gradients of `pullback`", back, (probe.count,))
            # sum_n c_n g(x_n), a sum of terms |c_n g(x_n)|
            tolerance = probe.rounding_of(np.abs(c) @ np.abs(g)) + _TINY
            what = f"the sum of `gradient` over {n} inputs with the same weights c"
            agree(found, c @ g, tolerance, lambda at: f"`pullback` in parameter {at[0]}", what)
    return f"predictions and sums of gradients of {len(probe.x)} inputs and of a batch of {n:,}"


def largest_gradient(probe: ModelProbe) -> str:
    """largest_gradient(reach) is at least ||gradient(x)||^2 at all inputs x in a box and a ball."""
    offered(probe.model, "largest_gradient")
    squares = (probe.gradient**2).sum(axis=1)
    # Around all inputs, and around each alone: there a bound has the least room.
    for rows in (np.arange(len(probe.x)), *np.arange(len(probe.x))[:, None]):
        x, most = probe.x[rows], float(squares[rows].max())
        reach = Reach(x.min(axis=0), x.max(axis=0), float(np.linalg.norm(x, axis=1).max()))
        bound = number("`largest_gradient(reach)`", bound_of(probe.model, reach))
        if not bound >= most * (1 - probe.relative) - _TINY:
            at = short(x[int(squares[rows].argmax())])
            raise CheckFailed(
                f"`largest_gradient` of a box and a ball that hold x = {at} is {bound:.6g}, but ||gradient(x)||^2 "
                f"there is {most:.6g}"
            )
    return f"at least ||gradient(x)||^2 around {len(probe.x)} inputs, and around each alone"


def _two_batches(probe: ModelProbe) -> list[Rows]:
    """All inputs as they are, and many of them in another order, some more than once."""
    n = len(probe.x)
    return [np.arange(n), stream(probe.seed, 4).integers(n, size=min(probe.most_rows, _MOST_PAIRED))]


def _directions(w: Array, rng: np.random.Generator) -> list[Direction]:
    """Coordinates, and some directions that have a part of every coordinate where these are too many."""
    many = w.size > _MOST_COORDINATES
    numbers = np.sort(rng.choice(w.size, _MOST_COORDINATES, replace=False)) if many else np.arange(w.size)
    single = [(f"in parameter {j}", np.eye(1, w.size, int(j))[0], max(1.0, abs(float(w[j])))) for j in numbers]
    return single + _random_directions(_DIRECTIONS if many else 0, w.size, rng)


def _random_directions(count: int, size: int, rng: np.random.Generator) -> list[Direction]:
    return [("along a random direction", v / np.linalg.norm(v), 1.0) for v in rng.standard_normal((count, size))]
