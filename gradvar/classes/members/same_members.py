"""Classes with the members of another: with labels that are flipped, or on a user's sample."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import SupportsFloat, SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, SeedLike, inputs_of, number
from ...core.errors import LabelError, NotApplicableError
from ..base import KnowsCovariance, KnowsMean, KnowsOperatorNorm
from ..gram.derived import frobenius_norm, operator_norm, second_moment
from ..inputs import Inputs
from .sample_points import Coding, Points, sample_points
from .target import Members, Target
from .targets import Targets


class SameMembers(Targets):
    """A mixin: the members of another class, described and drawn as there, with other labels or on other inputs.

    Attributes
    ----------
    origin : hypothesis class
        The other class.
    """

    def __init__(self, origin: Targets, inputs: Inputs) -> None:
        self.origin, self.inputs = origin, inputs
        self.labels: str = getattr(origin, "labels", "real")
        self._said: str = getattr(origin, "description", repr(origin))
        self.n_outputs: int = getattr(origin, "n_outputs", 1)
        self.prior = origin.prior
        if self.labels == "classes":
            self.second_moment = second_moment(origin)
        self._described_by_numbers = origin._described_by_numbers
        self._described_by_objects = origin._described_by_objects
        evidence: tuple[str, str] | None = getattr(origin, "label_evidence", None)
        if evidence is not None:
            self.label_evidence = evidence
        for name, kind in (("mean", KnowsMean), ("covariance", KnowsCovariance)):
            if not isinstance(origin, kind):
                setattr(self, name, None)  # which counts as absent

    @property
    def size(self) -> int | None:
        """The number of members, as of the other class."""
        return self.origin.size

    @property
    def log2_size(self) -> float:
        """log2 |H|, as of the other class."""
        return self.origin.log2_size

    def members(self) -> Members:
        """Return the descriptions of all members, as the other class does."""
        return self.origin.members()

    def sample(self, m: SupportsIndex, rng: SeedLike = None) -> Members:
        """Return the descriptions of m members drawn independently, as the other class does."""
        return self.origin.sample(m, rng)

    def _checked(self, rows: Members) -> Members:
        return self.origin._checked(rows)

    def _numbered_rows(self, name: str, numbers: list[int]) -> Members:
        return self.origin._numbered_rows(name, numbers)

    def __iter__(self) -> Iterator[Target]:
        """Yield every member, in the order of `members()`."""
        return (Target(self, target.which) for target in self.origin)


class FlippedLabels(SameMembers):
    """The targets of a class with labels that are flipped; see `Noisy`."""

    def __init__(self, parent: Targets, rate: SupportsFloat) -> None:
        if getattr(parent, "labels", "real") != "signs":
            raise LabelError(
                f"labels can be flipped where they are -1 and +1, but those of {parent!r} have other values"
            )
        flips = number("rate", rate, "a number in [0, 1/2]", lambda found: 0 <= found <= 0.5)
        super().__init__(parent, parent.inputs)
        self.rate: float = flips
        if isinstance(parent, FlippedLabels):
            # flipped where one of the two flips, and not the other
            self.origin, self.rate = parent.origin, parent.rate + flips - 2 * parent.rate * flips
        self.kept = 1.0 - 2.0 * self.rate

    def __repr__(self) -> str:
        return f"Noisy({self.origin!r}, rate={self.rate:g})"

    @property
    def description(self) -> str:
        """The class in words."""
        return f"{self._said}, with labels flipped at rate {self.rate:g}"

    @property
    def _key(self) -> object:
        return self.origin, self.rate

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the mean labels E[y | x] = (1 - 2 rate) h(x), shape (m, n)."""
        return self.kept * self.origin.evaluate(members, x)

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return (1 - 2 rate) E_h h(x), shape (n,)."""
        return self.kept * cast(KnowsMean, self.origin).mean(np.asarray(x))

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return (1 - 2 rate)^2 C_H(x, x'), of labels with flips of their own, shape (n, n2)."""
        return self.kept**2 * cast(KnowsCovariance, self.origin).covariance(np.asarray(x), np.asarray(x2))

    def operator_norm(self, centred: bool = True) -> float:
        """Return (1 - 2 rate)^2 times that of the parent."""
        if not isinstance(self.origin, KnowsOperatorNorm):
            raise NotApplicableError(f"{self.origin!r} does not say its operator norm")
        return self.kept**2 * self.origin.operator_norm(centred)

    def _labels(self, members: Members, x: npt.ArrayLike) -> Array:
        return self.origin._labels(members, x)


class OnSample(SameMembers):
    """The targets of a class on a user's sample; see `OnPoints`."""

    is_orthonormal = False

    def __init__(
        self, origin: Targets, points: Points, weights: npt.ArrayLike | None = None, coding: Coding = "pm1"
    ) -> None:
        self.coding, sample = coding, sample_points(origin, points, weights, coding)
        super().__init__(origin, sample)
        self._points, self._weights = sample.points(0, sample.n_points), sample.weights(0, sample.n_points)
        self.uncorrelated = bool(getattr(origin, "uncorrelated", False))
        self.evaluate(self.sample(1, 0), self._points)  # an error where one is no input

    def __repr__(self) -> str:
        return f"{self.origin!r}.on({self.inputs.n_points} points)"

    @property
    def description(self) -> str:
        """The class in words."""
        return f"{self._said}, on a sample"

    @property
    def _key(self) -> object:
        return self.origin, self.coding, self._points.tobytes(), self._weights.tobytes()

    @property
    def orthonormality(self) -> tuple[str, str]:
        """Not inherited: on few points members are not orthonormal."""
        if self.log2_size > math.log2(len(self._points)):
            return "failed", f"more members than the {len(self._points):,} different points of the sample"
        return "unknown", "members are orthonormal on their own inputs at most, not on a sample"

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the values h(x), shape (m, n)."""
        return self.origin.evaluate(members, self._decoded(x))

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x), shape (n,), as the class says it."""
        return cast(KnowsMean, self.origin).mean(self._decoded(x))

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x'), shape (n, n2), as the class says it."""
        return cast(KnowsCovariance, self.origin).covariance(self._decoded(x), self._decoded(x2))

    @property
    def covariance_work(self) -> float:
        """Multiplications that a value of the covariance counts as."""
        return float(getattr(self.origin, "covariance_work", 16.0))

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram matrix over |H|, from its n x n side.

        That of the operator C_H(x, x') on the sample; for all parities the largest weight of a point. Costs n^3, n up
        to 2048.

        Raises
        ------
        NotApplicableError
            More points, or neither a covariance nor members that can be listed.
        """
        if self.uncorrelated:
            # the norm of [x = x'] - m(x) m(x'), m zero but at one point at most
            return float((self._weights * (1 - centred * self.mean(self._points) ** 2)).max())
        found = operator_norm(self, centred)
        if found is None or found.residual > 0:
            raise NotApplicableError(f"the operator norm of {self!r} is not known exactly")
        return found.value

    def frobenius_norm(self) -> float:
        """Return ||Gram||_F/|H|, from E_h[h(x) h(x')] at all pairs of points; raises as `operator_norm`."""
        if self.uncorrelated:
            return float(np.linalg.norm(self._weights))
        return frobenius_norm(self)

    def _decoded(self, x: npt.ArrayLike) -> Array:
        array = inputs_of(x, self.inputs.dim, repr(self))
        return array if self.coding == "pm1" else 1.0 - 2.0 * array
