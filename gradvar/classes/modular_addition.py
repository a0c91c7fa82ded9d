"""Modular addition: the sum of multiples of two residues, as a class label."""

from __future__ import annotations

from typing import SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, generator, inputs_of, integer
from ..core.errors import ShapeError
from ..core.primes import prime
from .inputs import FinitePoints
from .members.target import Members
from .members.target_class import TargetClass

_MOST = 512
"""The largest prime: its inputs take 2 GiB."""


class ModularAddition(TargetClass):
    r"""The functions h_ab(x_1, x_2) = a x_1 + b x_2 mod p, a and b in 1..p-1, p prime, with class labels 0..p-1.

    All p^2 pairs (x_1, x_2) are equally likely, and each is seen as two one-hot vectors: 2p inputs. Two members agree
    at exactly 1/p of the pairs, so that their unit vectors less 1/p are orthogonal, with E||h - 1/p||^2 = 1 - 1/p:
    Theorem 1 holds with (1 - 1/p) G^2/(p - 1)^2.

    Parameters
    ----------
    p : int
        A prime, 3 to 509.

    Raises
    ------
    ValueError, TypeError
        A composite, too small or too large p.

    Examples
    --------
    >>> import gradvar as gv
    >>> H = ModularAddition(7)
    >>> H.member([2, 3])(H.encode([[1, 1], [3, 5]]))
    array([5, 0])
    >>> model = gv.MLP.random([14, 8, 7], rng=0)
    >>> gv.bound_check(H, model, "cross-entropy").verdict
    'holds'
    """

    labels = "classes"
    is_orthonormal = True

    def __init__(self, p: SupportsIndex) -> None:
        self.p = self.n_outputs = prime("p", integer("p", p, 3, _MOST))
        first, second = np.divmod(np.arange(self.p**2), self.p)
        self.inputs = FinitePoints(self.encode(np.stack([first, second], axis=1)))
        self.size: int = (self.p - 1) ** 2
        self.second_moment = 1 - 1 / self.p

    def __repr__(self) -> str:
        return f"ModularAddition(p={self.p})"

    @property
    def _key(self) -> int:
        return self.p

    @property
    def description(self) -> str:
        """The class in words."""
        return f"the {self.size:,} functions a x_1 + b x_2 mod {self.p}, a and b in 1..{self.p - 1}"

    @property
    def orthonormality(self) -> tuple[str, str]:
        """Unit vectors less 1/p of different members are orthogonal."""
        return "proved", f"two members agree at exactly 1/{self.p} of all pairs: E<h - 1/p, h' - 1/p> = 0"

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) matrix E<h - 1/p, h' - 1/p> over |H|: (1 - 1/p)/(p - 1)^2."""
        return self.second_moment / self.size

    def encode(self, residues: npt.ArrayLike) -> Array:
        """Return what a model sees of pairs (x_1, x_2), integers of shape (n, 2): two one-hot vectors, (n, 2p)."""
        pairs = np.asarray(residues)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
            raise ShapeError(f"`residues` must be integers of shape (n, 2), got {pairs.dtype} of shape {pairs.shape}")
        if pairs.size and (pairs.min() < 0 or pairs.max() >= self.p):
            raise ValueError(f"`residues` must be from 0 to {self.p - 1}, got {pairs.min()}..{pairs.max()}")
        return np.asarray(np.eye(self.p)[pairs].reshape(len(pairs), 2 * self.p))

    def members(self) -> Members:
        """Return all pairs (a, b), shape ((p - 1)^2, 2)."""
        return np.stack(np.divmod(np.arange(self.size), self.p - 1), axis=1) + 1

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Members:
        """Return m pairs (a, b) drawn independently, shape (m, 2)."""
        return generator(rng).integers(1, self.p, size=(integer("m", m, 0), 2))

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the class labels, integers of shape (m, n), of members (a, b), shape (m, 2), at inputs x (n, 2p)."""
        pairs, seen = self._checked(np.asarray(members)), inputs_of(x, 2 * self.p, repr(self))
        one_hot = seen.reshape(len(seen), 2, self.p)
        residues = one_hot.argmax(axis=2)
        if not np.array_equal(one_hot, np.eye(self.p)[residues]):
            row = int(np.argmin((one_hot == np.eye(self.p)[residues]).all(axis=(1, 2))))
            raise ValueError(
                f"`x` must hold two one-hot vectors of {self.p} coordinates in each row, not so in row {row}"
            )
        return cast(Array, pairs @ residues.T % self.p)

    def _checked(self, rows: Members) -> Members:
        pairs = np.asarray(rows)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
            raise ShapeError(f"`members` must be integers (a, b) of shape (m, 2), got {pairs.dtype}, {pairs.shape}")
        if pairs.size and (pairs.min() < 1 or pairs.max() >= self.p):
            raise ValueError(
                f"`members` must be pairs of integers from 1 to {self.p - 1}, got {pairs.min()}..{pairs.max()}"
            )
        return pairs.astype(np.int64)
