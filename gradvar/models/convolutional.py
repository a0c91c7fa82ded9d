"""Convolutional networks in one dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from ..core.arguments import Array, SeedLike, integer, sequence
from ..core.errors import ShapeError
from ..core.reach import Reach
from .gradients import Block, LayerGradient
from .layer_reach import ALLOWANCE, activated, affine, around_zero, product, steepened
from .network import Backward, WithReadout, activation_name, gaussian, layer, layers_and_biases

_LARGEST_MATRIX = 2**22


class Convolutional(WithReadout):
    """A one-dimensional convolutional network, averaged over positions.

    a_0 = x, a sequence of dim positions with one channel;

        a_l[t, o] = sigma(b_l[o] + sum_{i, j} K_l[o, i, j] a_{l-1}[t + j, i])      at every t where the kernel fits,
        p(x) = <v, mean_t a_L[t]> + c.

    Parameters, in the order of the gradient: K_1 (row-major), b_1, K_2, b_2, ..., v, c.

    Parameters
    ----------
    kernels : sequence of array_like, shapes (channels out, channels in, width)
        K_1, ..., K_L; K_1 has one channel in.
    output_weights : array_like, shape (channels of the last layer,)
        v.
    biases : sequence of array_like or None, shapes (channels out,), optional
        b_1, ..., b_L; None (in all, or for one layer) is a layer without biases.
    output_bias : float, optional
        c; None is a network without.
    dim : int
        Number of input coordinates; each layer takes width - 1 positions off.
    activation : str
        As for `MLP`.

    Notes
    -----
    Costs n (positions) (kernel size) a layer for a prediction, twice that for the gradient. The gradient of a kernel is
    a sum over positions and written out, unless there is one position: see `gradvar.models.gradients`.

    Raises
    ------
    ShapeError, NonFiniteError, ValueError, TypeError
        Kernels that do not fit on each other or are longer than their input, infinite weights, unknown activations.

    Examples
    --------
    >>> edges = Convolutional([[[[1.0, -1.0]]]], [1.0], dim=4, activation="relu")
    >>> edges.predict([[1.0, -1.0, -1.0, 1.0]]), edges.n_parameters
    (array([0.66666667]), 3)
    """

    _of_each_layer = ("kernels", "biases")
    _of_all = ("output_weights", "output_bias")

    def __init__(
        self,
        kernels: Sequence[npt.ArrayLike],
        output_weights: npt.ArrayLike,
        biases: Sequence[npt.ArrayLike | None] | None = None,
        output_bias: float | None = None,
        *,
        dim: SupportsIndex,
        activation: str = "tanh",
    ) -> None:
        self.activation = activation_name(activation)
        self.dim = integer("dim", dim, 1)
        axes = ("channels out", "channels in", "width")
        self.kernels, self.biases = layers_and_biases("kernels", kernels, biases, axes)
        if self.kernels[0].shape[1] != 1:
            shape = self.kernels[0].shape
            raise ShapeError(f"`kernels[0]` must have shape (channels out, 1, width): x is one channel, got {shape}")
        positions = self.dim
        for i, kernel in enumerate(self.kernels):
            if kernel.shape[2] > positions:
                raise ShapeError(
                    f"`kernels[{i}]` must not be wider than its input of {positions} positions (dim = {self.dim}), "
                    f"got width {kernel.shape[2]}"
                )
            positions -= kernel.shape[2] - 1
        channels: int = self.kernels[-1].shape[0]
        self._set_output(output_weights, output_bias, channels, f"for {channels} channels")
        self._freeze()

    @classmethod
    def random(
        cls,
        dim: SupportsIndex,
        channels: Sequence[SupportsIndex],
        width: SupportsIndex,
        activation: str = "tanh",
        rng: SeedLike = None,
        scale: float = 1.0,
        bias: bool = True,
    ) -> Convolutional:
        """Draw a network with Gaussian weights of standard deviation scale / sqrt(fan_in) and biases zero.

        Parameters
        ----------
        dim : int
            Input coordinates.
        channels : sequence of int
            Channels of each layer.
        width : int
            Positions that a kernel covers, in every layer.
        activation, rng, scale, bias
            As for `MLP.random`; the fan-in of a kernel is (channels in) width.

        Examples
        --------
        >>> Convolutional.random(20, [8, 16], width=3, rng=0)
        Convolutional(dim=20, channels=1-8-16, widths=3-3, tanh)
        """
        accepted = "a sequence of channels, one number for each layer"
        sizes = [integer(f"channels[{i}]", size, 1) for i, size in enumerate(sequence("channels", channels, accepted))]
        if not sizes:
            raise ShapeError(f"`channels` must be {accepted}, got none")
        width = integer("width", width, 1)
        draw = gaussian(rng, scale, bias)
        return cls(
            [draw(out, into, width, fan_in=into * width) for into, out in pairwise([1, *sizes])],
            draw(sizes[-1], fan_in=sizes[-1]),
            [np.zeros(out) for out in sizes] if bias else None,
            0.0 if bias else None,
            dim=dim,
            activation=activation,
        )

    def __repr__(self) -> str:
        channels = "-".join(str(k.shape[0]) for k in self.kernels)
        widths = "-".join(str(k.shape[2]) for k in self.kernels)
        return f"Convolutional(dim={self.dim}, channels=1-{channels}, widths={widths}, {self.activation})"

    def largest_gradient(self, reach: Reach) -> float:
        """Return a bound on ||dp/dw||^2 over all inputs of this reach: infinity where it has none, never too small.

        A layer is written out as a matrix of all positions; where it has more than 2^22 entries, there is no bound.
        """
        layers, inputs, matrices = [], [reach], []
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            out, channels, width = kernel.shape
            count = inputs[-1].low.size // channels - width + 1
            if count * out * inputs[-1].low.size > _LARGEST_MATRIX:
                return math.inf
            matrix = np.zeros((count, out, count + width - 1, channels))
            for t in range(count):
                matrix[t, :, t : t + width] = kernel.transpose(0, 2, 1)
            matrices.append(matrix.reshape(count * out, -1))
            tiled = None if bias is None else np.tile(bias, count)
            layers.append(activated(affine(inputs[-1], matrices[-1], tiled), self.activation))
            inputs.append(layers[-1].output)
        # p = <v, mean_t a[t]>:  ||mean_t a[t]||^2 <= ||a||^2/T
        positions = inputs[-1].low.size // self.output_weights.size
        total = inputs[-1].norm ** 2 / positions + (self.output_bias is not None)
        onto = around_zero(np.tile(np.abs(self.output_weights) / positions, positions))
        for i in reversed(range(len(layers))):
            delta = steepened(onto, layers[i].steepest)
            # ||sum_t delta_t patch_t^T||^2 <= ||delta||^2 sum_t ||patch_t||^2; a position is in `width` patches at most
            out, channels, width = self.kernels[i].shape
            count = delta.low.size // out
            patches = min(width, count) * inputs[i].norm ** 2
            total += float(product(delta.norm**2, patches + count * (self.biases[i] is not None)))
            onto = affine(delta, matrices[i].T)
        return total * ALLOWANCE

    def _row_size(self) -> int:
        # patches, values, slopes and deltas at every position; their gradient at the patches
        a_position: int = sum(2 * k[0].size + 3 * k.shape[0] for k in self.kernels)
        return self.dim * a_position + self.n_parameters

    def _forward(self, x: Array) -> tuple[Array, Backward]:
        values, layers = x[:, :, None], []
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            # patches (n, T, in width): what the kernel sees at each position
            windows = sliding_window_view(values, kernel.shape[2], axis=1)
            patches = windows.reshape(*windows.shape[:2], kernel[0].size)
            values, slope = layer(patches, _matrix(kernel), bias, self.activation)
            layers.append((patches, slope))
        positions = values.shape[1]

        def back(c: Array) -> list[Block]:
            blocks: list[Block] = []
            onto = (c[:, None] * (self.output_weights / positions))[:, None]  # dp/da_L, the same at every position
            for i in reversed(range(len(layers))):
                patches, slope = layers[i]
                # dp/dz_l[t] = dp/da_l[t] sigma'(z_l[t]),  dp/dK_l = sum_t dp/dz_l[t] patch_t^T
                deltas = onto * slope
                blocks.append(LayerGradient(patches, deltas, self.biases[i] is not None))
                if i > 0:
                    onto = _onto_positions(deltas @ _matrix(self.kernels[i]), self.kernels[i].shape)
            return blocks[::-1]

        return self._output(values.mean(axis=1), back)


def _matrix(kernel: Array) -> Array:
    return kernel.reshape(kernel.shape[0], -1)


def _onto_positions(patches: Array, kernel_shape: tuple[int, ...]) -> Array:
    """Add what belongs to each patch (n, T, in * width) to the positions that it covers, (n, T + width - 1, in)."""
    _, channels, width = kernel_shape
    n, count, _ = patches.shape
    windows = patches.reshape(n, count, channels, width)
    total = np.zeros((n, count + width - 1, channels))
    for j in range(width):
        total[:, j : j + count] += windows[..., j]
    return total
