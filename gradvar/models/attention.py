"""Soft attention."""

from __future__ import annotations

import math
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..core.arguments import Array, SeedLike, integer, real_array
from ..core.errors import ShapeError
from .gradients import Block, LayerGradient
from .network import Backward, WithReadout, array_of_shape, gaussian
from .recurrent import steps_of


class Attention(WithReadout):
    r"""One layer of soft attention over the input as a sequence, read out at its last position.

    x is cut into T positions x_1, ..., x_T of k = dim/T coordinates each. With embeddings z_t = E x_t + P_t and, for
    each head, the rows Q, K, V of the weights that belong to it (m/H of them),

        alpha = softmax_t( <Q z_T, K z_t> / (m/H)^{1/2} ),      o = sum_t alpha_t V z_t,
        p(x) = <v, o> + c,      o stacked over the H heads.

    Parameters, in the order of the gradient: E, P, Q, K, V (row-major), v, c.

    Exchanging the symbol at one position t < T moves the output of one head by at most 2 D e^{2A}/T, where A bounds
    |logits| and D bounds |<v, V z>|: by O(1/T) (Hahn 2020, arXiv 1906.06755, Lemma 5). For alpha_t <= e^{2A}/T, the
    others keep their ratios, and so the output moves by at most D (alpha_t + alpha'_t + |alpha_t - alpha'_t|).

    Parameters
    ----------
    embedding : array_like, shape (m, k)
        E.
    positions : array_like, shape (T, m)
        P.
    query, key, value : array_like, shape (m, m)
        Q, K, V of all heads: rows h m/H, ..., (h + 1) m/H - 1 belong to head h.
    output_weights : array_like, shape (m,)
        v.
    output_bias : float, optional
        c; None is a network without.
    heads : int
        H, a divisor of m.

    Notes
    -----
    Only the last position asks, so that the gradients of Q, K and V have rank one for each head and input; those of E
    and P are written out. Costs n T m (H + k) + n m^2.

    Raises
    ------
    ShapeError, NonFiniteError, ValueError, TypeError
        Weights that do not fit, heads that do not divide the width, infinite weights.

    Examples
    --------
    >>> mean = Attention([[1.0]], [[0.0]] * 3, [[0.0]], [[0.0]], [[1.0]], [1.0])  # all logits 0
    >>> mean.predict([[1.0, 1.0, -1.0]]).round(12), mean.n_parameters
    (array([0.33333333]), 8)
    """

    _of_all = ("embedding", "positions", "query", "key", "value", "output_weights", "output_bias")

    def __init__(
        self,
        embedding: npt.ArrayLike,
        positions: npt.ArrayLike,
        query: npt.ArrayLike,
        key: npt.ArrayLike,
        value: npt.ArrayLike,
        output_weights: npt.ArrayLike,
        output_bias: float | None = None,
        *,
        heads: SupportsIndex = 1,
    ) -> None:
        self.embedding = real_array("embedding", embedding, 2, "(m, k)")
        m, k = self.embedding.shape
        self.width: int = m
        if m == 0 or k == 0:
            raise ShapeError(f"`embedding` must have shape (m, k) with m, k >= 1, got {(m, k)}")
        self.positions = real_array("positions", positions, 2, f"(T, {m})")
        if self.positions.shape[0] == 0 or self.positions.shape[1] != m:
            raise ShapeError(f"`positions` must have shape (T, {m}) with T >= 1, got {self.positions.shape}")
        why = f"for embeddings of width {m}"
        self.query = array_of_shape("query", query, (m, m), why)
        self.key = array_of_shape("key", key, (m, m), why)
        self.value = array_of_shape("value", value, (m, m), why)
        self._set_output(output_weights, output_bias, m, why)
        self.heads = integer("heads", heads, 1)
        if m % self.heads:
            raise ValueError(f"`heads` must divide the width {m}, got {self.heads}")
        self.length: int = self.positions.shape[0]
        self.dim: int = self.length * k
        self._freeze()

    @classmethod
    def random(
        cls,
        dim: SupportsIndex,
        width: SupportsIndex,
        heads: SupportsIndex = 1,
        length: SupportsIndex | None = None,
        rng: SeedLike = None,
        scale: float = 1.0,
        bias: bool = True,
    ) -> Attention:
        """Draw a network with Gaussian weights of standard deviation scale / sqrt(fan_in) and the bias zero.

        Parameters
        ----------
        dim, width : int
            Input coordinates and the width m of the embeddings.
        heads : int
            H, a divisor of `width`.
        length : int, optional
            Number of positions T, a divisor of `dim`; None is one coordinate a position.
        rng, scale
            As for `MLP.random`; the fan-in of P is 1, as exactly one position is on.
        bias : bool
            Whether there is an output bias c.

        Examples
        --------
        >>> Attention.random(20, 16, heads=2, rng=0)
        Attention(dim=20, length=20, width=16, heads=2)
        """
        dim, m = integer("dim", dim, 1), integer("width", width, 1)
        steps = steps_of(length, dim)
        draw = gaussian(rng, scale, bias)
        k = dim // steps
        return cls(
            draw(m, k, fan_in=k),
            draw(steps, m, fan_in=1),
            draw(m, m, fan_in=m),
            draw(m, m, fan_in=m),
            draw(m, m, fan_in=m),
            draw(m, fan_in=m),
            0.0 if bias else None,
            heads=heads,
        )

    def __repr__(self) -> str:
        return f"Attention(dim={self.dim}, length={self.length}, width={self.width}, heads={self.heads})"

    def _row_size(self) -> int:
        return self.length * (3 * self.width + 4 * self.heads) + 4 * self.heads * self.width + self.n_parameters

    def _forward(self, x: Array) -> tuple[Array, Backward]:
        n, m = x.shape[0], self.width
        scale = 1 / math.sqrt(m // self.heads)
        # the rows of each head, (H, m/H, m)
        keys, values = (weights.reshape(self.heads, -1, m) for weights in (self.key, self.value))
        tokens = x.reshape(n, self.length, self.dim // self.length)
        z = tokens @ self.embedding.T + self.positions
        # by head: Q z_T (n, H, m/H) and K^T Q z_T (n, H, m)
        query = (z[:, -1] @ self.query.T).reshape(n, self.heads, m // self.heads)
        probe = np.einsum("nhi,him->nhm", query, keys)
        # alpha = softmax_t(<K^T Q z_T, z_t> / (m/H)^{1/2}),  o = V sum_t alpha_t z_t
        logits = probe @ z.transpose(0, 2, 1) * scale
        alpha = np.exp(logits - logits.max(axis=2, keepdims=True))
        alpha /= alpha.sum(axis=2, keepdims=True)
        mean = alpha @ z
        output = np.einsum("him,nhm->nhi", values, mean).reshape(n, m)

        def back(c: Array) -> list[Block]:
            weights = c[:, None, None]
            v = self.output_weights.reshape(self.heads, -1)
            wanted = np.einsum("hi,him->hm", v, values)  # V^T v = dp/d(sum_t alpha_t z_t), each head
            # dp/dlogit_t = alpha_t (dp/dalpha_t - sum_s alpha_s dp/dalpha_s),  dp/dalpha_t = <V^T v, z_t>
            gains = wanted @ z.transpose(0, 2, 1)
            of_logits = alpha * (gains - np.sum(alpha * gains, axis=2, keepdims=True)) * (scale * weights)
            # the logits are <Q z_T, K z_t>: dp/d(K^T Q z_T) = sum_t dp/dlogit_t z_t, and dp/d(Q z_T) is K times that
            moved = of_logits @ z
            asked = np.einsum("him,nhm->nhi", keys, moved)
            # dp/dz_t = dp/dlogit_t K^T Q z_T + alpha_t V^T v, and at t = T also Q^T dp/d(Q z_T)
            embedded = of_logits.transpose(0, 2, 1) @ probe + (alpha * weights).transpose(0, 2, 1) @ wanted
            embedded[:, -1] += asked.reshape(n, m) @ self.query
            heads, onto = range(self.heads), v * weights
            return [
                (embedded.transpose(0, 2, 1) @ tokens).reshape(n, self.embedding.size),
                embedded.reshape(n, self.positions.size),
                *(LayerGradient(z[:, -1:], asked[:, h : h + 1]) for h in heads),
                *(LayerGradient(moved[:, h : h + 1], query[:, h : h + 1]) for h in heads),
                *(LayerGradient(mean[:, h : h + 1], onto[:, h : h + 1]) for h in heads),
            ]

        return self._output(output, back)
