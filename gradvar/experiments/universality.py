"""Any network is a weight-tied one, and an equilibrium: the same layers, and the same variance in the same parameters.

Paper: Bai, Kolter, Koltun, "Deep Equilibrium Models" (arXiv 1909.01377), Theorem 3: a network of L layers is a
weight-tied network with input injection, h <- sigma(W_z h + W_x x + b), of the sum of their widths, W_z block
sub-diagonal; and so is the equilibrium of it. Weight tying as in the Universal Transformer (arXiv 1807.03819).

Here: `WeightTied.from_mlp`: the error of each hidden layer after each number of steps is 0 from step l on for layer l.
Iterates that converge, oscillate and diverge, and what the equilibrium says of them. The variance over the parities of
each degree: of the weights that the network has, the same to the last digits, tied or at equilibrium; of all entries of
W_z and W_x, with those that are zero, larger. Below 2^-d G^2 for all of them over all parities.

They differ: not at all; the paper does not look at gradients. That the zero entries are parameters too makes the tied
network another one to train.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..classes import Parities, SparseParities
from ..core.arguments import Array, SeedLike, seed_of
from ..models.adapters.function import FunctionModel, from_function
from ..models.base import Model
from ..models.mlp import MLP
from ..models.weight_tied import WeightTied
from ..results.table import Scalar
from ..verbs.check import bound_check
from ..verbs.variance import gradient_variance
from .reproduction.figure import panels, style
from .reproduction.result import Comparison, Reproduction, exact, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({"dim": 6, "widths": (8, 6, 4)})

_ITERATES = MappingProxyType({"converges": ("tanh", 0.8), "oscillates": ("tanh", -2.0), "diverges": ("identity", 1.2)})
"""The activation and the weight w of h <- sigma(w h + x)."""
_STEPS, _X = 60, 0.3
_SAME, _TIED, _ALL = "the network", "tied, its weights", "tied, all entries"
_LIMIT = "equilibrium, its weights"
_ROUNDING = 1e-12
"""Sums of some ten terms of size 1, in another order, through a few layers."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class UniversalityResult(Reproduction):
    """The variance of each network; a row for each degree: degree, and Var of each.

    Attributes
    ----------
    errors : ndarray, shape (T, L)
        The largest error of hidden layer l after t steps, over inputs and units.
    iterates : dict of str to ndarray
        h_1, h_2, ... of one unit.
    """

    errors: Array
    iterates: Mapping[str, Array]

    def plot(self) -> list[Axes]:
        """Draw the errors of layers over steps, the iterates and the variance of each network over the degrees."""
        axes = panels(3, width=4.8)
        layers, iterates, variance = axes
        steps, count = self.errors.shape
        image = layers.imshow(np.log10(np.maximum(self.errors, 1e-17)), cmap="gray_r", aspect="auto", vmin=-17, vmax=0)
        for (step, layer), error in np.ndenumerate(self.errors):
            colour = "w" if error > 1e-8 else "k"
            layers.text(layer, step, f"{error:.1g}", ha="center", va="center", fontsize=8, color=colour)
        layers.set_xticks(range(count), [str(layer + 1) for layer in range(count)])
        layers.set_yticks(range(steps), [str(step + 1) for step in range(steps)])
        layers.set(xlabel="hidden layer", ylabel="steps", title="Largest error of a layer")
        layers.grid(visible=False)
        layers.figure.colorbar(image, ax=layers, label="log₁₀ of the error")
        for i, (name, values) in enumerate(self.iterates.items()):
            sigma, w = _ITERATES[name]
            label = f"{name}: {sigma}, w = {w:g}"
            iterates.plot(np.arange(1, values.size + 1), values, label=label, **style(i))
        iterates.set(xlabel="step t", ylabel="h_t", title=f"h ← σ(w h + {_X})", xlim=(0, 20.5), ylim=(-2, 10))
        degrees = numbers(self.rows, "degree")
        for i, name in enumerate((_SAME, _TIED, _LIMIT, _ALL)):
            variance.plot(degrees, numbers(self.rows, name), label=name, **style(i))
        variance.set(xlabel="degree of the parities", ylabel="Var", yscale="log", title="Variance of the gradient")
        variance.set_xticks(degrees, [f"{degree:g}" for degree in degrees])
        for ax in (iterates, variance):
            ax.legend(fontsize=8)
        return axes


def run(
    dim: int = 10,
    widths: Sequence[int] = (16, 12, 8),
    activation: str = "tanh",
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> UniversalityResult:
    """Make a random network a weight-tied one and an equilibrium, and compare layers, iterates and variances.

    Parameters
    ----------
    dim : int
        Bits of the inputs, all 2^dim of which are looked at.
    widths : sequence of int
        Hidden layers of the network.
    activation : str
        As for `MLP`.
    rng : int, SeedSequence, Generator or None
        Source of the weights.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    UniversalityResult
        `.rows`, `.comparisons`, `.errors`, `.iterates`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> run(dim=3, widths=[3, 2])
    UniversalityResult(12 of 12 numbers as claimed, rng=0)
    """
    from ..core.bars import tqdm

    seed = seed_of(rng)
    network = MLP.random([dim, *widths, 1], activation, seed)
    tied = WeightTied.from_mlp(network)
    limit = _with(tied, tied.output_weights, None, tied.output_bias)
    x = Parities(dim).inputs.points(0, 2**dim)
    # the entries that hold weights of the network: those that are not zero where all of its weights are one
    ones = network.with_parameters(np.ones(network.n_parameters))
    kept = WeightTied.from_mlp(ones).parameters != 0
    models: dict[str, Model] = {_SAME: network, _TIED: _part(tied, kept), _LIMIT: _part(limit, kept), _ALL: tied}
    rows: list[dict[str, Scalar]] = []
    for degree in tqdm(range(1, dim), unit="degree", disable=not progress):
        H = SparseParities(dim, degree)
        values = {name: exact(gradient_variance(H, model, rng=seed)).value for name, model in models.items()}
        rows.append({"degree": degree, **values})
    checks = [bound_check(Parities(dim), model, rng=seed) for model in models.values()]
    errors, iterates = _errors(network, tied, x), _iterates()
    off = float(np.abs(np.asarray(limit.predict(x)) - np.asarray(network.predict(x))).max())
    return UniversalityResult(
        rows=tuple(rows),
        comparisons=(
            Comparison(
                what="units of the tied network",
                here=tied.width,
                low=sum(widths),
                high=sum(widths),
                paper="sum of widths",
            ),
            *_of_layers(errors),
            Comparison(what="equilibrium: largest error of its output", here=off, low=0.0, high=_ROUNDING, paper=0.0),
            *_of_variances(rows),
            Comparison(
                what="all parities: Theorem 1 holds for all four", here=all(c.verdict == "holds" for c in checks)
            ),
            *_of_iterates(iterates),
        ),
        seed=seed,
        notes=("Of the entries of W_z and W_x that are zero in the tied network, the network has no parameters.",),
        errors=errors,
        iterates=MappingProxyType(iterates),
    )


def _with(tied: WeightTied, output: Array, steps: int | None, bias: float | None = None) -> WeightTied:
    """The same iteration with another readout and another number of steps."""
    return WeightTied(
        tied.state_weights, tied.input_weights, output, tied.bias, bias, steps=steps, activation=tied.activation
    )


def _part(model: WeightTied, kept: npt.NDArray[np.bool_]) -> FunctionModel:
    """The same predictor, of which only some entries are parameters."""
    return from_function(model.predict, lambda x: model.gradient(x)[:, kept], n_parameters=int(kept.sum()))


def _errors(network: MLP, tied: WeightTied, x: Array) -> Array:
    """The largest difference of each hidden layer (columns) from its block of the state, after each step (rows)."""
    depth, sigma = len(network.weights) - 1, str(tied.activation)
    ends = np.cumsum([0, *network.sizes[1:-1]])
    found = np.zeros((depth + 1, depth))
    for layer in range(depth):
        for unit in range(network.sizes[layer + 1]):
            # one unit of a hidden layer, read out by itself
            pick = np.zeros((1, network.sizes[layer + 1]))
            pick[0, unit] = 1
            hidden = MLP([*network.weights[: layer + 1], pick], [*network.biases[: layer + 1], None], sigma)
            right = np.asarray(hidden.predict(x))
            read = np.zeros(tied.width)
            read[ends[layer] + unit] = 1
            for steps in range(1, depth + 2):
                off = np.abs(np.asarray(_with(tied, read, steps).predict(x)) - right).max()
                found[steps - 1, layer] = max(found[steps - 1, layer], off)
    return found


def _iterates() -> dict[str, Array]:
    """h_1, h_2, ... of one unit with three weights."""
    return {
        name: np.array([_unit(sigma, w, t).predict([[_X]])[0] for t in range(1, _STEPS + 1)])
        for name, (sigma, w) in _ITERATES.items()
    }


def _unit(sigma: str, w: float, steps: int | None) -> WeightTied:
    return WeightTied([[w]], [[1.0]], [1.0], steps=steps, activation=sigma)


def _equilibrium(name: str) -> float:
    """The equilibrium of one of the iterations; nan where the model says that there is none."""
    try:
        return float(_unit(*_ITERATES[name], None).predict([[_X]])[0])
    except ValueError:
        return math.nan


def _of_layers(errors: Array) -> list[Comparison]:
    """Layer l is there after l steps, stays, and was not before."""
    depth = errors.shape[1]
    there = max(errors[t, layer] for layer in range(depth) for t in range(layer, depth + 1))
    found = [
        Comparison(
            what="layer l after l steps or more: largest error", here=float(there), low=0.0, high=_ROUNDING, paper=0.0
        )
    ]
    if depth > 1:
        before = min(errors[layer - 1, layer] for layer in range(1, depth))
        found.append(Comparison(what="layer l after l - 1 steps: smallest error", here=float(before), low=1e-3))
    return found


def _of_variances(rows: Sequence[Mapping[str, Scalar]]) -> list[Comparison]:
    """The variance in the weights of the network is the same however it is run, and more entries have more of it."""
    same, *others = (numbers(rows, name) for name in (_SAME, _TIED, _LIMIT, _ALL))
    found = [
        Comparison(
            what=f"Var over the network's, {name}: the farthest from 1, all degrees",
            here=float(ratio[np.abs(ratio - 1).argmax()]),
            low=1 - 1e-9,
            high=1 + 1e-9,
        )
        for name, ratio in ((_TIED, others[0] / same), (_LIMIT, others[1] / same))
    ]
    least = float((others[2] / same).min())
    return [*found, Comparison(what=f"Var over the network's, {_ALL}: the smallest", here=least, low=1 - 1e-9)]


def _of_iterates(iterates: Mapping[str, Array]) -> list[Comparison]:
    """What each iteration does, and what its equilibrium says."""
    converging, oscillating, diverging = iterates.values()
    here = abs(converging[-1] - _equilibrium("converges"))
    # |h_t - h| <= w^t |h|, as no slope of tanh is above 1
    most = _ITERATES["converges"][1] ** _STEPS
    there = (_equilibrium(name) for name in ("oscillates", "diverges"))
    return [
        Comparison(
            what=f"converges: distance from its equilibrium after {_STEPS} steps", here=float(here), low=0.0, high=most
        ),
        Comparison(
            what="oscillates: h_t - h_(t-1) at the end, and h_t - h_(t-2) is nothing",
            here=float(abs(oscillating[-1] - oscillating[-2]))
            if abs(oscillating[-1] - oscillating[-3]) < 1e-9
            else 0.0,
            low=0.1,
        ),
        Comparison(
            what="diverges: factor of a step",
            here=float((diverging[-1] - diverging[-2]) / (diverging[-2] - diverging[-3])),
            low=_ITERATES["diverges"][1] - 1e-9,
            high=_ITERATES["diverges"][1] + 1e-9,
        ),
        Comparison(what="the last two have no equilibrium, and the model says so", here=all(map(math.isnan, there))),
    ]
