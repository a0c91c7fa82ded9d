"""The proof of Theorem 1, line by line, with its numbers: what each inequality gives away, for any class and model.

Paper: Shalev-Shwartz, Shamir, Shammah, "Failures of Gradient-Based Deep Learning" (arXiv 1703.07950), Theorem 1:
Var(H, F, w) <= G^2/|H| for an orthonormal class. With s = b(p) dp/dw, dloss/dp = a(p) + h b(p), |b| <= L, it is

    Var = E_h ||E[(h - m) s]||^2 <= E_h ||E[h s]||^2 <= E||s||^2/|H| <= L^2 G^2/|H|:

the mean m = E_h h is the best centre; Bessel's inequality for each weight; the slope of the loss.

Here: each line as a number, from the verbs, for your own H and model, or else for all 2^10 parities and for those of
degree 3; its gap is the factor by which it exceeds the line before. Of all parities Bessel's inequality is an equality,
since they are a basis, and centring costs one point of 2^10. Of those of degree 3 (hinge, seed 0) Bessel gives away a
factor of 191: the signal is mostly of other degrees. For a class that is not orthonormal the third line may be false;
lambda_max(Gram) E||s||^2/|H|, Bessel's inequality for any functions, takes its place.

They differ: the paper prints the parity as (-1)^<x, v> beside inputs from {-1, +1}; that is (-1)^|v|, a constant, and
the class is of rank 1. On {0, 1} it is right, where the product in the printed orthogonality has factors
(1 + (-1)^(v_i + v'_i))/2. Products of coordinates on {0, 1} are not orthogonal either: E = 2^-|S or T|.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..classes import Parities, SparseParities
from ..classes.base import HypothesisClass, prior_of
from ..classes.finite import FiniteClass
from ..core.arguments import Array, SeedLike, seed_of
from ..core.numbers import exp2, json_number, log2_end
from ..estimation.settings import Settings
from ..losses import Loss
from ..models.mlp import MLP
from ..problem import AnyModel, Moment, Problem, hypothesis_class
from ..results.estimate import Estimate
from ..results.table import Scalar
from ..verbs.auto import as_method
from ..verbs.check import bound_check, check_bounds
from ..verbs.variance import estimate
from .reproduction.figure import panels, style
from .reproduction.result import Comparison, Reproduction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({})
"""The full settings take a second."""

_BITS = 4
_CODINGS = ("prod x_i on {-1, +1}", "(-1)^<x, v> on {-1, +1}", "prod x_i on {0, 1}", "(-1)^<x, v> on {0, 1}")
_LINES = {
    "Var": "E_h ||E[(h - m) s]||²",
    "without the class mean": "E_h ||E[h s]||²",
    "Bessel": "E||s||²/|H|",
    "slope of the loss": "L² G²/|H|",
}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ProofResult(Reproduction):
    """The lines of the proof; a row for each class and line: class, line, formula, value, log2, gap."""

    grams: Mapping[str, Array]

    def plot(self) -> list[Axes]:
        """Draw the lines of the proof with their gaps, and the Gram matrix of the parities under three codings."""
        axes = panels(1 + len(self.grams), width=5.2, height=4.2)
        for i, name in enumerate(dict.fromkeys(str(row["class"]) for row in self.rows)):
            rows = [row for row in self.rows if row["class"] == name and row["line"] in _LINES]
            known = [(row["log2"], y, row["gap"]) for y, row in enumerate(rows) if isinstance(row["log2"], float)]
            axes[0].plot([x for x, *_ in known], [y for _, y, _ in known], label=name, **style(i))
            for x, y, gap in known:
                if isinstance(gap, float):
                    axes[0].annotate(f"×{gap:.5g}", (x, y), (6, 3), textcoords="offset points", fontsize=8)
        axes[0].set_yticks(range(len(_LINES)), [f"{row['line']}\n{row['formula']}" for row in rows], fontsize=8)
        axes[0].set(xlabel="log₂ of the line; ×, its factor over the line before", title="The proof, line by line")
        axes[0].invert_yaxis()
        axes[0].margins(x=0.3, y=0.25)
        axes[0].legend(fontsize=8, loc="lower left")
        for ax, (name, gram) in zip(axes[1:], self.grams.items(), strict=True):
            image = ax.imshow(gram, cmap="gray_r", vmin=-1, vmax=1)
            ax.grid(visible=False)
            ax.set_title(f"E h h′ of all sets of {_BITS} bits:\n{name}", fontsize=9)
            ax.set(xlabel="number of the set v′", ylabel="number of the set v")
            ax.figure.colorbar(image, ax=ax, shrink=0.8)
        return axes


def run(
    H: HypothesisClass | None = None,
    model: AnyModel | None = None,
    loss: str | Loss = "hinge",
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> ProofResult:
    """Put a number to each line of the proof of Theorem 1.

    Parameters
    ----------
    H : HypothesisClass, optional
        Your class; None takes all parities of 10 bits, and those of degree 3.
    model : Model, optional
        Your model at its weights; None is the paper's network, d - 10 d relu - 1, at most 512 wide.
    loss : str or Loss
        As for `bound_check`.
    rng : int, SeedSequence, Generator or None
        Source of the weights, and of samples where a line is not exact.
    progress : bool
        Whether to show a bar for each estimate.

    Returns
    -------
    ProofResult
        `.rows`, `.comparisons`, `.grams`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> import gradvar as gv
    >>> run(gv.SparseParities(8, 2), gv.MLP.random([8, 4, 1], rng=0))
    ProofResult(10 of 10 numbers as claimed, rng=0)
    """
    seed, codings = seed_of(rng), _codings()
    settings = Settings.checked(0.1, 0.95, None, seed, None, progress)
    rows: list[dict[str, Scalar]] = []
    comparisons: list[Comparison] = []
    notes: list[str] = []
    for one in (Parities(10), SparseParities(10, 3)) if H is None else (H,):
        dim = hypothesis_class(one).inputs.dim
        sizes = [dim, min(10 * dim, 512), getattr(one, "n_outputs", 1)]
        network = MLP.random(sizes, "relu", seed) if model is None else model
        found = _proof(Problem(one, network, loss), settings)
        rows, comparisons, notes = rows + found[0], comparisons + found[1], notes + found[2]
    return ProofResult(
        rows=tuple(rows),
        comparisons=(*comparisons, *_of_codings(codings, seed)),
        notes=tuple(notes),
        seed=seed,
        grams=MappingProxyType({name: coded.gram() for name, coded in codings.items()}),
    )


class _Line(NamedTuple):
    """A line of the proof: log2 of its number, and of the ends of its interval."""

    name: str
    formula: str
    log2: float
    low: float
    high: float

    @classmethod
    def of(cls, name: str, formula: str, found: Estimate, log2_factor: float) -> _Line:
        """A number times a power of two."""
        low, high = (log2_factor + log2_end(end, found.exponent) for end in found.mantissa_interval)
        return cls(name, formula, log2_factor + (found.log2 if found.resolved else math.nan), low, high)


def _proof(problem: Problem, settings: Settings) -> tuple[list[dict[str, Scalar]], list[Comparison], list[str]]:
    """The lines of the proof for one problem: rows, comparisons and notes."""
    H, method, name = problem.hypotheses, as_method("auto"), problem.descriptions["class"]
    second, mean = (
        estimate(Problem(H, problem.model, problem.loss, moment), method, settings)
        for moment in (Moment.SECOND, Moment.MEAN)
    )
    check = check_bounds(problem, method, settings)
    variance, theorem = check.variance, check.bounds["theorem-1"]
    slope, whole = problem.loss.lipschitz, theorem.log2_constant  # log2 of L^2/|H|
    share = whole - 2 * math.log2(slope) if math.isfinite(slope) else whole
    ends = [(variance, 0.0), (second, 0.0), (check.signal_norm_sq, share), (check.gradient_norm_sq, whole)]
    # of members with probabilities pi, max_i pi_i stands for 1/|H|
    weighted = {f"{f}/|H|": f"max_i pi_i {f}" for f in ("E||s||²", "L² G²")} if prior_of(H) is not None else {}
    formulas = [weighted.get(formula, formula) for formula in _LINES.values()]
    named = zip(_LINES, formulas, ends, strict=True)
    lines = [_Line.of(line, formula, *number) for line, formula, number in named]
    norm = check.bounds["operator-norm-uncentred"]
    repaired = _Line("Bessel, any class", norm.formula.replace("^2", "²"), norm.log2, *norm.log2_interval)
    rows, comparisons = [_row(name, lines[0], math.nan)], []
    for before, line in ((lines[0], lines[1]), (lines[1], lines[2]), (lines[2], lines[3]), (lines[1], repaired)):
        gap = exp2(line.log2 - before.log2)
        rows.append(_row(name, line, gap))
        comparisons.append(
            Comparison(
                what=f"{name}: {line.formula} over {before.formula} ({line.name})",
                here=gap,
                # refuted where even the upper end of this line is below the lower end of the one before
                low=0.0 if before.low == -math.inf else gap * exp2(before.low - line.high),
                # all parities are a basis: Parseval
                high=1 + 1e-9 if line is lines[2] and type(H) is Parities and second.exact else math.inf,
                paper=">= 1",
            )
        )
    if variance.exact and second.exact and mean.exact and second > 0:
        parts = variance / second + mean / second
        width = sum(part / second * _width(part) for part in (variance, mean, second)) + 1e-12
        comparisons.append(
            Comparison(
                what=f"{name}: Var + ||E[m s]||² over E_h ||E[h s]||²", here=parts, low=1 - width, high=1 + width
            )
        )
    failed = [
        f"{name}: {a.name} {a.status}, {a.evidence}" for a in check.assumptions if a.status in ("failed", "unknown")
    ]
    return rows, comparisons, failed


def _width(found: Estimate) -> float:
    """The relative width of an interval."""
    low, high = found.mantissa_interval
    return (high - low) / found.mantissa if found.mantissa else 0.0


def _row(name: str, line: _Line, gap: float) -> dict[str, Scalar]:
    value, log2 = json_number(exp2(line.log2)), json_number(line.log2)
    return {
        "class": name,
        "line": line.name,
        "formula": line.formula,
        "value": value,
        "log2": log2,
        "gap": json_number(gap),
    }


def _codings() -> dict[str, FiniteClass]:
    """The functions of all sets v of a few bits under three codings of v and x, as classes on their 2^d inputs."""
    bits = (np.arange(2**_BITS)[:, None] >> np.arange(_BITS)) & 1
    signs = 1 - 2 * bits

    def products(x: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        # prod_i x_i^v_i
        return np.asarray(np.where(bits[:, None] == 1, x, 1).prod(axis=2))

    # (-1)^k = 1 - 2 (k mod 2), for negative k too
    tables = {
        _CODINGS[0]: (products(signs), signs),
        _CODINGS[1]: (1 - 2 * (bits @ signs.T % 2), signs),
        _CODINGS[2]: (products(bits), bits),
        _CODINGS[3]: (1 - 2 * (bits @ bits.T % 2), bits),
    }
    return {name: FiniteClass(values, points) for name, (values, points) in tables.items()}


def _of_codings(codings: Mapping[str, FiniteClass], seed: int) -> list[Comparison]:
    """The largest eigenvalue of the Gram matrix, 1 of an orthonormal class, and what a constant class does to Var."""
    # a tensor power of [[1, 1/2], [1/2, 1/2]] where products are of bits
    known = (1.0, 2.0**_BITS, ((3 + math.sqrt(5)) / 4) ** _BITS, 1.0)
    found = [
        Comparison(
            what=f"{name}, {_BITS} bits: largest eigenvalue of E h h'",
            here=H.operator_norm(centred=False) * H.size,
            low=eigenvalue - 1e-9,
            high=eigenvalue + 1e-9,
            paper=1.0 if name == _CODINGS[1] else None,
        )
        for (name, H), eigenvalue in zip(codings.items(), known, strict=True)
    ]
    network = MLP.random([_BITS, 10 * _BITS, 1], "relu", seed)
    check = bound_check(codings[_CODINGS[1]], network, rng=seed)
    ratio = check.variance.value * 2**_BITS / check.gradient_norm_sq.value
    return [*found, Comparison(what=f"{_CODINGS[1]}: Var over G²/|H|, not bounded by 1", here=ratio, low=1.0)]
