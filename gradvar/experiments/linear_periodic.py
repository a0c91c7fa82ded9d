"""The target cos<v, x>: a landscape that is flat away from v, and a gradient that hardly knows v as d and |v| grow.

Paper: Shalev-Shwartz, Shamir and Shammah, "Failures of Gradient-Based Deep Learning" (arXiv 1703.07950), section 2.2.
Figure 2 draws F(w) = E(cos<w, x> - cos<v, x>)^2 for v = (2, 2), x ~ N(0, I): no local minimum but v and -v and, its
caption says, no saddle points, and yet so flat that gradient descent fails. Theorem 2: for v uniform on the sphere of
radius rho in R^d, Var is at most G^2 (exp(-Omega(d)) + exp(-Omega(rho))).

Here: F, its gradient and its Hessian in closed form; the critical points by Newton's method from a grid; Var, exact,
of a cosine and of a random tanh network, next to the theorem's bounds with their constants: the sharp one, lambda_2,
an explicit one, and Shamir's tail function.

They differ: there are two saddles, at +-(2, -2)/sqrt 3, where F is .0072 below the plateau. The sharp bound falls
like exp(-.62 d) where rho = sqrt d, Var of these two models faster; but at fixed d it falls as a power of rho,
rho^-(d-1), no faster: exp(-Omega(rho)) is
not seen, for exp(-Omega(d)) is there as well. The tail function enters with constants: alone it is no bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..bounds.theorem2 import Theorem2
from ..classes.linear_periodic import LinearPeriodic
from ..core.arguments import Array, SeedLike, seed_of
from ..models.base import Model
from ..models.linear import Cosine
from ..models.mlp import MLP
from ..results.table import Scalar
from ..verbs.check import bound_check
from .reproduction.figure import log_axis, panels, style
from .reproduction.result import Comparison, Reproduction, exact

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({"dims": (2, 5, 10, 20, 50), "radii": (0.5, 1.0, 2.0, 4.0), "width": 8})

_TARGET = np.array([2.0, 2.0])
_SERIES = ("rho = sqrt d", "rho = 2", "d = 10")
_WORDS = {
    "cosine": "cosine, |w| = 1",
    "network": "tanh network",
    "sharp": "sharp bound, λ₂",
    "explicit": "explicit bound",
    "tail": "Shamir's ε(ρ/2π), no constants",
}


def landscape(w: Array, v: Array) -> tuple[Array, Array, Array]:
    """Return F(w) = E(cos<w, x> - cos<v, x>)^2, its gradient and its Hessian at rows w (n, d), for x ~ N(0, I)."""
    identity = np.eye(w.shape[1])

    # u -> e^(-|u|^2/2), its gradient -u e^(-|u|^2/2) and its Hessian (u u^T - I) e^(-|u|^2/2)
    def bell(u: Array) -> tuple[Array, Array, Array]:
        value = np.exp(-0.5 * np.einsum("ni,ni->n", u, u))
        return value, -u * value[:, None], (u[:, :, None] * u[:, None, :] - identity) * value[:, None, None]

    # F(w) = 1 + e^(-2 |w|^2)/2 + e^(-2 |v|^2)/2 - e^(-|w - v|^2/2) - e^(-|w + v|^2/2)
    at_zero, at_v, at_minus_v = bell(2 * w), bell(w - v), bell(w + v)
    value, gradient, hessian = (
        2.0**order * a / 2 - b - c for order, (a, b, c) in enumerate(zip(at_zero, at_v, at_minus_v, strict=True))
    )
    return 1 + np.exp(-2 * v @ v) / 2 + value, gradient, hessian


def critical_points(v: Array, reach: float = 5.0) -> list[tuple[Array, str]]:
    """Return the critical points of F in a square and what each is, by Newton's method from a grid of starts."""
    w = _grid(reach, 61)
    for _ in range(50):
        # w <- w - H^-1 grad F, at most 1/2 at a time; on the plateau the step stays about 1/|w|
        _, gradient, hessian = landscape(w, v)
        singular = np.abs(np.linalg.det(hessian)) < 1e-200
        step = np.linalg.solve(np.where(singular[:, None, None], np.eye(2), hessian), gradient[:, :, None])[:, :, 0]
        length = np.linalg.norm(step, axis=1)
        w = w - step * np.minimum(1, 0.5 / np.maximum(length, 1e-300))[:, None]
    found = w[(length < 1e-9) & ~singular & (np.abs(w).max(axis=1) <= reach)]
    points = np.unique(np.round(found, 6) + 0.0, axis=0)
    points = np.array([found[np.abs(found - point).sum(axis=1).argmin()] for point in points])
    signs = np.linalg.eigvalsh(landscape(points, v)[2]) > 0
    kinds = {0: "maximum", 1: "saddle", 2: "minimum"}
    return [(point, kinds[int(positive)]) for point, positive in zip(points, signs.sum(axis=1), strict=True)]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LinearPeriodicResult(Reproduction):
    """log2 of Var/E||s||^2 over d and rho, and of the bounds: a row for each series, d and rho."""

    def plot(self) -> list[Axes]:
        """Draw the landscape as a surface, with its critical points, its gradient; Var and bounds over d and rho."""
        axes = panels(6)
        figure = axes[0].figure
        where = axes[0].get_subplotspec()
        axes[0].remove()
        solid = figure.add_subplot(where, projection="3d")
        axes[0] = solid
        side = np.linspace(-5, 5, 121)
        value, gradient, _ = landscape(_grid(5.0, 121), _TARGET)
        first, second = np.meshgrid(side, side, indexing="ij")
        surface, norms = value.reshape(first.shape), np.linalg.norm(gradient, axis=1).reshape(first.shape)
        solid.plot_surface(first, second, surface, cmap="cividis", rcount=60, ccount=60)
        solid.set_zlabel("F(w)")
        solid.set_title("F(w) = E(cos<w, x> - cos<v, x>)², v = (2, 2)", fontsize=10)
        axes[1].contour(first, second, surface, levels=20, colors="0.6", linewidths=0.7)
        marks = {"maximum": ("^", "#d55e00"), "saddle": ("X", "#0072b2"), "minimum": ("o", "#000000")}
        points = critical_points(_TARGET)
        for kind, (marker, colour) in marks.items():
            at = np.array([point for point, found in points if found == kind]).reshape(-1, 2)
            axes[1].plot(*at.T, marker, color=colour, label=f"{kind}: {len(at)}")
        axes[1].set_title("critical points of F", fontsize=10)
        axes[1].legend(fontsize=8)
        shade = axes[2].pcolormesh(first, second, np.log10(np.maximum(norms, 1e-12)), cmap="cividis", rasterized=True)
        figure.colorbar(shade, ax=axes[2], label="log₁₀ |grad F|")
        axes[2].set_title("gradient norm", fontsize=10)
        for ax in axes[:3]:
            ax.set_xlabel("w₁")
            ax.set_ylabel("w₂")
        for ax, series in zip(axes[3:], _SERIES, strict=True):
            rows = [row for row in self.rows if row["series"] == series]
            along = "rho" if series == "d = 10" else "d"
            for i, (name, label) in enumerate(_WORDS.items()):
                line = np.array([(row[along], row[name]) for row in rows], dtype=np.float64)
                ax.plot(*line.T, label=label, **style(i))
            if series != "rho = sqrt d":
                log_axis(ax, line[:, 0])
            ax.set_ylim(bottom=max(ax.get_ylim()[0], -150 if along == "rho" else -400))
            ax.set_xlabel("radius ρ of the targets" if along == "rho" else "dimension d")
            ax.set_ylabel("log₂ of Var/E||s||², and bounds")
            ax.set_title(series.replace("rho", "ρ").replace("sqrt ", "√"), fontsize=10)
        axes[3].legend(fontsize=8)
        return axes


def run(
    dims: Sequence[int] = (2, 5, 10, 20, 50, 100, 200),
    radii: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
    width: int = 16,
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> LinearPeriodicResult:
    """Find the critical points of the landscape in the plane, and Var over d and rho next to Theorem 2.

    Parameters
    ----------
    dims : sequence of int
        Dimensions d, for rho = sqrt d and for rho = 2.
    radii : sequence of float
        Radii rho, for d = 10.
    width : int
        Hidden units of the network.
    rng : int, SeedSequence, Generator or None
        Source of the network's weights.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    LinearPeriodicResult
        `.rows`, `.comparisons`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> run(dims=[2, 10], radii=[1.0, 2.0], width=2)
    LinearPeriodicResult(11 of 11 numbers as claimed, rng=0)
    """
    from ..core.bars import tqdm

    seed = seed_of(rng)
    along = [("rho = sqrt d", d, math.sqrt(d)) for d in dims]
    along += [("rho = 2", d, 2.0) for d in dims] + [("d = 10", 10, rho) for rho in radii]
    rows: list[dict[str, Scalar]] = []
    known: dict[tuple[str, int, float], float] = {}
    for series, d, rho in tqdm(along, unit="problem", disable=not progress):
        H, bound = LinearPeriodic(d, rho), Theorem2(d, rho)
        models: dict[str, Model] = {"cosine": Cosine(np.eye(d)[0]), "network": MLP.random([d, width, 1], rng=seed)}
        shares = {}
        for name, model in models.items():
            check = bound_check(H, model, rng=seed)
            shares[name] = exact(check.variance).log2 - check.signal_norm_sq.log2
            known[name, d, rho] = check.variance.value
        of_paper = {"sharp": bound.log2_sharp, "explicit": bound.log2_explicit, "tail": bound.log2_tail}
        rows.append({"series": series, "d": d, "rho": rho, **shares, **of_paper})
    variances = [
        Comparison(what=f"Var of cos<w, x>, |w| = 1, rho = 2, d = {d}", here=found, low=near - 5e-5, high=near + 5e-5)
        for d, near in ((2, 0.0433), (5, 0.0234), (10, 0.0117))
        if (found := known.get(("cosine", d, 2.0))) is not None
    ]
    return LinearPeriodicResult(
        rows=tuple(rows),
        comparisons=(*_of_landscape(), *variances, *_of_theorem(rows)),
        notes=(
            "Two saddles, which the paper's caption denies; it is right that there is no other local minimum.",
            "At fixed d the sharp constant falls like rho^-(d-1) only; the theorem's exp(-Omega(d)) allows for that.",
            "Table: log2 of Var/E||s||^2 of two models, and of the bounds on it. Shamir's tail comes with constants.",
        ),
        seed=seed,
    )


def _of_landscape() -> list[Comparison]:
    """What the figure says: critical points, and how flat F is away from them."""
    points = critical_points(_TARGET)
    saddles = np.array([point for point, kind in points if kind == "saddle"]).reshape(-1, 2)
    minima = [p for p, kind in points if kind == "minimum" and np.abs(np.abs(p) - _TARGET).max() > 1e-6]
    top = float(landscape(np.zeros((1, 2)), _TARGET)[0][0])
    height = float(landscape(saddles, _TARGET)[0].max()) if len(saddles) else math.nan
    corner = float(np.abs(saddles).max()) if len(saddles) else math.nan
    # |grad F| <= 2 |w| e^(-2 |w|^2) + |w - v| e^(-|w - v|^2/2) + |w + v| e^(-|w + v|^2/2), which fall from 1 on
    w = _grid(8.0, 161)
    far = np.min([np.linalg.norm(w - c * _TARGET, axis=1) for c in (-1, 0, 1)], axis=0) >= 4
    flat = float(np.linalg.norm(landscape(w[far], _TARGET)[1], axis=1).max())
    most = 8 * math.exp(-8) + 8 * math.exp(-32)
    return [
        Comparison(what="local minima of F apart from v and -v", here=len(minima), low=0, high=0, paper=0),
        Comparison(what="saddle points of F", here=len(saddles), low=2, high=2, paper=0),
        Comparison(what="their coordinates, +-", here=corner, low=2 / 3**0.5 - 1e-7, high=2 / 3**0.5 + 1e-7),
        Comparison(what="F at the saddles", here=height, low=0.99275813 - 5e-9, high=0.99275813 + 5e-9),
        Comparison(what="F at 0, the top", here=top, low=1.46336878 - 5e-9, high=1.46336878 + 5e-9),
        Comparison(what="largest |grad F| 4 or more from 0, v, -v", here=flat, low=0.0, high=most, paper="flat"),
    ]


def _of_theorem(rows: Sequence[Mapping[str, Scalar]]) -> list[Comparison]:
    """What Theorem 2 says: the bound, its decay with d, and with rho."""
    logs = np.array([[row[n] for n in ("cosine", "network", "sharp", "explicit")] for row in rows], dtype=np.float64)
    held = bool((logs[:, :2].max(axis=1) <= logs[:, 2]).all() and (logs[:, 2] <= logs[:, 3]).all())
    # lambda_0 = E e^(-d (1 - T)) where rho = sqrt d, T with the density (1 - t^2)^((d-3)/2): by Laplace's method
    # e^(-c d), c = 1 - t - log(1 - t^2)/2 at its least, t = 1 - t^2; factors that do not grow add O(1/d) to a slope
    t = (math.sqrt(5) - 1) / 2
    rate = 1 - t - math.log(1 - t * t) / 2
    slope = -(Theorem2(400, 20.0).log2_sharp - Theorem2(100, 10.0).log2_sharp) * math.log(2) / 300
    power = Theorem2(10, 64.0).log2_sharp - Theorem2(10, 32.0).log2_sharp
    return [
        Comparison(what="Var/E||s||^2 is at most lambda_2, and that at most the explicit bound", here=held),
        Comparison(
            what="c of lambda_2 = e^(-c d), rho = sqrt d", here=slope, low=rate - 0.01, high=rate + 0.01, paper="> 0"
        ),
        Comparison(what="a of lambda_2 = rho^a, d = 10, large rho", here=power, low=-9.05, high=-8.95),
    ]


def _grid(reach: float, count: int) -> Array:
    """Return the points of a grid on the square [-reach, reach]^2 as rows."""
    side = np.linspace(-reach, reach, count)
    return np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
