"""Soft attention hardly sees one symbol of n: its output moves by O(1/n), and on parity it falls back to chance.

Paper: Hahn, "Theoretical Limitations of Self-Attention in Neural Sequence Models" (arXiv 1906.06755). Lemma 5:
exchanging one input symbol, not the last, changes what soft attention computes at the last position by O(1/n), with a
constant that depends on the weights alone. Theorem 6: so the cross-entropy on parity converges to that of chance.

Here: one head of fixed weights with |logits| <= A and |values| <= D, whose change is at most 2 D e^{2A}/n. Flipping a
symbol flips the parity, so that two inputs share the loss: the cross-entropy is at least log(1 + e^{-c/2}), c the mean
change. Heads at random weights stay far below the constant, their changes falling like 1/n (exponents -1.00 and -1.02);
a head made for it reaches n/(n + e^{2A} - 1) of the constant. Trained on the parity of n bits (2000 steps), attention
learns n = 2 and 3 and is at chance at 12. That is not the lemma's doing: at the weights where training begins its
constant is so large that it forbids nothing. It is the gradient's: Var/G^2 over the 2^n parities falls like 2^-n.

They differ: the paper has many layers and no constants; here is one layer, with an explicit constant. Its statement is
about fixed weights and n to infinity, not about what is learned at small n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex

import numpy as np

from ..classes.parities import Parities
from ..core.arguments import Array, SeedLike, seed_of
from ..models.attention import Attention
from ..results.table import Scalar
from ..verbs.check import bound_check
from ..verbs.population_loss import population_loss
from .reproduction.figure import log_axis, panels, style
from .reproduction.result import Comparison, Reproduction, exact, numbers
from .training.run import descend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType(
    {"lengths": (16, 32, 64, 128, 256, 512), "dims": (2, 4, 6, 8, 10), "trained": (2, 3, 4, 12)}
)
CHANCE = math.log(2)
"""The cross-entropy of predicting 0, in nats."""

_HEADS = ("no positions", "random positions", "made for it")
_SPREAD = 10.0
"""How many times its mean ||s||^2 may be at the point (1, ..., 1), which all parities agree on."""
_BLOCK = 64


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AttentionResult(Reproduction):
    """A row on what an exchanged symbol changes for each head and n: change, largest, constant, cross_entropy, floor.

    Attributes
    ----------
    trained : dict of int to (float, float, float)
        For each n the cross-entropy after training on parity, the accuracy, and the lemma's floor at the first weights.
    variance : dict of int to float
        For each n Var/G^2 over the 2^n parities, of the head with random positions.
    """

    trained: Mapping[int, tuple[float, float, float]]
    variance: Mapping[int, float]

    def plot(self) -> list[Axes]:
        """Draw the change over n with its constant, the cross-entropy on parity with its floor, and the variance."""
        axes = panels(3, width=4.6)
        for i, name in enumerate(_HEADS):
            rows = [row for row in self.rows if row["head"] == name]
            n = numbers(rows, "n")
            axes[0].loglog(n, numbers(rows, "change"), label=f"{name}, mean", **style(i))
            axes[0].loglog(n, numbers(rows, "largest"), color=style(i)["color"], marker=style(i)["marker"], ls="", ms=3)
        axes[0].loglog([], [], label="largest of the sample", color="0.4", marker="o", ls="", ms=3)
        axes[0].loglog(n, numbers(rows, "constant"), label="Lemma 5: 2 D e²ᴬ/n", color="0.6", linewidth=5, alpha=0.5)
        log_axis(axes[0], n)
        axes[0].set(xlabel="number of symbols n", ylabel="change of the output by one symbol")
        axes[1].semilogx(
            n, numbers(rows, "floor"), label="Lemma 5: no head with A, D is below", color="0.6", linewidth=5
        )
        first = [row for row in self.rows if row["head"] == _HEADS[1]]
        axes[1].semilogx(n, numbers(first, "cross_entropy"), label=f"{_HEADS[1]}, as drawn", **style(1))
        losses = [loss for loss, _, _ in self.trained.values()]
        axes[1].semilogx(list(self.trained), losses, label="trained at this n, A and D free", **style(2))
        axes[1].axhline(CHANCE, label="chance: log 2", color="k", linestyle=":")
        axes[1].set(xlabel="number of symbols n", ylabel="cross-entropy on their parity (nats)", ylim=(-0.03, 1.0))
        dims = list(self.variance)
        axes[2].semilogy(dims, list(self.variance.values()), label="Var/G² over the 2ⁿ parities, exact", **style(0))
        axes[2].semilogy(dims, [2.0**-n for n in dims], label="Theorem 1: 2⁻ⁿ", color="0.6", linewidth=5, alpha=0.5)
        axes[2].semilogy(dims, [1 / n for n in dims], label="1/n, the order of Lemma 5", **style(1))
        axes[2].set(xlabel="number of symbols n", ylabel="Var/G²")
        for ax in axes:
            ax.legend(fontsize=7)
        return axes


def run(
    lengths: Sequence[int] = (16, 32, 64, 128, 256, 512, 1024, 2048),
    A: SupportsFloat = 1.0,
    D: SupportsFloat = 1.0,
    width: int = 16,
    pairs: int = 1024,
    dims: Sequence[int] = (2, 4, 6, 8, 10, 12, 14, 16),
    trained: Sequence[int] = (2, 3, 4, 6, 8, 12),
    steps: SupportsIndex = 2000,
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> AttentionResult:
    """Measure by how much one of n symbols moves a head of soft attention, and what that leaves of parity.

    Parameters
    ----------
    lengths : sequence of int
        Numbers of symbols n for the lemma, increasing.
    A, D : float
        Bounds on the logits and on the values of the head, which it has at the largest n.
    width : int
        Of the embeddings.
    pairs : int
        Inputs of each length, uniform; in each one symbol is exchanged, at a uniform position that is not the last.
    dims : sequence of int
        Numbers of symbols for the variance over all parities, exact.
    trained : sequence of int
        Numbers of symbols for which four heads are trained on the parity, by Adam on fresh batches of 64.
    steps : int
        Steps of such a training.
    rng : int, SeedSequence, Generator or None
        Source of weights and inputs.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    AttentionResult
        `.rows`, `.comparisons`, `.trained`, `.variance`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> run(lengths=[16, 64], pairs=256, dims=[4, 8], trained=[2, 12], steps=500)
    AttentionResult(9 of 9 numbers as claimed, rng=0)
    """
    from ..core.bars import tqdm

    seed, logit, value = seed_of(rng), float(A), float(D)
    heads = _heads(max(lengths), width, logit, value, seed)
    rows = [
        _row(name, n, _of_length(head, n), logit, value, pairs, seed)
        for n in tqdm(lengths, unit="length", disable=not progress)
        for name, head in zip(_HEADS, heads, strict=True)
    ]
    variance = {}
    for n in tqdm(dims, unit="dimension", disable=not progress):
        check = bound_check(Parities(n), _of_length(heads[1], n), "logistic", rng=seed)
        # the logistic loss has b = -1/2: its variance is a quarter
        variance[n] = 4 * exact(check.variance).value / check.gradient_norm_sq.value
    found = {n: _trained(n, width, steps, seed) for n in tqdm(trained, unit="training", disable=not progress)}
    return AttentionResult(
        rows=tuple(rows),
        comparisons=(*_of_lemma(rows, logit), *_of_parity(found, variance)),
        notes=(
            f"A = {logit:g}, D = {value:g}: |logits| <= A, |values| <= D. The last symbol asks, and may matter more.",
            "At small n the lemma does not keep attention from parity; the gradient's variance 2^-n does.",
        ),
        seed=seed,
        trained=MappingProxyType(found),
        variance=MappingProxyType(variance),
    )


def bounds(head: Attention) -> tuple[Array, Array]:
    """Return A and D of each head, the largest |logit| and |value| over all symbols -1, +1 at all positions."""
    z = np.stack([head.positions + sign * head.embedding[:, 0] for sign in (-1.0, 1.0)])
    shape = (2, head.length, head.heads, head.width // head.heads)
    query, key, value = ((z @ weights.T).reshape(shape) for weights in (head.query, head.key, head.value))
    logits = np.einsum("ahi,bthi->habt", query[:, -1], key) / math.sqrt(shape[-1])
    values = np.einsum("hi,bthi->hbt", head.output_weights.reshape(shape[2:]), value)
    return np.abs(logits).max(axis=(1, 2, 3)), np.abs(values).max(axis=(1, 2))


def _heads(longest: int, width: int, logit: float, value: float, seed: int) -> list[Attention]:
    """One head without positions, one with, and one that the lemma's constant is about; bounded by A and D."""
    drawn = Attention.random(longest, width, rng=seed, bias=False)
    heads = []
    for positions in (np.zeros_like(drawn.positions), drawn.positions):
        rest = drawn.key, drawn.value
        largest, of_values = bounds(Attention(drawn.embedding, positions, drawn.query, *rest, drawn.output_weights))
        query, output = drawn.query * (logit / largest[0]), drawn.output_weights * (value / of_values[0])
        heads.append(Attention(drawn.embedding, positions, query, *rest, output))
    # z_t = (x_t, s_t), s = (1, -1, ..., -1): logit A at the first position, -A at all others; value D x_t
    s = np.where(np.arange(longest) == 0, 1.0, -1.0)
    positions, on_s = np.stack([np.zeros(longest), s], axis=1), np.diag([0.0, 1.0])
    made = Attention([[1.0], [0.0]], positions, -math.sqrt(2) * logit * on_s, on_s, np.diag([1.0, 0.0]), [value, 0.0])
    return [*heads, made]


def _of_length(head: Attention, n: int) -> Attention:
    """The head with its weights for n symbols: the first n - 1 positions, and the last."""
    positions = np.concatenate([head.positions[: n - 1], head.positions[-1:]])
    return Attention(head.embedding, positions, head.query, head.key, head.value, head.output_weights)


def _row(name: str, n: int, head: Attention, A: float, D: float, pairs: int, seed: int) -> dict[str, Scalar]:
    """Changes of the output over pairs of inputs that differ in one symbol, and the loss on the parity of both."""
    source = np.random.default_rng([seed, n])
    before, after, parity = [], [], []
    for start in range(0, pairs, _BLOCK):
        x = source.choice([-1.0, 1.0], (min(_BLOCK, pairs - start), n))
        parity.append(x.prod(axis=1))
        before.append(head.predict(x))
        # the head made for it looks at the first
        at = 0 if name == _HEADS[2] else source.integers(n - 1, size=len(x))
        x[np.arange(len(x)), at] *= -1
        after.append(head.predict(x))
    p, q, y = (np.concatenate(part) for part in (before, after, parity))
    change, constant = np.abs(p - q), 2 * D * math.exp(2 * A) / n
    return {
        "head": name,
        "n": n,
        "change": float(change.mean()),
        "largest": float(change.max()),
        "constant": constant,
        # log(1 + e^{-yp}) at x and log(1 + e^{yq}) at its neighbour
        "cross_entropy": float(np.logaddexp(0, -y * p).mean() + np.logaddexp(0, y * q).mean()) / 2,
        "floor": _floor(constant),
    }


def _floor(change: float) -> float:
    """The least cross-entropy on parity where one symbol moves the output by so much: log(1 + e^{-c/2})."""
    return math.log1p(math.exp(-change / 2))


def _trained(n: int, width: int, steps: SupportsIndex, seed: int) -> tuple[float, float, float]:
    """Cross-entropy and accuracy after training four heads on n bits, and the lemma's floor at the start."""
    parity = Parities(n).member([True] * n)
    start = Attention.random(n, width, heads=4, rng=seed)
    model = descend(parity, start, "logistic", optimizer="adam", learning_rate=0.01, batch=64, steps=steps, rng=seed)
    A, D = bounds(start)
    loss = population_loss(parity, model.model, "logistic", rng=seed).value
    return loss, float(model.accuracies[-1]), _floor(float(np.sum(2 * D * np.exp(2 * A))) / n)


def _of_lemma(rows: Sequence[Mapping[str, Scalar]], A: float) -> list[Comparison]:
    """The constant of Lemma 5, how sharp it is, the fall with n, and the floor of the cross-entropy."""
    n: list[float] = numbers([row for row in rows if row["head"] == _HEADS[0]], "n").tolist()
    found = [
        Comparison(
            what="largest change by one symbol over 2 D e²ᴬ/n, any head and n",
            here=float((numbers(rows, "largest") / numbers(rows, "constant")).max()),
            low=0.0,
            high=1.0,
            paper="O(1/n)",
        )
    ]
    for name in _HEADS[:2]:
        change = numbers([row for row in rows if row["head"] == name], "change")
        # means over n symbols fluctuate by n^{-1/2}, most at the first length: twice that is accepted there
        loose = 2 * n[0] ** -0.5 / math.log(n[-1] / n[0])
        slope = float(np.polyfit(np.log(n), np.log(change), 1)[0])
        what = f"exponent of n in the mean change, {name}"
        found.append(Comparison(what=what, here=slope, low=-1 - loose, high=-1 + loose, paper=-1.0))
    # alpha = e^A/(e^A + (n - 1) e^{-A}) on the first symbol, which moves the output by 2 D alpha
    share, last = n[-1] / (n[-1] + math.expm1(2 * A)), rows[-1]
    sharp = float((numbers([last], "largest") / numbers([last], "constant"))[0])
    what = f"the head made for it: change over 2 D e²ᴬ/n, n = {n[-1]:g}"
    found.append(Comparison(what=what, here=sharp, low=share * (1 - 1e-9), high=share * (1 + 1e-9)))
    entropy, floor = numbers(rows, "cross_entropy"), numbers(rows, "floor")
    what = "least cross-entropy on parity over its floor log(1 + e^(-change/2))"
    found.append(Comparison(what=what, here=float((entropy / floor).min()), low=1.0))
    return found


def _of_parity(trained: Mapping[int, tuple[float, float, float]], variance: Mapping[int, float]) -> list[Comparison]:
    """Comparisons of training on parity with the lemma and with Theorem 1."""
    short, long = min(trained), max(trained)
    n = max(variance)
    return [
        Comparison(what=f"cross-entropy on parity, trained, n = {short}", here=trained[short][0], low=0.0, high=0.05),
        Comparison(
            what=f"cross-entropy on parity, trained, n = {long}",
            here=trained[long][0],
            low=0.95 * CHANCE,
            high=1.05 * CHANCE,
            paper="log 2 = .6931 as n grows",
        ),
        Comparison(
            what=f"the lemma's floor where that training began, n = {long}", here=trained[long][2], low=0.0, high=0.05
        ),
        # all 2^n parities: Var = E||s||^2 2^-n - ||s(1, ..., 1)||^2 4^-n
        Comparison(
            what=f"2ⁿ × Var/G² over all parities, n = {n}",
            here=2.0**n * variance[n],
            low=max(1 - _SPREAD / 2**n, 0.5),
            high=1.0,
            paper="<= 1",
        ),
    ]
