"""Parities that come with inputs on which they show: the tasks of Daniely and Malach."""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..classes.members.coordinate_sets import CoordinateSets
from ..classes.parities import SparseParities
from ..core.arguments import Array, SeedLike, generator, integer
from .planted_cube import PlantedCube, plant
from .restriction import HasTasks


class PlantedParities(CoordinateSets, HasTasks):
    r"""The parities of an odd number of bits, each with inputs of its own (Daniely and Malach, arXiv 2002.07400).

    A task is a set A of k = `degree` coordinates. Its inputs D_A are half uniform on the cube {-1, +1}^dim, half with
    the k bits of A all equal (to either sign) and the rest uniform; the label is y = prod_{i in A} x_i. Then

        D_A(x) = 2^-dim (1/2 + 2^(k-2) [x_i equal for all i in A]),
        E x_i = E y = 0,    E[x_i x_j] = [i = j] + [i != j in A]/2,    E[y x_i] = [i in A]/2   (k = 1: [i in A]).

    The variance is over the tasks, Var = E_A ||grad F_A - E_A' grad F_A'||^2. As the inputs give A away, it is not
    small: k (1 - k/dim)/4 for the linear model at p = 0. Theorem 1 of arXiv 1703.07950, about targets that share their
    inputs, does not apply.

    `len`, iteration, `member(i)` and `restrict` are of tasks: a task is a function to its labels, as `targets`, and
    what `descend` trains on with its own inputs.

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.
    degree : int
        Number of coordinates in each parity, odd, from 1 to dim. Where it is even the label is +1 on all inputs with
        equal bits, which then say nothing: no such tasks are defined.

    Raises
    ------
    ValueError, TypeError
        A degree that is even or out of range.

    Examples
    --------
    >>> H = PlantedParities(50, 5)
    >>> H.size
    2118760
    >>> x, y = H.draw(H.sample(3, rng=0), 100, rng=1)
    >>> x.shape, y.shape
    ((3, 100, 50), (3, 100))
    >>> H.member(10**6), len(H.restrict([3, 10**6]))
    (<target on coordinates [7, 15, 21, 32, 43] of PlantedParities(dim=50, degree=5)>, 2)
    """

    labels = "signs"
    label_evidence = ("proved", "every target takes the values -1 and +1 only")

    def __init__(self, dim: SupportsIndex, degree: SupportsIndex) -> None:
        self._parities = SparseParities(dim, degree)
        self.dim = self._parities.dim
        self.degree = self._set_size = self._parities.degree
        if self.degree % 2 == 0:
            raise ValueError(
                f"`degree` must be odd, got {integer('degree', degree, 0)}: where an even number of bits are all "
                "equal, their parity is +1 and says nothing"
            )
        self.inputs = PlantedCube(self.dim, self.degree)

    def __repr__(self) -> str:
        return f"PlantedParities(dim={self.dim}, degree={self.degree})"

    @property
    def _key(self) -> tuple[int, int]:
        return self.dim, self.degree

    @property
    def description(self) -> str:
        """The class in words."""
        return f"{self._parities.description}, each with planted inputs"

    def draw(self, members: npt.ArrayLike, n: SupportsIndex, rng: SeedLike = None) -> tuple[Array, Array]:
        """Return n independent examples of each task.

        Parameters
        ----------
        members : array_like of bool, shape (m, dim)
            Row v is the set of the coordinates with v_i true.
        n : int
            Examples of each.
        rng : int, SeedSequence, Generator or None
            Where they are drawn from.

        Returns
        -------
        x : ndarray, shape (m, n, dim)
            Inputs in {-1, +1}.
        y : ndarray, shape (m, n)
            Labels in {-1, +1}. Costs m n dim.
        """
        bits = self._checked(np.asarray(members))
        x = plant(bits, integer("n", n, 0), generator(rng))
        negative = np.einsum("mi,mni->mn", bits.astype(np.float64), (x < 0).astype(np.float64))
        return x, 1.0 - 2.0 * np.mod(negative, 2.0)

    def targets(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return the labels prod_{i in A} x_i of inputs x (n, dim) for each set A, shape (m, n)."""
        return self._parities.evaluate(self._checked(np.asarray(members)), x)

    def probabilities(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return D_A(x) for inputs x (n, dim) and each set A, shape (m, n). Exact; costs m n dim."""
        bits = self._checked(np.asarray(members)).astype(np.float64)
        negative = bits @ (np.asarray(x, dtype=np.float64).T < 0)
        equal = (negative == 0) | (negative == self.degree)
        return np.where(equal, 0.5 + np.ldexp(1.0, self.degree - 2), 0.5) * 2.0**-self.dim
