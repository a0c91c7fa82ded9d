"""Networks that compute the parity exactly, shallow, deep and recurrent: expressive is not learnable.

Paper: Shalev-Shwartz, Shamir, Shammah, "Failures of Gradient-Based Deep Learning" (arXiv 1703.07950), section 2 and the
slides to it: the parity of n bits is one hidden layer of 3 (floor(n/2) + 1) relu units, a deep network of O(n) by
|a - b| = a XOR b, and a recurrent network of constant size; that networks can express it is not why it is hard.
Telgarsky, "Representation benefits of deep feedforward networks" (arXiv 1509.08101): k compositions of a tent map make
2^(k-1) teeth, for which few layers need exponentially many units.

Here: the networks of `gradvar.models.constructions`, their sizes, the number of the 2^n inputs at which they are wrong
(none), and Var/G^2 at these very weights, exact: 2^-n as everywhere else. The sawtooth with its 2 k + 1 units stands
beside the one hidden layer of 2^k + 1 units that computes the same: it has so many kinks, and a unit makes one.

They differ: the printed sum over triples of units begins at 1; without the triple at 0 the network is wrong at the one
input that has no -1. The deep network has 2 (n - 1) units that compute and n + (n - 1)(n - 2)/2 that hold bits or hand
them on, which the slides' O(n) does not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..classes import Parities
from ..core.arguments import Array, SeedLike, seed_of
from ..models.constructions import parity_deep_xor, parity_one_hidden_layer, parity_recurrent, sawtooth
from ..models.mlp import MLP
from ..models.recurrent import Recurrent
from ..results.table import Scalar
from ..verbs.check import bound_check
from .reproduction.figure import log_axis, panels, style
from .reproduction.result import Comparison, Reproduction, exact, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({"dims": (2, 3, 5, 8), "teeth": (1, 2, 3, 4)})

_NETWORKS: Mapping[str, Callable[[int], MLP | Recurrent]] = MappingProxyType(
    {"one hidden layer": parity_one_hidden_layer, "deep": parity_deep_xor, "recurrent": parity_recurrent}
)
_UNITS: Mapping[str, Callable[[int], int]] = MappingProxyType(
    {
        "one hidden layer": lambda n: 3 * (n // 2 + 1),
        "deep": lambda n: n + (n - 1) * (n + 2) // 2,
        "recurrent": lambda n: 2,
    }
)
_SPREAD = 10.0
"""How many times its mean ||s||^2 may be at the point (1, ..., 1), which all parities agree on."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ExpressivityResult(Reproduction):
    """Networks for the parity; a row for each and n: n, network, layers, units, parameters, wrong, ratio, value.

    Attributes
    ----------
    units : dict of int to (int, int)
        Units of the sawtooth, deep and with one hidden layer, for each number k of compositions.
    """

    units: Mapping[int, tuple[int, int]]

    def plot(self) -> list[Axes]:
        """Draw sizes, the networks' maps for XOR, the shallow one itself, the variance, the sawtooth and its sizes."""
        axes = panels(8, in_a_row=4, width=4.0)
        sizes, variance, teeth, depth = axes[0], axes[5], axes[6], axes[7]
        dims = sorted({int(n) for n in numbers(self.rows, "n")})
        for i, (name, formula) in enumerate(_UNITS.items()):
            rows = [row for row in self.rows if row["network"] == name]
            _draw_formula(sizes, dims, [formula(n) for n in dims], "" if i else "formula")
            sizes.plot(dims, numbers(rows, "units"), label=name, **style(i))
            variance.plot(dims, numbers(rows, "value"), label=name, **style(i))
            _draw_map(axes[1 + i], name)
        variance.plot(
            dims, [2.0**-n for n in dims], color="0.6", linewidth=5, alpha=0.4, zorder=0, label="1/|H| = 2^-n"
        )
        sizes.set(xlabel="bits n", ylabel="units", yscale="log", title="Networks that compute the parity")
        variance.set(
            xlabel="bits n", ylabel="Var/G² over all parities", yscale="log", title="Expressive, not learnable"
        )
        _draw_network(axes[4], parity_one_hidden_layer(2))
        z = np.linspace(0, 1, 513)
        for i, k in enumerate(list(self.units)[:4]):
            teeth.plot(z, np.asarray(sawtooth(k).predict(z[:, None])) - 1.3 * i, **(style(i) | {"marker": ""}))
            teeth.text(1.02, 0.3 - 1.3 * i, f"k = {k}", fontsize=8)
        teeth.set(xlabel="z", xlim=(0, 1.2), yticks=[], ylabel="f∘…∘f(z), shifted", title="Sawtooth: 2^(k-1) teeth")
        for i, label in enumerate(("deep: 2k + 1", "one hidden layer: 2^k + 1")):
            depth.plot(list(self.units), [pair[i] for pair in self.units.values()], label=label, **style(i))
        depth.set(xlabel="compositions k", ylabel="units", yscale="log", title="Depth against width")
        for ax in (sizes, variance, depth):
            ax.legend(fontsize=7)
        log_axis(sizes, dims)
        return axes


def run(
    dims: Sequence[int] = (2, 3, 4, 6, 8, 10, 12, 16),
    teeth: Sequence[int] = (1, 2, 3, 4, 6, 8, 10),
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> ExpressivityResult:
    """Make networks that compute the parity and the sawtooth; count, check and measure them.

    Parameters
    ----------
    dims : sequence of int
        Numbers n of bits, at least 2; 2^n inputs are looked at.
    teeth : sequence of int
        Compositions k of the tent map.
    rng : int, SeedSequence, Generator or None
        Not used: everything here is exact.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    ExpressivityResult
        `.rows`, `.comparisons`, `.units`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> run(dims=[2, 3], teeth=[1, 2])
    ExpressivityResult(14 of 14 numbers as claimed, rng=0)
    """
    from ..core.bars import tqdm

    rows: list[dict[str, Scalar]] = []
    for n in tqdm(dims, unit="n", disable=not progress):
        H = Parities(n)
        x = H.inputs.points(0, 2**n)
        for name, network in _NETWORKS.items():
            model = network(n)
            layers, units = _size(model)
            check = bound_check(H, model, rng=0)
            row: dict[str, Scalar] = {"n": n, "network": name, "layers": layers, "units": units}
            row |= {"parameters": model.n_parameters, "wrong": _wrong(model, x), "ratio": check.ratio}
            rows.append(row | {"value": exact(check.variance) / check.gradient_norm_sq, "verdict": check.verdict})
    of_teeth = {k: (_size(sawtooth(k))[1], _size(_shallow_sawtooth(k))[1]) for k in teeth}
    return ExpressivityResult(
        rows=tuple(rows),
        comparisons=(*_of_parities(rows, max(dims)), *_of_sawteeth(of_teeth)),
        notes=("The O(n) of the deep network counts its 2 (n - 1) units that compute, not those that hand bits on.",),
        seed=seed_of(rng),
        units=MappingProxyType(of_teeth),
    )


def _size(model: MLP | Recurrent) -> tuple[int, int]:
    """The number of hidden layers, or of steps, and that of different units."""
    if isinstance(model, MLP):
        return len(model.weights) - 1, sum(model.sizes[1:-1])
    return model.length, model.input_weights.shape[0]


def _wrong(model: MLP | Recurrent, x: Array) -> int:
    """The number of inputs at which it is not exactly the parity."""
    return int(np.count_nonzero(np.asarray(model.predict(x)) != x.prod(axis=1)))


def _printed(n: int) -> MLP:
    """The network with one hidden layer as it is printed: without the three units of the even number 0."""
    whole = parity_one_hidden_layer(n)
    first, bias = whole.weights[0], whole.biases[0]
    assert bias is not None
    return MLP([first[3:], whole.weights[1][:, 3:]], [bias[3:], whole.biases[1]], "relu")


def _shallow_sawtooth(k: int) -> MLP:
    """The sawtooth with one hidden layer: a unit for each of its 2^k + 1 kinks, times the change of slope there."""
    count = 2**k
    kinks = np.arange(count + 1) / count
    slopes = np.concatenate([[0.0], np.tile([count, -count], count // 2), [0.0]])
    return MLP([np.ones((count + 1, 1)), np.diff(slopes)[None]], [-kinks, None], "relu")


def _of_parities(rows: Sequence[Mapping[str, Scalar]], n: int) -> list[Comparison]:
    """How large the networks are, where they are wrong, and the variance at their weights."""
    found, quoted = [], {"deep": "O(n)", "recurrent": "O(1)"}
    for name, formula in _UNITS.items():
        some = [row for row in rows if row["network"] == name]
        wrong, units = (numbers(some, column) for column in ("wrong", "units"))
        off = units - [formula(int(k)) for k in numbers(some, "n")]
        found += [
            Comparison(what=f"{name}: wrong inputs of all 2^n, all n", here=float(wrong.sum()), low=0, high=0),
            Comparison(
                what=f"{name}: units at n = {n}",
                here=float(units[numbers(some, "n") == n][0]) if not off.any() else math.nan,
                low=formula(n),
                high=formula(n),
                paper=quoted.get(name, formula(n)),
            ),
        ]
    x = Parities(n).inputs.points(0, 2**n)
    ratio = numbers(rows, "ratio")
    return [
        *found,
        Comparison(
            what=f"one hidden layer as printed, without the units at 0: wrong inputs, n = {n}",
            here=_wrong(_printed(n), x),
            low=1,
            high=1,
        ),
        Comparison(
            what="largest Var over G²/|H| at these weights", here=float(ratio.max()), low=0.0, high=1.0, paper="<= 1"
        ),
        Comparison(
            what=f"the smallest at n = {n}",
            here=float(ratio[numbers(rows, "n") == n].min()),
            low=1 - _SPREAD / 2**n,
            high=1.0,
        ),
    ]


def _of_sawteeth(units: Mapping[int, tuple[int, int]]) -> list[Comparison]:
    """The teeth and the kinks of the longest composition, and what they take in depth and in width."""
    k = max(units)
    # four points between two kinks, and some on both sides of [0, 1]: exact, as all numbers are dyadic
    z = np.arange(-8, 4 * 2**k + 9)[:, None] / (4 * 2**k)
    deep, shallow = (np.asarray(model.predict(z)) for model in (sawtooth(k), _shallow_sawtooth(k)))
    inner = deep[1:-1]
    teeth = np.count_nonzero((inner > deep[:-2]) & (inner > deep[2:]))
    kinks = np.count_nonzero(np.diff(deep, 2))
    known = {
        f"teeth of {k} compositions": (teeth, 2 ** (k - 1), 2 ** (k - 1)),
        "units of the deep sawtooth": (units[k][0], 2 * k + 1, "O(k)"),
        "kinks, which one hidden layer takes a unit each for": (kinks, 2**k + 1, None),
        "units of that layer": (units[k][1], 2**k + 1, "exponential in k"),
        "largest difference of the two sawteeth": (np.abs(deep - shallow).max(), 0, None),
    }
    return [
        Comparison(what=what, here=float(here), low=value, high=value, paper=paper)
        for what, (here, value, paper) in known.items()
    ]


def _draw_formula(ax: Axes, x: Sequence[float], y: Sequence[float], label: str) -> None:
    """Draw a wide grey line under what was counted."""
    ax.plot(x, y, color="0.6", linewidth=5, alpha=0.4, zorder=0, label=label or None)


def _draw_map(ax: Axes, name: str) -> None:
    """Draw what a network for two bits makes of the plane."""
    side = np.linspace(-1.7, 1.7, 171)
    x = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    p = np.asarray(_NETWORKS[name](2).predict(x)).reshape(side.size, side.size)
    shades = ax.contourf(side, side, p, levels=np.arange(-2.25, 2.5, 0.5), cmap="gray", extend="both")
    ax.contour(side, side, p, levels=[0.0], colors="#d55e00")
    for value, marker in ((1.0, "o"), (-1.0, "s")):
        corners = Parities(2).inputs.points(0, 4)
        chosen = corners[corners.prod(axis=1) == value]
        ax.plot(*chosen.T, marker, color="#56b4e9", markeredgecolor="k", label=f"parity {value:+g}")
    ax.figure.colorbar(shades, ax=ax, label="p(x)", shrink=0.8)
    ax.set(xlabel="x₁", ylabel="x₂", title=f"XOR, {name}; line: p = 0")
    ax.legend(fontsize=7, loc="upper center", ncols=2)


def _draw_network(ax: Axes, model: MLP) -> None:
    """Draw the units as circles with their biases and the weights as lines, dashed where they are negative."""
    most = max(model.sizes)
    places = [((size - 1) / 2 - np.arange(size)) * (most - 1) / max(size, 2) * 1.5 for size in model.sizes]
    for layer, weights in enumerate(model.weights):
        for (to, start), weight in np.ndenumerate(weights):
            ends = [places[layer][start], places[layer + 1][to]]
            width = 0.6 + 1.6 * abs(weight) / np.abs(weights).max()
            ax.plot([layer, layer + 1], ends, "-" if weight > 0 else "--", color="0.3", linewidth=width, zorder=0)
    names = [[f"x{i + 1}" for i in range(model.dim)]]
    names += [["" if bias is None else f"{b:+g}" for b in bias] for bias in model.biases if bias is not None]
    for layer, (column, words) in enumerate(zip(places, names, strict=True)):
        for y, word in zip(column, words, strict=True):
            ax.text(layer, y, word, fontsize=8, ha="center", va="center", bbox={"boxstyle": "circle", "fc": "w"})
    ax.set(xlim=(-0.4, len(names) - 0.6), title="Its units with biases, dashed: < 0", ylim=(-3.7, 3.7))
    ax.axis("off")
