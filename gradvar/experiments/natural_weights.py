"""Networks with random weights as targets: hard under some inputs, but not for want of gradient variance.

Paper: Daniely, Vardi, "Hardness of learning neural networks with natural weights" (arXiv 2006.03177): for depth-2
networks whose weights are drawn from natural distributions, no efficient algorithm learns most of them under every
distribution of the inputs. So no generic property of random weights makes learning easy.

Here: a negative control under Gaussian inputs, where Theorem 1's measure is not small. The spectrum of the class is
known: one relu neuron, its weights uniform on the sphere, has lambda_1 = 1/(4 d) at the linear functions, which bounds
Var/G^2 of all models and which a linear one reaches; depth-2 networks have lambda_0, about 1/(2 pi), at any width. Over
d = 10 to 160, a network at its start has .83 to .90 of 1/(4 d) for neurons and 1.1 to 1.9 times 1/(4 d) for depth-2
networks, where parities leave 2^-d. Gradient descent learns a depth-2 network of d = 20 to a relative error of .03, far
beyond its linear part; of the parity of d/2 bits it learns nothing.

They differ: not in a number, for the paper has none. Its hard inputs are made from a hard problem; where inputs are
Gaussian, neither its theorem nor the variance says that these networks are hard.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np

from ..classes.members.target import Target
from ..classes.parities import Parities
from ..classes.random_networks import RandomNetworks
from ..core.arguments import Array, SeedLike, seed_of
from ..models.base import Model
from ..models.linear import Linear
from ..models.mlp import MLP
from ..results.table import Scalar
from ..verbs.check import bound_check
from .reproduction.figure import log_axis, panels, style
from .reproduction.result import Comparison, Reproduction, numbers
from .training.run import descend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({"dims": (10, 20, 40), "samples": 1000, "steps": 8000})

_DEGREES = 11
_KNOWN = MappingProxyType({0: (0.167301, 1e-6), 1: (0.025, 1e-15), 2: (1.38265e-3, 1e-8)})
"""Eigenvalues of neurons at d = 10, and half a unit of the last digit or more."""
_MODELS = ("linear model", "network at its start")
_CLASSES = ("neurons", "depth-2 networks")
_TOLD = 0.07
"""What is accepted of a ratio that is sampled to 3% at 95%: 4.6 standard errors."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class NaturalWeightsResult(Reproduction):
    """Var/G^2 of random networks as targets; a row for each d, class and model: dim, targets, model, value, norm.

    Attributes
    ----------
    spectra : dict of int to tuple of float
        For each d the eigenvalues of the neurons' Gram kernel at the harmonics of degree 0, 1, ..., uncentred.
    sampled : tuple of float
        The eigenvalues of degrees 0, 1 and 2 from the Gram matrix of drawn neurons of the least d.
    learned : dict of str to tuple of (int, float)
        For each target the steps of training and the error there, E(p - h)^2/E h^2.
    """

    spectra: Mapping[int, tuple[float, ...]]
    sampled: tuple[float, ...]
    learned: Mapping[str, tuple[tuple[int, float], ...]]

    def plot(self) -> list[Axes]:
        """Draw the spectrum of the class, Var/G^2 over d with its bounds, and the training."""
        axes = panels(3, width=4.6)
        for i, (d, values) in enumerate(self.spectra.items()):
            at = [degree for degree, value in enumerate(values) if value > 0]
            axes[0].semilogy(at, [values[degree] for degree in at], label=f"closed form, d = {d}", **style(i + 1))
        d = min(self.spectra)
        crosses = {"color": "k", "marker": "x", "markersize": 11, "linestyle": ""}
        axes[0].semilogy(range(3), self.sampled, label=f"Gram matrix of drawn neurons, d = {d}", **crosses)
        axes[0].set(xlabel="degree of the harmonics (odd ones from 3 on have 0)", ylabel="eigenvalue of the class")
        dims = np.array(list(self.spectra))
        for i, (targets, model) in enumerate((t, m) for t in _CLASSES for m in _MODELS):
            rows = [row for row in self.rows if row["targets"] == targets and row["model"] == model]
            axes[1].plot(dims, 4 * dims * numbers(rows, "value"), label=f"{targets}, {model}", **style(i))
        bounds = {
            "bound for neurons: Var/G² <= 1/(4d)": np.ones(len(dims)),
            "bound for networks: Var/G² <= λ₀": 4 * dims * [self.spectra[d][0] for d in dims],
            "parities: Var/G² = 2⁻ᵈ": 4 * dims * 2.0**-dims,
        }
        for (label, bound), line in zip(bounds.items(), ("-", "--", ":"), strict=True):
            axes[1].plot(dims, bound, label=label, color="0.6", linewidth=4, linestyle=line, alpha=0.6, zorder=0)
        axes[1].set(xlabel="dimension d", ylabel="4 d Var/G²", yscale="log", ylim=(1e-4, 300))
        log_axis(axes[1], dims)
        for i, (name, points) in enumerate(self.learned.items()):
            axes[2].semilogy([t / 1000 for t, _ in points], [error for _, error in points], label=name, **style(i))
        axes[2].axhline(beyond_linear(d), label="what degrees 0 and 1 leave", color="0.6", linewidth=4, alpha=0.6)
        axes[2].set(xlabel="thousands of steps of gradient descent", ylabel="relative error E(p − h)²/E h²")
        axes[0].legend(fontsize=7, loc="lower left")
        axes[1].legend(fontsize=7, loc="lower right")
        axes[2].legend(fontsize=7)
        return axes


def run(
    dims: Sequence[int] = (10, 20, 40, 80, 160),
    width: int = 16,
    student: int = 128,
    samples: int = 3000,
    trained: Sequence[int] = (20,),
    steps: SupportsIndex = 20_000,
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> NaturalWeightsResult:
    """Measure the class spectrum and Var/G^2 of networks with random weights under Gaussian inputs, and train on some.

    Parameters
    ----------
    dims : sequence of int
        Dimensions d of the inputs, increasing.
    width : int
        Hidden units of the depth-2 networks that are the targets.
    student : int
        Hidden units of the network that learns.
    samples : int
        Neurons of the least d that are drawn for a Gram matrix.
    trained : sequence of int
        Dimensions in which one depth-2 network, and the parity of d/2 bits, is learned by gradient descent.
    steps : int
        Its steps: rate .05, fresh batches of 128.
    rng : int, SeedSequence, Generator or None
        Source of all weights and inputs.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    NaturalWeightsResult
        `.rows`, `.comparisons`, `.spectra`, `.sampled`, `.learned`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> run(dims=[10], samples=500, trained=[])
    NaturalWeightsResult(10 of 10 numbers as claimed, rng=0)
    """
    from ..core.bars import tqdm

    seed = seed_of(rng)
    rows: list[dict[str, Scalar]] = []
    spectra: dict[int, tuple[float, ...]] = {}
    for d in tqdm(dims, unit="dimension", disable=not progress):
        classes = (RandomNetworks(d, (), weights="sphere"), RandomNetworks(d, (width,), weights="sphere"))
        spectra[d] = tuple(classes[0].spectrum(degree, centred=False)[0] for degree in range(_DEGREES))
        models: tuple[Model, ...] = (Linear(np.zeros(d)), MLP.random([d, student, 1], rng=seed))
        for targets, H in zip(_CLASSES, classes, strict=True):
            for name, model in zip(_MODELS, models, strict=True):
                check = bound_check(H, model, rtol=0.03, rng=seed)
                value = check.variance / check.gradient_norm_sq
                rows.append({"dim": d, "targets": targets, "model": name, "value": value, "norm": H.operator_norm()})
    learned: dict[str, tuple[tuple[int, float], ...]] = {}
    for d in tqdm(trained, unit="training", disable=not progress):
        targets_of = RandomNetworks(d, (width,), weights="sphere")
        drawn = targets_of.sample(1, seed)
        size = float(targets_of.inner_products(drawn, drawn)[0, 0])
        learned[f"depth-2 network, d = {d}"] = _training(targets_of.member(drawn[0]), size, d, student, steps, seed)
        parity = Parities(d).member(np.arange(d) < d // 2)
        learned[f"parity of d/2 bits, d = {d}"] = _training(parity, 1.0, d, student, steps, seed)
    sampled = _sampled(min(dims), samples, seed)
    return NaturalWeightsResult(
        rows=tuple(rows),
        comparisons=(
            *_of_class(spectra, sampled),
            *_of_variance(rows),
            *_of_training(learned, beyond_linear(min(dims))),
        ),
        notes=("The theorem of the paper is about inputs of any distribution; here they are N(0, I).",),
        seed=seed,
        spectra=MappingProxyType(spectra),
        sampled=sampled,
        learned=MappingProxyType(learned),
    )


def beyond_linear(d: int) -> float:
    """Return the share of E h^2 = 1/2 that harmonics of degree 0 and 1 leave: 1 - 2 (lambda_0 + d lambda_1)."""
    H = RandomNetworks(d, (), weights="sphere")
    return 1 - 2 * sum(math.prod(H.spectrum(degree, centred=False)) for degree in (0, 1))


def _sampled(d: int, samples: int, seed: int) -> tuple[float, ...]:
    """The mean eigenvalue of the 1, d and d (d + 1)/2 - 1 largest, in their order, of the Gram matrix of neurons."""
    H = RandomNetworks(d, (), weights="sphere")
    members = H.sample(samples, seed)
    values = np.linalg.eigvalsh(H.inner_products(members, members) / samples)[::-1]
    ends = np.cumsum([H.spectrum(degree)[1] for degree in range(3)])
    return tuple(float(part.mean()) for part in np.split(values[: ends[-1]], ends[:-1]))


def _training(
    target: Target, size: float, d: int, student: int, steps: SupportsIndex, seed: int
) -> tuple[tuple[int, float], ...]:
    """Steps, and the error there relative to E h^2."""
    start = MLP.random([d, student, 1], rng=seed)
    run = descend(target, start, steps=steps, batch=128, learning_rate=0.05, rng=seed, record=1000)
    return tuple((int(t), float(2 * loss / size)) for t, loss in zip(run.steps, run.losses, strict=True))


def _of_class(spectra: Mapping[int, tuple[float, ...]], sampled: Sequence[float]) -> list[Comparison]:
    """Eigenvalues against those known, their sum, and those of drawn neurons."""
    found = [
        Comparison(what=f"eigenvalue of degree {degree}, d = 10", here=spectra[10][degree], low=a - b, high=a + b)
        for degree, (a, b) in _KNOWN.items()
        if 10 in spectra
    ]
    d = min(spectra)
    for degree, name in enumerate(("largest eigenvalue of drawn neurons' Gram", f"mean of the next {d}")):
        ratio = sampled[degree] / spectra[d][degree]
        found.append(Comparison(what=f"{name}, over λ{'₀₁'[degree]}", here=ratio, low=1 - _TOLD, high=1 + _TOLD))
    return found


def _of_variance(rows: Sequence[Mapping[str, Scalar]]) -> list[Comparison]:
    """Which models reach the bound, which come near, and how all that compares with parities."""

    def of(targets: str, model: str) -> tuple[Array, Array]:
        some = [row for row in rows if row["targets"] == targets and row["model"] == model]
        return numbers(some, "dim"), numbers(some, "value")

    d, values = of(_CLASSES[0], _MODELS[0])
    reached = 4 * d * values
    found = [
        Comparison(
            what="4 d Var/G² of neurons, linear model: farthest from 1",
            here=float(reached[np.abs(reached - 1).argmax()]),
            low=1 - _TOLD,
            high=1 + _TOLD,
        )
    ]
    d, values = of(_CLASSES[0], _MODELS[1])
    for what, here in (("least", (4 * d * values).min()), ("largest", (4 * d * values).max())):
        found.append(
            Comparison(what=f"4 d Var/G² of neurons, network: {what}", here=float(here), low=0.25, high=1 + _TOLD)
        )
    if len(d) > 1:
        slope = float(np.polyfit(np.log(d), np.log(values), 1)[0])
        found.append(Comparison(what="exponent of d in it (parities: 2⁻ᵈ)", here=slope, low=-1.2, high=-0.8))
    norms = numbers([row for row in rows if row["targets"] == _CLASSES[1]], "norm")
    found.append(
        Comparison(
            what=f"bound for depth-2 networks at d = {d[-1]:g}: λ₀ over 1/(2π)",
            here=float(norms[-1]) * 2 * math.pi,
            low=1.0,
            high=1 + 1 / d[-1],
        )
    )
    d, values = of(_CLASSES[1], _MODELS[1])
    found.append(
        Comparison(
            what="Var/G² of depth-2 networks, over 2⁻ᵈ of the parities: least",
            here=float((values * 2.0**d).min()),
            low=10.0,
        )
    )
    return found


def _of_training(learned: Mapping[str, Sequence[tuple[int, float]]], rest: float) -> list[Comparison]:
    """Networks are learned beyond their linear part, parities are not."""
    ends = {name: points[-1][1] for name, points in learned.items()}
    return [
        Comparison(what=f"relative error, {name}", here=error, low=0.95, high=1.3)
        if name.startswith("parity")
        else Comparison(what=f"relative error, {name}", here=error, low=0.0, high=rest / 2)
        for name, error in ends.items()
    ]
