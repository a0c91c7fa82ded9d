r"""Random relu neurons, and random networks of one hidden layer of them: covariance and spectrum in closed form.

The kernel of everything is kappa(x, x') = |x| |x'| ((1 - u^2)^(1/2) + u (pi - arccos u))/2 pi, u the cosine of the
angle (Cho and Saul 2009): E[relu(<w, x>) relu(<w, x'>)] = kappa(x, x')/d for w of mean square norm 1 and direction
uniform on the sphere, and E[relu(<w, x>) relu(<w', x>)] = kappa(w, w') for x ~ N(0, I).

As relu is homogeneous, its expectation against a spherical harmonic of degree l factors, and the operator of that
kernel has the eigenvalues

    lambda_l = d mu_l^2,    mu_l = E[relu(T) P_l(T)],    T the first coordinate of a uniform point of the sphere,
    |mu_0| = G(d/2)/(2 pi^(1/2) G((d+1)/2)),    mu_1 = 1/(2d),
    |mu_l| = G(d/2) (l-2)!/(pi^(1/2) 2^l (l/2 - 1)! G((d+l+1)/2))  for even l >= 2,    0 for odd l >= 3

(G the gamma function), each with as many eigenfunctions as there are harmonics of degree l, dim(d, l).
"""

from __future__ import annotations

import math
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, inputs_of, integer
from ..core.numbers import exp2
from .random_networks import RandomNetworks


class ReluNetworks(RandomNetworks):
    """What `RandomNetworks` with relus, at most one hidden layer and Gaussian or spherical weights returns.

    With an output layer, whose weights have mean zero, the class mean is zero and C_H = kappa/d; the centred operator
    norm is lambda_0, about 1/2 pi, at any width. Without it, C_H = kappa/d minus the product of the means, and the
    norm is lambda_1 = 1/(4d); the norm |w| of a Gaussian neuron varies, which leaves lambda_0 Var|w| < lambda_1 of
    lambda_0.
    """

    def mean(self, x: npt.ArrayLike) -> Array:
        """Return the class mean E_h h(x), shape (n,): E[relu(w_1)] |x| for a neuron, else 0. Exact."""
        array = inputs_of(x, self.dim, repr(self))
        return np.asarray(self._mean_relu * np.linalg.norm(array, axis=1))

    def covariance(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return C_H(x, x') = kappa(x, x')/dim - mean(x) mean(x'), shape (n, n2). Exact; costs n n2 dim."""
        first, second = inputs_of(x, self.dim, repr(self)), inputs_of(x2, self.dim, repr(self))
        return arc_cosine_kernel(first, second) / self.dim - self.mean(first)[:, None] * self.mean(second)

    def inner_products(self, members: npt.ArrayLike, members2: npt.ArrayLike) -> Array:
        """Return E_x[h h'], shape (m, m2): sum_ij u_i u'_j kappa(w_i, w'_j). Exact; costs m m2 width^2 dim."""
        first, second = self._layers(self._rows("members", members)), self._layers(self._rows("members2", members2))
        units = [layers[0].reshape(-1, self.dim) for layers in (first, second)]
        if not self.widths:
            return arc_cosine_kernel(*units)
        width = self.widths[0]
        outputs = second[1][:, 0]
        products = np.empty((first[0].shape[0], second[0].shape[0]))
        for row, hidden, output in zip(products, *first, strict=True):
            kernel = arc_cosine_kernel(hidden, units[1]).reshape(width, -1, width)
            row[:] = np.einsum("imj,mj->m", np.tensordot(output, kernel, axes=1), outputs)
        return products

    def operator_norm(self, centred: bool = True) -> float:
        """Return the largest eigenvalue of the (centred) Gram kernel: lambda_1 = 1/(4 dim) for centred neurons.

        lambda_0 uncentred, and with an output layer. Exact up to rounding.
        """
        return exp2(self.log2_operator_norm(centred))

    def log2_operator_norm(self, centred: bool = True) -> float:
        """Return its base-2 logarithm."""
        if centred and not self.widths:
            return -2.0 - math.log2(self.dim)
        return self._log_eigenvalue(0) / math.log(2)

    def spectrum(self, degree: SupportsIndex, centred: bool = True) -> tuple[float, int]:
        """Return the eigenvalue of the (centred) Gram kernel at the harmonics of a degree, and how many there are.

        Parameters
        ----------
        degree : int
            l >= 0.
        centred : bool
            Whether the class mean is taken out: of neurons on the sphere all of l = 0, of Gaussian neurons all but
            lambda_0 Var|w|, of networks with an output layer nothing.

        Returns
        -------
        eigenvalue, multiplicity
            lambda_l, exact up to rounding, and (2l + d - 2) (l + d - 3)!/(l! (d - 2)!), 1 for l = 0. The sum over all
            l of eigenvalue times multiplicity is E h^2 = 1/2, minus E[mean^2] if centred. Harmonics of odd degree
            l >= 3 have the eigenvalue 0.

        Examples
        --------
        >>> H = RandomNetworks(10, (), "relu", weights="sphere")
        >>> H.spectrum(1), H.spectrum(3)
        ((0.025, 10), (0.0, 210))
        """
        number = integer("degree", degree, 0)
        value = 0.25 / self.dim if number == 1 else math.exp(self._log_eigenvalue(number))
        if number == 0 and centred and not self.widths:
            # Of E|w|^2 = 1 the mean takes (E|w|)^2.
            value = max(value - self.dim * self._mean_relu**2, 0.0) if self.weights == "gaussian" else 0.0
        return value, _harmonics(self.dim, number)

    @property
    def _mean_relu(self) -> float:
        """E[relu(w_1)] of a neuron, 0 with an output layer."""
        if self.widths:
            return 0.0
        if self.weights == "gaussian":
            return 1 / math.sqrt(2 * math.pi * self.dim)
        return math.exp(0.5 * (self._log_eigenvalue(0) - math.log(self.dim)))

    def _log_eigenvalue(self, degree: int) -> float:
        """log lambda_l."""
        half, ln = 0.5 * self.dim, math.lgamma
        if degree == 0:
            log_mu = ln(half) - ln(half + 0.5) - math.log(2 * math.sqrt(math.pi))
        elif degree == 1:
            log_mu = -math.log(2 * self.dim)
        elif degree % 2 or self.dim == 1:  # two directions have no harmonics of degree 2 and more
            return -math.inf
        else:
            log_mu = ln(half) + ln(degree - 1) - ln(degree / 2) - ln(half + 0.5 * degree + 0.5)
            log_mu -= degree * math.log(2) + 0.5 * math.log(math.pi)
        return math.log(self.dim) + 2 * log_mu


def arc_cosine_kernel(x: Array, x2: Array) -> Array:
    """Return kappa(x, x'), shape (n, n2), for rows x (n, d) and x' (n2, d); exact up to rounding, costs n n2 d."""
    norms = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(x2, axis=1)
    cosines = x @ x2.T
    np.divide(cosines, norms, out=cosines, where=norms > 0)
    np.clip(cosines, -1.0, 1.0, out=cosines)
    # pi - arccos u = arccos(-u).
    return np.asarray(norms * (np.sqrt((1 - cosines) * (1 + cosines)) + cosines * np.arccos(-cosines)) / (2 * math.pi))


def _harmonics(dim: int, degree: int) -> int:
    """The number of spherical harmonics of a degree on the sphere of R^dim."""
    below = math.comb(dim + degree - 3, degree - 2) if degree >= 2 else 0
    return math.comb(dim + degree - 1, degree) - below
