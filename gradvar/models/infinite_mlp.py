r"""The infinite-width limit of fully connected networks: the neural tangent kernel."""

from __future__ import annotations

from typing import SupportsFloat, SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.activations import ACTIVATIONS
from ..core.arguments import Array, flag, inputs_of, integer, positive, real
from ..core.errors import ShapeError
from ..kernels.power_series import multiply
from .dual_activations import DUALS


class InfiniteMLP:
    r"""The network `MLP.random([dim, width, ..., width, 1])` in the mean over its weights, at large width.

    At random weights W ~ N(0, scale^2/fan_in), biases zero, the tangent kernel <g(x), g(x')>, g = dp/dw, tends to
    its mean, the neural tangent kernel (Jacot, Gabriel and Hongler 2018, arXiv 1806.07572). With L = depth hidden
    layers, (z, z') centred Gaussian with the covariances of layer l at x and x', and beta = 1 with biases, else 0,

        c_1 = scale^2 <x, x'>/dim,       K_l = E[sigma(z) sigma(z')],     c_{l+1} = scale^2 K_l,
        K_0 = <x, x'>/dim,               D_l = scale^2 E[sigma'(z) sigma'(z')],

        Theta(x, x') = sum_{l=1}^{L+1} (m_{l-1} K_{l-1} + beta) D_l D_{l+1} ... D_L

    - With a `width` n: m_0 = dim, m_1 = ... = m_L = n, the network of `MLP.random` with n units in each hidden layer,
      all its weights and biases being parameters. One hidden layer: Theta is the mean over the weights, exactly, at
      every n. Deeper: up to a relative error O(1/n). The limit of Theta/n as n grows is the last L terms without beta.
    - Without: every m = scale^2, the NTK parametrisation, in which a weight is scale/sqrt(fan_in) times a parameter
      and the kernel has a limit at infinite width.

    On the cube, ||x||^2 = dim, so that Theta(x, x') = kernel(<x, x'>/dim).

    Parameters
    ----------
    depth : int
        Number of hidden layers L, >= 1.
    activation : str
        "relu" or "erf": those whose expectations have closed forms.
    width : int, optional
        Units in each hidden layer; None is the NTK parametrisation.
    scale : float
        Weights have standard deviation scale / sqrt(fan_in); > 0.
    bias : bool
        Whether the layers have biases (zero at the start, and parameters all the same).
    dim : int, optional
        Number of input coordinates; None when any will do.

    Notes
    -----
    It has a kernel, but no weights: no `predict` and no `gradient`. `gradient_variance` and `bound_check` give the
    expectation over the weights, by a closed form, for losses with constant b(p) (see `gradvar.losses`).

    Raises
    ------
    ValueError, TypeError
        Unknown activations, those without a closed form, and numbers out of range.

    Examples
    --------
    >>> InfiniteMLP(1, "relu").kernel([1.0])  # K_0 D_1 + beta D_1 + K_1 + beta = 1/2 + 1/2 + 1/2 + 1
    array([2.5])
    """

    def __init__(
        self,
        depth: SupportsIndex,
        activation: str = "relu",
        width: SupportsIndex | None = None,
        *,
        scale: SupportsFloat = 1.0,
        bias: bool = True,
        dim: SupportsIndex | None = None,
    ) -> None:
        name = activation.lower() if isinstance(activation, str) else ""
        if name not in DUALS:
            names = " or ".join(repr(known) for known in DUALS)
            finite = " (its kernel has no closed form; MLP.random takes it)" if name in ACTIVATIONS else ""
            raise ValueError(f"`activation` of InfiniteMLP must be {names}, got {activation!r}{finite}")
        self.depth = integer("depth", depth, 1)
        self.activation = name
        self.width = None if width is None else integer("width", width, 1)
        self.scale = positive("scale", scale)
        self.bias = flag("bias", bias)
        self.dim = None if dim is None else integer("dim", dim, 1)

    def __repr__(self) -> str:
        said = [str(self.depth), repr(self.activation)]
        said += [] if self.width is None else [f"width={self.width}"]
        said += [] if self.scale == 1 else [f"scale={self.scale:g}"]
        said += [] if self.bias else ["bias=False"]
        said += [] if self.dim is None else [f"dim={self.dim}"]
        return f"InfiniteMLP({', '.join(said)})"

    @property
    def description(self) -> str:
        """The model in words."""
        layers = f"{self.depth} hidden layer{'' if self.depth == 1 else 's'}"
        if self.width is None:
            of = f"of infinite width in {layers}, NTK parametrisation"
        elif self.depth == 1:
            of = f"with {layers} of width {self.width:,}"
        else:
            of = f"with {layers} of width {self.width:,}, to leading order in the width"
        biases = "" if self.bias else ", no biases"
        return f"{self.activation} network {of}{biases}: expected over random initialisation"

    def tangent_kernel(self, x: npt.ArrayLike, x2: npt.ArrayLike) -> Array:
        """Return Theta(x, x'), shape (n, n2), for any inputs (n, dim), (n2, dim). Costs n n2 (dim + depth)."""
        first = real("x", x, "(n, dim)")
        if self.dim is not None or first.ndim != 2 or first.shape[1] == 0:
            first = inputs_of(x, self.dim or 1, repr(self))
        dim = first.shape[1]
        second = inputs_of(x2, dim, repr(self))
        square, square2 = ((a * a).sum(axis=1) / dim for a in (first, second))
        return self._recursion(square[:, None], square2[None, :], first @ second.T / dim, dim)

    def kernel(self, rho: npt.ArrayLike, dim: SupportsIndex | None = None) -> Array:
        """Return Theta(x, x') where ||x||^2 = ||x'||^2 = dim and <x, x'> = rho dim, in the shape of rho.

        Parameters
        ----------
        rho : array_like
            Cosines between the inputs, from -1 to 1.
        dim : int, optional
            Number of input coordinates, where the model does not say it and has a `width`.
        """
        cosine = real("rho", rho)
        if not (np.abs(cosine) <= 1).all():
            raise ValueError(f"`rho` must hold numbers from -1 to 1, got {cosine!r}")
        return self._recursion(np.ones(()), np.ones(()), cosine, self._input_dim(dim))

    def power_series(self, count: SupportsIndex, dim: SupportsIndex | None = None) -> tuple[Array, float, float]:
        """Return the power series of `kernel`: Theta(rho) = sum_m A_m (rho/r)^m, with every A_m >= 0.

        Parameters
        ----------
        count : int
            Number of coefficients A_0, A_1, ..., >= 2.
        dim : int, optional
            As for `kernel`.

        Returns
        -------
        coefficients : ndarray, shape (count,)
            Each with its own relative accuracy, however small it is. Costs 5 depth count^2.
        radius : float
            r >= 1, at which the series still converges.
        total : float
            Theta(r), the sum of all the coefficients.
        """
        value = np.zeros(integer("count", count, 2))
        input_dim, dual, square = self._input_dim(dim), DUALS[self.activation], self.scale**2
        radius = value[1] = self._radius()
        variance, series = np.ones(()), self._weight(input_dim) * value
        series[0] += float(self.bias)
        for _ in range(self.depth):
            # Theta_{l+1} = D_l Theta_l + m_l K_l + beta
            before = square * variance
            value, slope = dual.series(float(before), square * value)
            variance = dual.at(before, before, before)[0]
            series = multiply(series, square * slope) + self._weight(self.width) * value
            series[0] += float(self.bias)
        one = np.ones(())
        return series, radius, float(self._recursion(one, one, np.array(radius), input_dim))

    def _weight(self, fan_in: int | None) -> float:
        return self.scale**2 if self.width is None or fan_in is None else float(fan_in)

    def _input_dim(self, dim: SupportsIndex | None) -> int | None:
        known = self.dim if dim is None else integer("dim", dim, 1)
        if known is None and self.width is not None:
            raise ShapeError(f"`dim` must be given: the kernel of {self!r} depends on the number of input coordinates")
        return known

    def _recursion(self, v: Array, v2: Array, cosine: Array, input_dim: int | None) -> Array:
        """Theta from ||x||^2/dim, ||x'||^2/dim and <x, x'>/dim."""
        dual, square, beta = DUALS[self.activation], self.scale**2, float(self.bias)
        value, theta = cosine, self._weight(input_dim) * cosine + beta
        for _ in range(self.depth):
            a, b, c = square * v, square * v2, square * value
            value, slope = dual.at(a, b, c)
            v, v2 = dual.at(a, a, a)[0], dual.at(b, b, b)[0]
            theta = theta * (square * slope) + self._weight(self.width) * value + beta
        return np.asarray(theta)

    def _radius(self) -> float:
        """The largest r, less a little, at which every layer's series converges in rho^m / r^m; 1 for relu."""
        dual, square = DUALS[self.activation], self.scale**2
        low, high = 1.0, dual.largest(square) / square
        if high == 1:
            return 1.0

        def converges(radius: float) -> bool:
            variance, value = np.ones(()), np.array(radius)
            for _ in range(self.depth):
                before = square * variance
                if not square * value <= (1 - 1e-3) * dual.largest(float(before)):
                    return False
                value, variance = (dual.at(before, before, c)[0] for c in (square * value, before))
            return True

        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if converges(middle) else (low, middle)
        return low
