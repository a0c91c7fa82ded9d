"""Hypothesis strategies for classes, models and losses: random, and shrinking toward the small and simple.

They need the package hypothesis (the extra `testing`). A property of Theorem 1 for your own model takes three lines:

    @given(H=strategies.orthonormal_sets())
    def test_theorem_1(H):
        check_theorem1(H, MyModel(H.inputs.dim)).raise_if_failed()
"""

from __future__ import annotations

import math

import numpy as np

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "gradvar.testing.strategies needs the package hypothesis: pip install 'gradient-variance[testing]'"
    ) from error

from ..classes import (
    BiasedParities,
    DiscreteLog,
    FiniteClass,
    LinearPeriodic,
    ModularMultiples,
    Parities,
    SparseParities,
)
from ..classes.base import HypothesisClass
from ..classes.inputs import FinitePoints, Hypercube
from ..classes.members.target_class import Restriction
from ..core.activations import ACTIVATIONS
from ..core.arguments import Array
from ..losses import LOSSES, Loss, MarginLoss
from ..models import MLP, Cosine, Linear, Model

_MOST_DIM, _MOST_POINTS, _MOST_MEMBERS = 4, 8, 6
_COORDINATES = st.integers(-3, 3).map(float)
_WEIGHTS = st.floats(-2, 2, width=16)
"""Weights of models: multiples of a small power of two, so that they shrink to round numbers and print short."""
_ANGLES = st.sampled_from([math.pi / 4, math.pi / 3, math.pi / 6, 1.0, 2.0])


@st.composite
def weighted_points(draw: st.DrawFn, n: int | None = None) -> FinitePoints:
    """Different points of R^dim with probabilities; n of them (1 to 8 by default), shrinking to one point at 0."""
    dim = draw(st.integers(1, _MOST_DIM))
    size = (1, _MOST_POINTS) if n is None else (n, n)
    row = st.tuples(*[_COORDINATES] * dim)
    points = draw(st.lists(row, min_size=size[0], max_size=size[1], unique=True))
    counts = draw(st.lists(st.integers(1, 4), min_size=len(points), max_size=len(points)))
    return FinitePoints(points, np.array(counts) / sum(counts))


@st.composite
def finite_classes(draw: st.DrawFn, labels: str | None = None) -> FiniteClass:
    """Tables of 1 to 6 functions on weighted points, of any values ("real"), -1 and +1 ("signs"), or either (None)."""
    inputs = draw(weighted_points())
    kind = labels if labels is not None else draw(st.sampled_from(["signs", "real"]))
    value = st.sampled_from([1.0, -1.0]) if _accepted(kind) == "signs" else st.integers(-4, 4).map(lambda k: k / 2)
    row = st.lists(value, min_size=inputs.n_points, max_size=inputs.n_points)
    return FiniteClass(draw(st.lists(row, min_size=1, max_size=_MOST_MEMBERS)), inputs)


@st.composite
def orthonormal_sets(draw: st.DrawFn, labels: str | None = None) -> FiniteClass:
    """Orthonormal functions on finitely many points: E h h' = 0 and E h^2 = 1, up to rounding.

    "signs": some of the parities of a small cube. "real": the indicators of weighted points, normalised, turned into
    each other by plane rotations, and the first few kept; shrinks to one constant function on one point. Else either.
    """
    kind = labels if labels is not None else draw(st.sampled_from(["signs", "real"]))
    if _accepted(kind) == "signs":
        dim = draw(st.integers(1, 3))
        H, cube = Parities(dim), Hypercube(dim)
        numbers = draw(st.lists(st.integers(0, 2**dim - 1), min_size=1, max_size=_MOST_MEMBERS, unique=True))
        points = cube.points(0, cube.n_points)
        return FiniteClass(H.evaluate(H.members()[numbers], points), points)
    inputs = draw(weighted_points())
    n = inputs.n_points
    values = np.diag(1 / np.sqrt(inputs.weights(0, n)))
    if n > 1:
        plane = st.lists(st.integers(0, n - 1), min_size=2, max_size=2, unique=True)
        for (i, j), angle in draw(st.lists(st.tuples(plane, _ANGLES), max_size=2 * n)):
            c, s = math.cos(angle), math.sin(angle)
            values[[i, j]] = np.array([[c, s], [-s, c]]) @ values[[i, j]]
    return FiniteClass(values[: draw(st.integers(1, n))], inputs)


@st.composite
def cube_parities(draw: st.DrawFn) -> Parities | SparseParities:
    """All parities, or those of one degree, in 1 to 4 dimensions."""
    dim = draw(st.integers(1, _MOST_DIM))
    degree = draw(st.none() | st.integers(0, dim))
    return Parities(dim) if degree is None else SparseParities(dim, degree)


@st.composite
def linear_periodic(draw: st.DrawFn) -> LinearPeriodic:
    """Cosine targets in 1 to 4 dimensions; infinite classes, on Gaussian inputs."""
    return LinearPeriodic(draw(st.integers(1, _MOST_DIM)), draw(st.sampled_from([1.0, 0.5, 2.0, 3.0])))


@st.composite
def modular(draw: st.DrawFn) -> ModularMultiples | DiscreteLog:
    """Multiples modulo a small prime under a cosine, and discrete logarithms modulo one."""
    p = draw(st.sampled_from([3, 2, 5, 7, 11]))
    return DiscreteLog(p) if draw(st.booleans()) else ModularMultiples(p)


@st.composite
def biased_parities(draw: st.DrawFn) -> BiasedParities:
    """Parities of all sets or of one size on a biased cube in 1 to 4 dimensions, normalised or not."""
    dim, bias = draw(st.integers(1, _MOST_DIM)), draw(st.sampled_from([0.5, 0.0, -0.6, 0.99]))
    return BiasedParities(dim, bias, draw(st.none() | st.integers(0, dim)), draw(st.booleans()))


@st.composite
def restrictions(draw: st.DrawFn) -> Restriction:
    """A few members of a class of parities, some of them perhaps more than once."""
    H = draw(st.one_of(cube_parities(), biased_parities()))
    return Restriction(H, draw(st.lists(st.integers(0, H.size - 1), min_size=1, max_size=_MOST_MEMBERS)))


def hypothesis_classes() -> st.SearchStrategy[HypothesisClass]:
    """Classes of the library and tables of functions; orthonormal ones among them."""
    return st.one_of(_CLASSES)


_CLASSES: list[st.SearchStrategy[HypothesisClass]] = [
    cube_parities(),
    finite_classes(),
    orthonormal_sets(),
    linear_periodic(),
    modular(),
    biased_parities(),
    restrictions(),
]
"""The strategies that `hypothesis_classes` draws from."""


@st.composite
def models(draw: st.DrawFn, dim: int) -> Model:
    """Linear and cosine models and networks of 1 to 3 layers in `dim` dimensions; weights in [-2, 2]."""
    kind = draw(st.sampled_from(["linear", "cosine", "network"]))
    if kind != "network":
        weights = draw(_vectors(dim))
        return Linear(weights) if kind == "linear" else Cosine(weights)
    sizes = [dim, *draw(st.lists(st.integers(1, 3), max_size=2)), 1]
    bias = draw(st.booleans())
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    layers = [draw(_vectors(out * fan_in)).reshape(out, fan_in) for out, fan_in in shapes]
    biases = [draw(_vectors(out)) for out, _ in shapes] if bias else None
    return MLP(layers, biases, draw(st.sampled_from(list(ACTIVATIONS))))


def losses(labels: str | None = None) -> st.SearchStrategy[str | Loss]:
    """Losses that accept `labels`, "real" or "signs" (the default: any loss); shrinking to "square"."""
    if labels is not None and _accepted(labels) == "real":
        return st.sampled_from([name for name, loss in LOSSES.items() if loss.labels == "real"])
    return st.one_of(
        st.sampled_from([name for name, loss in LOSSES.items() if loss.labels != "classes"]), margin_losses()
    )


@st.composite
def margin_losses(draw: st.DrawFn) -> MarginLoss:
    """Margin losses with r'(m) = L cos(f m + c): of any sign, nowhere monotone, with Lipschitz constant L."""
    lipschitz = draw(st.sampled_from([1.0, 0.5, 3.0]))
    frequency, phase = draw(st.integers(1, 2)), draw(st.integers(0, 2))

    def slope(margin: Array) -> Array:
        return np.asarray(lipschitz * np.cos(frequency * margin + phase))

    return MarginLoss(slope, lipschitz, f"r'(m) = {lipschitz:g} cos({frequency} m + {phase})")


@st.composite
def problems(
    draw: st.DrawFn, classes: st.SearchStrategy[HypothesisClass] | None = None
) -> tuple[HypothesisClass, Model, str | Loss]:
    """A class, a model on its inputs and a loss for its labels, as `bound_check` and `check_theorem1` take them."""
    H = draw(hypothesis_classes() if classes is None else classes)
    return H, draw(models(H.inputs.dim)), draw(losses(getattr(H, "labels", "real")))


def _vectors(size: int) -> st.SearchStrategy[Array]:
    return st.lists(_WEIGHTS, min_size=size, max_size=size).map(lambda w: np.array(w, dtype=np.float64))


def _accepted(labels: str) -> str:
    if labels not in ("signs", "real"):
        raise ValueError(f"`labels` must be 'signs', 'real' or None for either, got {labels!r}")
    return labels
