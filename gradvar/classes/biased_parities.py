"""Parities on the cube with a bias: the characters of a product distribution that is not uniform."""

from __future__ import annotations

import math
from typing import SupportsFloat, SupportsIndex

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from ..core.arguments import Array, integer, number
from ..kernels.bits import pack
from .formulas.biased_gram import log2_norm_of_all, log2_norm_of_degree
from .inputs import Hypercube
from .parities import SetsOnCube


class BiasedParities(SetsOnCube):
    r"""Parities on the cube {-1, +1}^dim whose coordinates are independent with E x_i = bias = mu.

    One member for each set S of coordinates, or each with |S| = degree. With sigma^2 = 1 - mu^2,

        h_S(x) = prod_{i in S} (x_i - mu)/sigma      (normalised),      h_S(x) = prod_{i in S} x_i      (not).

    The normalised ones are orthonormal, all of them a basis: Theorem 1 of arXiv 1703.07950 applies to them as to
    `Parities`, which they are at mu = 0. The others take the values -1 and +1, and E h_S h_T = mu^{|S xor T|}: far from
    orthonormal, with an uncentred operator norm of ((1 + |mu|)/2)^dim for all S.

    With chi = h_{i}, the two values of one coordinate, C_H(x, x') is prod_i (1 + chi(x_i) chi(x'_i))/2 less the
    product of the class means prod_i (1 + chi(x_i))/2; for one degree, elementary symmetric polynomials of the
    chi(x_i) chi(x'_i), and of the chi(x_i), over C(dim, degree).

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.
    bias : float
        The mean mu of every coordinate, -1 < mu < 1.
    degree : int, optional
        Number of coordinates in each S, 0 to dim; all S by default.
    normalised : bool
        Whether the coordinates are centred and scaled to variance 1.

    Notes
    -----
    The fourth moment of a normalised member of degree k is (1 + 4 mu^2/(1 - mu^2))^k: at a large bias or degree its
    square lives on inputs so rare that a sample of them, and so Monte Carlo, misses much of the variance.

    Raises
    ------
    TypeError, ValueError
        A dimension, bias or degree out of range.

    Examples
    --------
    >>> H = BiasedParities(3, 0.6)
    >>> H.size, H.operator_norm()
    (8, 0.125)
    >>> H.evaluate([[True, True, False]], [[-1, 1, -1]])
    array([[-1.]])
    >>> BiasedParities(3, 0.6, normalised=False).operator_norm(centred=False)
    0.512
    """

    def __init__(
        self,
        dim: SupportsIndex,
        bias: SupportsFloat,
        degree: SupportsIndex | None = None,
        normalised: bool = True,
    ) -> None:
        self.inputs = Hypercube(integer("dim", dim, 1), number("bias", bias))
        self.dim, self.bias = self.inputs.dim, self.inputs.bias
        self.degree = self._set_size = None if degree is None else integer("degree", degree, 0, self.dim)
        if not isinstance(normalised, (bool, np.bool_)):
            raise TypeError(f"`normalised` must be True or False, got {normalised!r}")
        self.normalised = bool(normalised)
        self._are_signs = self.bias == 0 or not self.normalised
        self._plus = 1.0 if self._are_signs else math.sqrt((1 - self.bias) / (1 + self.bias))
        """The value of one coordinate at +1; at -1 it is minus the reciprocal."""

    def __repr__(self) -> str:
        degree = "" if self.degree is None else f", degree={self.degree}"
        return f"BiasedParities(dim={self.dim}, bias={self.bias!r}{degree}, normalised={self.normalised})"

    @property
    def _key(self) -> tuple[object, ...]:
        return self.dim, self.bias, self.degree, self.normalised

    @property
    def description(self) -> str:
        """The class in words."""
        kind = "normalised" if self.normalised else "not normalised"
        return f"{super().description}, {kind}, of coordinates of mean {self.bias:g}"

    @property
    def labels(self) -> str:
        """ "signs" when every value is -1 or +1, else "real"."""
        return "signs" if self._are_signs or self.degree == 0 else "real"

    @property
    def is_orthonormal(self) -> bool:
        """Whether E h_S h_T = [S = T]: where the members are normalised, the bias is 0, or there is one member."""
        return self.normalised or self.bias == 0 or self.size == 1

    @property
    def orthonormality(self) -> tuple[str, str]:
        """Whether Theorem 1's assumption on the class holds, and the proof."""
        if not self.is_orthonormal:
            return "failed", f"E h_S h_T = mu^|S xor T| at mu = {self.bias:g}: the coordinates have a mean"
        if self.normalised:
            return "proved", "(x_i - mu)/sigma are independent with mean 0 and variance 1, so E h_S h_T = [S = T]"
        return super().orthonormality if self.bias == 0 else ("proved", "one member, with E h^2 = 1")

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram matrix over |H|, underflowing to 0.0.

        1/|H| for an orthonormal class of more than one member. Else, of mu^{|S xor T|}: for all S ((1 + |mu|)/2)^d
        uncentred, and centred if mu < 0, ((1 + mu)/2)^{d-1} (1 - mu)/2 if mu > 0; for one degree by the Johnson scheme.
        Exact up to rounding: a relative error of about (d + |log2|) 2^-53. Costs min(degree, dim - degree).
        """
        if self.is_orthonormal:
            return super().operator_norm(centred)
        return float(np.exp2(self.log2_operator_norm(centred)))

    def log2_operator_norm(self, centred: bool = True) -> float:
        """Return its base-2 logarithm, at any dimension; -inf for the centred norm of one member."""
        if self.is_orthonormal:
            return super().log2_operator_norm(centred)
        if self.degree is None:
            return log2_norm_of_all(self.dim, self.bias, centred)
        return log2_norm_of_degree(self.dim, self.degree, self.bias, centred)

    def inner_products(self, members: npt.ArrayLike, members2: npt.ArrayLike) -> Array:
        """Return E_x[h_S h_T], shape (m, m2): [S = T] where normalised, else mu^{|S xor T|}. Costs m m2 dim / 64."""
        from ..kernels.hamming import look_up_distances

        base = 0.0 if self.normalised else self.bias
        table = base ** np.arange(self.dim + 1.0)
        return look_up_distances(pack(self._sets(members)), pack(self._sets(members2)), table)

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return h(x) for each member.

        Parameters
        ----------
        members : array_like of bool, shape (m, dim)
            Row v is the set of the coordinates with v_i true.
        x : array_like, shape (n, dim)
            Points of the cube.

        Returns
        -------
        ndarray, shape (m, n)
            To |S| units in the last place; signs are exact. Costs m n dim.
        """
        v = self._sets(members).astype(np.float64)
        minus = (v @ (self._signs(x) < 0).T.astype(np.float64)).astype(np.int64)
        signs = 1.0 - 2.0 * (minus % 2)
        if self._are_signs:
            return np.asarray(signs)
        degree = v.sum(axis=1).astype(np.int64)
        most = int(degree.max(initial=0))
        with np.errstate(over="ignore"):
            powers = self._plus ** np.arange(-most, most + 1.0)
        return np.asarray(signs * powers[degree[:, None] - 2 * minus + most])

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x), shape (n,). Exact up to rounding, as `covariance`."""
        if self._are_signs:
            return super().mean(x)
        array = self._signs(x)
        counts, index = np.unique(np.count_nonzero(array < 0, axis=1), return_inverse=True)
        if self.degree is None:
            means = self._mean_of_all(counts)
        else:
            from ..kernels.elementary_symmetric import symmetric_means

            rows = np.stack([self.dim - counts, counts], axis=1).astype(np.int64)
            means = symmetric_means(rows, np.array([self._plus, -1 / self._plus]), self.degree)
        return np.asarray(means[index])

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x'), shape (n, n2).

        All S: [x = x'] / (2^dim P(x)) - m(x) m(x') where normalised, m the class mean; it is the numbers of negative
        coordinates of x and x' that count, and whether the two are equal. One degree: those and the Hamming distance.

        Exact up to rounding: relative to E_h h(x) h(x') and to m(x) m(x') a few units in the last place times the
        degree, or times the logarithm's size for all S; where the sum over S cancels, as if each chi(x_i) chi(x'_i) had
        been rounded. Overflows only at points whose probabilities add up to less than 2^-1000. Costs n n2 dim / 64,
        and degree^2 log2(dim) / 4 for each triple of counts that occurs.
        """
        if self._are_signs:
            return super().covariance(x, x2)
        a, b = self._signs(x), self._signs(x2)
        if self.size == 1:
            return np.zeros((len(a), len(b)))
        covariance = self._second_moment(a, b)
        covariance -= self.mean(a)[:, None] * self.mean(b)
        return covariance

    def project(self, f: npt.ArrayLike) -> Array:
        """Return E_x[h(x) f(x)] for every member, by a biased Walsh-Hadamard transform.

        Parameters
        ----------
        f : array_like, shape (2^dim, q)
            Values of q functions at the points of `inputs`, in their order.

        Returns
        -------
        ndarray, shape (|H|, q)
            Rows in the order of `members()`. Exact up to rounding: normalised, every butterfly is an isometry, and the
            root of the mean square error over all 2^dim members is at most 6 dim 2^-53 (E f^2 / 2^dim)^(1/2); else no
            error is above 4 dim 2^-53 E|f|. Costs 3 q dim 2^dim.
        """
        columns = self.coefficients(f)
        return columns if self.degree is None else columns[self.set_numbers()]

    @property
    def shift(self) -> tuple[float, float]:
        """a, b with x_i h_S = a (1 - 2 [i in S]) h_S + b h_{S xor {i}}: mu and sigma where normalised."""
        return (0.0, 1.0) if self._are_signs else (self.bias, math.sqrt(1 - self.bias**2))

    def coefficients(self, f: npt.ArrayLike) -> Array:
        """Return E_x[h_S(x) f(x)] for the 2^dim sets S of any size, shape (2^dim, q), by a biased transform."""
        from ..kernels.tensor_power import tensor_power

        columns = np.array(self._functions(f), order="C")
        plus, minus = self.inputs.probabilities
        tensor_power(columns, np.array([[plus, minus], [plus * self._plus, -minus / self._plus]]))
        return columns

    def _second_moment(self, x: Array, x2: Array) -> Array:
        """E_h h(x) h(x') of normalised members."""
        from ..kernels.elementary_symmetric import symmetric_means_of_pairs
        from ..kernels.hamming import look_up_distances

        minus, minus2 = (np.count_nonzero(signs < 0, axis=1).astype(np.int64) for signs in (x, x2))
        words, words2 = pack(x < 0), pack(x2 < 0)
        if self.degree is not None:
            both = self._plus**2, self._plus**-2, -1.0
            return symmetric_means_of_pairs(words, words2, minus, minus2, self.dim, np.array(both), self.degree)
        first = np.zeros(self.dim + 1)
        first[0] = 1.0
        equal = look_up_distances(words, words2, first)
        rows, columns = np.nonzero(equal)
        equal[rows, columns] = self._inverse_weight(minus[rows])
        return equal

    def _inverse_weight(self, minus: npt.NDArray[np.int64]) -> Array:
        """1/(2^dim P(x)) at points with these numbers of negative coordinates."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(-(self.dim - minus) * math.log1p(self.bias) - minus * math.log1p(-self.bias)))

    def _mean_of_all(self, minus: npt.NDArray[np.int64]) -> Array:
        """prod_i (1 + chi(x_i))/2 at points with these numbers of negative coordinates."""
        at_plus, at_minus = (1 + self._plus) / 2, (1 - 1 / self._plus) / 2
        signs = np.where(minus % 2, np.sign(at_minus), 1.0)
        with np.errstate(over="ignore"):
            return np.asarray(signs * np.exp(xlogy(self.dim - minus, at_plus) + xlogy(minus, abs(at_minus))))
