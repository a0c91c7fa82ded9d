"""Orthogonal networks: one hidden layer on k of the coordinates, a parity of them under Gaussian inputs."""

from __future__ import annotations

import itertools
import math
from functools import cached_property
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, inputs_of, integer
from ..core.errors import NotApplicableError
from .formulas.sine_products import HALVES, LINEAR, mean_square, separate
from .inputs import Gaussian
from .members.coordinate_sets import SetTargets
from .members.target_class import Restriction

_LARGEST_DEGREE = 16
_LISTED = 2**15


class OrthogonalNetworks(SetTargets):
    r"""The C(dim, degree) networks of one hidden layer that are parities of k = degree coordinates, x ~ N(0, I).

    For a set S of k coordinates, with an activation phi, up to the constant that makes E f_S^2 = 1,

        f_S(x) = sum over w in {-1, 1}^k of (w_1 ... w_k) phi(<w, x_S>/sqrt k)

    (Goel, Gollakota, Jin, Karmalkar and Klivans 2020, arXiv 2006.12011, with the identity as the outer activation):
    2^k hidden units with weights +-1/sqrt(k) and no biases. A sign flip of a coordinate in S flips f_S, so that the
    f_S are orthogonal under every distribution that sign flips do not change: an orthonormal class of mean-zero
    targets, and Theorem 1 of arXiv 1703.07950 applies with |H| = C(dim, k).

    An odd number of signs is seen by the odd half of phi only, an even number by the even half. Without it the sum is
    zero: tanh, erf, sin and sigmoid take an odd degree, cos an even one; relu, gelu and softplus, whose odd half is
    linear, an even degree or 1; the identity 1.

    Parameters
    ----------
    dim : int
        Number of coordinates, >= 1.
    degree : int
        Number k of coordinates of each target, 1 to min(dim, 16).
    activation : str
        "tanh", "erf", "sin", "sigmoid", "cos", "relu", "gelu", "softplus" or "identity".

    Raises
    ------
    ValueError
        A degree at which all f_S = 0.

    Notes
    -----
    The sum loses digits as it grows: f_S is rounded to about 1e-16 of max |phi| over the root mean square of the sum's
    mean term, at degrees up to 5 to 1e-12 or better, at 16 to 1e-8 (softplus and sigmoid; sin and cos lose none).

    Examples
    --------
    >>> H = OrthogonalNetworks(30, 3)
    >>> H.size, round(1 / H.operator_norm())
    (4060, 4060)
    >>> h = H.member([i in (0, 1, 2) for i in range(30)])
    >>> x = H.inputs.sample(2, rng=0)
    >>> np.allclose(h(x), -h(x * np.where(np.arange(30) == 1, -1, 1)))
    True
    """

    labels = "real"
    is_orthonormal = True
    orthonormality = (
        "proved",
        "a sign flip of x_i flips f_S for i in S and leaves f_T for i not in T; E f_S^2 = 1 by its Hermite series",
    )

    def __init__(self, dim: SupportsIndex, degree: SupportsIndex, activation: str = "tanh") -> None:
        self.dim = integer("dim", dim, 1)
        self.degree = self._set_size = integer("degree", degree, 1, min(self.dim, _LARGEST_DEGREE))
        names = [*HALVES, "identity"]
        if activation not in names:
            raise ValueError(f"`activation` must be one of {', '.join(map(repr, names))}, got {activation!r}")
        self.activation = activation
        self.inputs = Gaussian(self.dim)
        half = HALVES.get(activation)
        if half is None or half.odd != bool(self.degree % 2):
            if self.degree != 1 or activation not in LINEAR:
                accepted = (
                    "1" if half is None else "odd" if half.odd else "even, or 1" if activation in LINEAR else "even"
                )
                raise ValueError(
                    f"`degree` must be {accepted} for the activation {activation!r}, got {self.degree}: its "
                    "alternating sums over another number of signs are zero, so that there are no such targets"
                )
            half = None
        self._half = half
        """None for a linear one: f_S = x_i whatever the slope."""
        self._mean_square = 1.0 if half is None else mean_square(half, self.degree)

    def __reduce__(self) -> tuple[type[OrthogonalNetworks], tuple[object, ...]]:
        return OrthogonalNetworks, self._key

    def __repr__(self) -> str:
        activation = "" if self.activation == "tanh" else f", activation={self.activation!r}"
        return f"OrthogonalNetworks(dim={self.dim}, degree={self.degree}{activation})"

    @property
    def _key(self) -> tuple[object, ...]:
        return self.dim, self.degree, self.activation

    @property
    def description(self) -> str:
        """The class in words."""
        count = f" = {self.size:,}" if self.size < 10**12 else ""
        units = 2**self.degree
        return (
            f"the C({self.dim}, {self.degree}){count} orthogonal networks of {units:,} {self.activation} units on "
            f"{self.degree} of {self.dim} coordinates"
        )

    def evaluate(self, members: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """Return f_S(x) for each member.

        Parameters
        ----------
        members : array_like of bool, shape (m, dim)
            Row v is the network on the coordinates with v_i true, `degree` of them.
        x : array_like, shape (n, dim)
            Inputs.

        Returns
        -------
        ndarray, shape (m, n)
            Values, up to rounding (see the notes of the class). Costs m n 2^(k-1) activations; m n k for sin and cos.
        """
        columns = self._columns(members)
        coordinates = np.ascontiguousarray(inputs_of(x, self.dim, repr(self)).T)
        n = coordinates.shape[1]
        values = np.empty((columns.shape[0], n))
        step = max(1, 2**16 // max(n, 1))
        for start in range(0, columns.shape[0], step):
            rows = slice(start, start + step)
            values[rows] = self._sums(coordinates[columns[rows]])
        return values

    def inner_products(self, members: npt.ArrayLike, members2: npt.ArrayLike) -> Array:
        """Return E_x[f_S f_T] = [S = T], shape (m, m2). Exact."""
        first, second = self._columns(members), self._columns(members2)
        return np.asarray((first[:, None] == second).all(axis=2), dtype=np.float64)

    def null_functions(self, x: npt.ArrayLike) -> Array:
        """Return 1, the x_i where degree > 1, and the class mean, shape (n, q): all targets see them alike."""
        array = inputs_of(x, self.dim, repr(self))
        found = [np.ones((array.shape[0], 1)), array, self.mean(array)[:, None]]
        if self.degree == 1:
            del found[1]
        return np.concatenate(found, axis=1)

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_S f_S(x), shape (n,). Accuracy, cost and Raises as `covariance`."""
        array = inputs_of(x, self.dim, repr(self))
        if self._listed is not None:
            return self._listed.mean(array)
        from ..kernels.symmetric_polynomials import summed_pairs

        features, c = self._features(array)
        rows = features.reshape(-1, 1, self.dim)
        sums = summed_pairs(rows, np.ones((1, self.dim, 1)), np.ones(1), self.degree)
        return np.asarray(sums.reshape(-1, c.size) @ c / self.size)

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        r"""Return C_H(x, x') = E_S[f_S(x) f_S(x')] - mean(x) mean(x'), shape (n, n2).

        Up to 2^15 members: the mean over all of them, exact up to rounding. Costs n n2 |H| multiply-adds, and those of
        evaluating the members at both sets of inputs.

        Larger classes: f_S(x) = sum_r c_r prod_{i in S} sin(t_r x_i/sqrt k) with few frequencies, and the mean over S
        of such products is e_k(sin(t_r x_i/sqrt k) sin(t_s x'_i/sqrt k))/C(dim, k), e_k the elementary symmetric
        polynomial of degree k. Exact up to rounding for sin and cos (one frequency); otherwise 5 to 12 frequencies,
        which leave at most 1e-4 of f_S in L^2. What they leave is orthogonal between members too, so that a gradient
        variance from this covariance is off by at most 2.1e-4 E||s||^2/|H|, a share of 2.1e-4 of the operator-norm
        bound, whatever the model. Costs n n2 dim k multiply-adds for each pair of frequencies.

        Raises
        ------
        NotApplicableError
            More than 2^15 members, and an activation with a kink, whose targets no few frequencies carry, or a linear
            one.
        """
        first, second = inputs_of(x, self.dim, repr(self)), inputs_of(x2, self.dim, repr(self))
        if self._listed is not None:
            return self._listed.covariance(first, second)
        from ..kernels.symmetric_polynomials import summed_pairs

        (features, c), (features2, _) = self._features(first), self._features(second)
        columns = np.ascontiguousarray(features2.transpose(1, 2, 0))
        total = summed_pairs(features, columns, c, self.degree)
        total /= self.size
        total -= self.mean(first)[:, None] * self.mean(second)
        return total

    @cached_property
    def _listed(self) -> Restriction | None:
        """The class by the list of its members, where the covariance is the mean over them."""
        if self.size <= _LISTED:
            return Restriction(self, self.members())
        if self._separated is not None:
            return None
        raise NotApplicableError(
            f"the covariance of {self!r} is a mean over its {self.size:,} members, which is done for at most 2^15; "
            "take a smaller dim, or an activation without a kink, as tanh (odd degrees) or gelu (even degrees)"
        )

    @cached_property
    def _separated(self) -> tuple[Array, Array] | None:
        """Frequencies t_r/sqrt k and coefficients c_r of f_S, where few carry it."""
        if self._half is None or (found := separate(self._half, self.degree)) is None:
            return None
        # Even halves with a density are minus its cosine transform.
        sign = self._sign * (-1.0 if self._half.density is not None and not self._half.odd else 1.0)
        return found[0] / math.sqrt(self.degree), sign * found[1] / math.sqrt(self._mean_square)

    @property
    def _sign(self) -> float:
        """That of (2i)^k: sum_w (prod w_i) e^{i<w, z>} = (2i)^k prod_i sin z_i."""
        return -1.0 if (self.degree // 2) % 2 else 1.0

    def _features(self, x: Array) -> tuple[Array, Array]:
        """sin(t_r x_i/sqrt k), shape (n, R, dim), each r scaled so that c, which takes the scale, is of size 1."""
        assert self._separated is not None
        t, c = self._separated
        scale = np.sqrt(-0.5 * np.expm1(-2 * t * t))
        return np.sin(t[:, None] * x[:, None, :]) / scale[:, None], c * scale**self.degree

    def _sums(self, z: Array) -> Array:
        """f_S at the coordinates x_S, shape (m, k, n) -> (m, n)."""
        k = self.degree
        if self._half is None:
            return z[:, 0]
        scale = 1 / math.sqrt(self._mean_square)
        if self._half.density is None:
            return np.asarray(self._sign * scale * np.sin(z / math.sqrt(k)).prod(axis=1))
        z = z / math.sqrt(k)
        total = np.zeros((z.shape[0], z.shape[2]))
        # w and -w give the same: w_1 = 1.
        for w in itertools.product((1.0, -1.0), repeat=k - 1):
            argument = z[:, 0].copy()
            for i, sign in enumerate(w, 1):
                argument += sign * z[:, i]
            total += math.prod(w) * self._half.values(argument)
        return total * (scale * 2.0 ** (1 - k))

    def _columns(self, members: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The coordinates of each member in increasing order, shape (m, k)."""
        return np.nonzero(self._of_size(self._sets(members)))[1].reshape(-1, self.degree)
