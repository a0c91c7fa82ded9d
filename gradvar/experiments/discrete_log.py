"""The lowest bit of x/a modulo a prime p: the gradient's variance is at most some 10/p of G^2, whatever the network.

Paper: Takhanov et al., "Gradient descent fails to learn high-frequency functions and modular arithmetic"
(arXiv 2310.01611). For h_a(x) = (-1)^(a^-1 x mod p), a in Z_p^*, x uniform on Z_p^* and seen by its bits, it proves
that Var/G^2 is at most of the order ln p/sqrt p, and measures the ratio for a sigmoid network, layers 1000-1000-1.

Here: Var/G^2 by the sum over all pairs of inputs, exact up to p = 2^14, and the operator norm of the class,
lambda_max/(p - 1), which bounds the ratio for every network. lambda_max grows slowly (5.1 at p = 101, 9.8 at p =
10 007), so that the bound is about 10/p where the paper proves ln p/sqrt p. Full settings (rng=0): 6.4e-7 at
p = 10 007.

They differ: the paper's script divides by the gradient of the probability rather than of the logit, which inflates the
ratio about 16 times (4^2, where the sigmoid has slope 1/4); G is the norm of the predictor's gradient, as in its text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..classes.modular import DiscreteLog
from ..core.arguments import SeedLike, seed_of
from ..models.mlp import MLP
from ..verbs.check import bound_check
from .reproduction.figure import panels, style
from .reproduction.result import Comparison, Reproduction, exact, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType({"primes": (17, 37, 101, 211, 401, 1009), "widths": (100, 100)})


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DiscreteLogResult(Reproduction):
    """Var/G^2 over primes, the class's own norm and the paper's; a row for each prime: p, ratio, norm, paper."""

    def plot(self) -> list[Axes]:
        """Draw Var/G^2, the operator norm and ln p/sqrt p over the primes."""
        axes = panels(2)
        p = numbers(self.rows, "p")
        words = {"ratio": "Var/G², exact", "norm": "operator norm of the class", "paper": "ln p/√p (paper)"}
        for ax, factor in zip(axes, (np.ones(len(p)), p), strict=True):
            for i, (name, label) in enumerate(words.items()):
                ax.loglog(p, factor * numbers(self.rows, name), label=label, **style(i))
            ax.set_xlabel("prime p")
        axes[0].set_ylabel("Var/G², and bounds on it")
        axes[1].set_ylabel("p × Var/G², and bounds on it")
        axes[0].legend(fontsize=8)
        return axes


def run(
    primes: Sequence[int] = (17, 37, 101, 211, 401, 1009, 2003, 4001, 10007),
    widths: Sequence[int] = (1000, 1000),
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> DiscreteLogResult:
    """Measure Var/G^2 of the discrete-log bits modulo each prime, exactly, for a random sigmoid network.

    Parameters
    ----------
    primes : sequence of int
        Odd primes. Each takes about p^2 sum(widths) multiplications.
    widths : sequence of int
        Hidden layers of the network.
    rng : int, SeedSequence, Generator or None
        Source of the weights.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    DiscreteLogResult
        `.rows`, `.comparisons`, `.plot()`, `.to_pandas()`; print it for the table.

    Examples
    --------
    >>> run(primes=[17, 37], widths=[8])
    DiscreteLogResult(3 of 3 numbers as claimed, rng=0)
    """
    from ..core.bars import tqdm

    seed, rows = seed_of(rng), []
    for p in tqdm(primes, unit="prime", disable=not progress):
        H = DiscreteLog(p)
        model = MLP.random([H.inputs.dim, *widths, 1], "sigmoid", seed)
        check = bound_check(H, model, "correlation", method="covariance-sum", rng=seed)
        ratio = exact(check.variance).value / exact(check.gradient_norm_sq).value
        paper = math.log(p) / math.sqrt(p)
        rows.append({"p": p, "ratio": ratio, "norm": H.operator_norm(), "paper": paper})
    known = {101: 5.096638, 1009: 8.641553, 10007: 9.785119}
    eigenvalues = [
        Comparison(
            what=f"top Gram eigenvalue, p = {p}",
            here=row["norm"] * (p - 1),
            low=known[p] - 1e-6,
            high=known[p] + 1e-6,
        )
        for row in rows
        if (p := int(row["p"])) in known
    ]
    largest = max(row["ratio"] * row["p"] for row in rows)
    return DiscreteLogResult(
        rows=tuple(rows),
        comparisons=(
            Comparison(what="Var/G² is at most the operator norm", here=all(r["ratio"] <= r["norm"] for r in rows)),
            Comparison(what="that norm is below ln p/√p", here=all(r["norm"] < r["paper"] for r in rows)),
            Comparison(what="largest p × Var/G²", here=largest, low=0.0, high=max(r["norm"] * r["p"] for r in rows)),
            *eigenvalues,
        ),
        notes=("The paper's script divides by the probability's gradient, which inflates its ratio about 16 times.",),
        seed=seed,
    )
