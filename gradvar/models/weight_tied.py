"""Weight-tied networks: one layer applied again and again, and its equilibrium."""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np
import numpy.typing as npt
from scipy.linalg import block_diag

from ..core.arguments import Array, SeedLike, integer
from ..core.reach import Reach
from .iteration import IteratedNetwork
from .mlp import MLP
from .network import Backward, gaussian

_CONTRACTING = 0.8
"""Spectral norm at which the map contracts with any activation: no slope is above 1.13 (gelu's)."""


class WeightTied(IteratedNetwork):
    r"""A network whose layers share their weights and all see the input; or the equilibrium of such a layer.

        h_0 = 0,      h_t = sigma(W_z h_{t-1} + W_x x + b),      p(x) = <v, h_T> + c

    after T = `steps` steps, or, with steps None, at the limit h = sigma(W_z h + W_x x + b), a deep equilibrium model
    (Bai, Kolter and Koltun 2019, arXiv 1909.01377). There the gradient is the implicit function's: with
    D = diag sigma'(W_z h + W_x x + b),

        delta = D (v + W_z^T delta),      dp/dW_z = delta h^T,      dp/dW_x = delta x^T,      dp/db = delta.

    Parameters, in the order of the gradient: W_z, W_x (row-major), b, v, c.

    Parameters
    ----------
    state_weights : array_like, shape (m, m)
        W_z.
    input_weights : array_like, shape (m, dim)
        W_x.
    output_weights : array_like, shape (m,)
        v.
    bias : array_like, shape (m,), optional
        b; None is a network without.
    output_bias : float, optional
        c; None is a network without.
    steps : int or None
        T, >= 1, or None for the equilibrium.
    activation : str
        As for `MLP`.

    Notes
    -----
    Both equilibria, h and delta, are the limits of their iterations from 0, stopped at each input when a step moves no
    unit by more than r = 1e-13 of the largest. Where the map contracts by a factor q, that leaves an error of at most
    r q/(1 - q) in h and in delta for its h: with q = 0.9 some 1e-12. An iteration that has not arrived after 5000 steps
    is an error. Its gradient's iteration arrives only where the equilibrium is stable.

    Costs n m (m + dim) a step. The gradient of W_z is a sum over T - 1 steps, written out unless T <= 2 (see
    `gradvar.models.gradients`); at the equilibrium it has one term.

    Raises
    ------
    ShapeError, NonFiniteError, ValueError, TypeError
        Weights that do not fit, infinite weights, unknown activations; from `predict` and `gradient`: no equilibrium.

    Examples
    --------
    >>> halved = WeightTied([[0.5]], [[1.0]], [1.0], steps=None, activation="identity")  # h = h/2 + x
    >>> halved.predict([[1.0]]).round(12), halved.gradient([[1.0]]).round(12)
    (array([2.]), array([[4., 2., 2.]]))
    """

    def __init__(
        self,
        state_weights: npt.ArrayLike,
        input_weights: npt.ArrayLike,
        output_weights: npt.ArrayLike,
        bias: npt.ArrayLike | None = None,
        output_bias: float | None = None,
        *,
        steps: SupportsIndex | None,
        activation: str = "tanh",
    ) -> None:
        super().__init__(state_weights, input_weights, output_weights, bias, output_bias, activation, "dim")
        self.steps: int | None = None if steps is None else integer("steps", steps, 1)
        self.width: int = self.input_weights.shape[0]
        self.dim: int = self.input_weights.shape[1]

    @classmethod
    def random(
        cls,
        dim: SupportsIndex,
        width: SupportsIndex,
        steps: SupportsIndex | None,
        activation: str = "tanh",
        rng: SeedLike = None,
        scale: float = 1.0,
        bias: bool = True,
    ) -> WeightTied:
        """Draw a network with Gaussian weights of standard deviation scale / sqrt(fan_in) and biases zero.

        Where `steps` is None, W_z is scaled down to spectral norm 0.8 if its own is larger: then the map contracts.

        Parameters
        ----------
        dim, width : int
            Input coordinates and units m.
        steps : int or None
            T, or None for the equilibrium.
        activation, rng, scale, bias
            As for `MLP.random`.

        Examples
        --------
        >>> WeightTied.random(20, 64, steps=None, rng=0)
        WeightTied(20-64, equilibrium, tanh)
        """
        dim, m = integer("dim", dim, 1), integer("width", width, 1)
        draw = gaussian(rng, scale, bias)
        state_weights = draw(m, m, fan_in=m)
        if steps is None:
            norm = float(np.linalg.norm(state_weights, 2))
            state_weights *= min(1.0, _CONTRACTING / norm) if norm > 0 else 1.0
        return cls(
            state_weights,
            draw(m, dim, fan_in=dim),
            draw(m, fan_in=m),
            np.zeros(m) if bias else None,
            0.0 if bias else None,
            steps=steps,
            activation=activation,
        )

    @classmethod
    def from_mlp(cls, mlp: MLP) -> WeightTied:
        """Return the weight-tied network that computes what a network with at least one hidden layer does.

        Its state is the stack of all hidden layers: W_z has the layers' weights W_2, ..., W_{L-1} below the diagonal,
        W_x = [W_1; 0; ...; 0], b stacks the biases, and v reads the last block. After L - 1 steps, one for each
        hidden layer, every block is what it is in `mlp`, and stays so.

        Parameters
        ----------
        mlp : MLP
            With hidden widths m_1, ..., m_{L-1}; the result has m_1 + ... + m_{L-1} units.

        Examples
        --------
        >>> WeightTied.from_mlp(MLP.random([20, 32, 16, 1], rng=0))
        WeightTied(20-48, 2 steps, tanh)
        """
        if not isinstance(mlp, MLP) or len(mlp.weights) < 2:
            raise ValueError(f"`mlp` must be an MLP with at least one hidden layer, got {mlp!r}")
        if not isinstance(mlp.activation, str):
            raise ValueError(f"`mlp` must have an activation that is known by name, got {mlp!r}")
        hidden, widths = mlp.weights[:-1], mlp.sizes[1:-1]
        m = sum(widths)
        state_weights, input_weights, output_weights = np.zeros((m, m)), np.zeros((m, mlp.dim)), np.zeros(m)
        input_weights[: widths[0]] = hidden[0]
        state_weights[widths[0] :, : m - widths[-1]] = block_diag(*hidden[1:])
        output_weights[m - widths[-1] :] = mlp.weights[-1][0]
        biases = [np.zeros(n) if b is None else b for n, b in zip(widths, mlp.biases, strict=False)]
        last = mlp.biases[-1]
        return cls(
            state_weights,
            input_weights,
            output_weights,
            None if all(b is None for b in mlp.biases[:-1]) else np.concatenate(biases),
            None if last is None else float(last[0]),
            steps=len(hidden),
            activation=mlp.activation,
        )

    def largest_gradient(self, reach: Reach) -> float:
        """Return a bound on ||dp/dw||^2 over all inputs of this reach: infinity at an equilibrium, never too small."""
        return np.inf if self.steps is None else self._largest_gradient([reach] * self.steps)

    def __repr__(self) -> str:
        steps = "equilibrium" if self.steps is None else "1 step" if self.steps == 1 else f"{self.steps} steps"
        return f"WeightTied({self.dim}-{self.width}, {steps}, {self.activation})"

    def _row_size(self) -> int:
        return 3 * (self.steps or 3) * self.width + self.n_parameters

    def _forward(self, x: Array) -> tuple[Array, Backward]:
        if self.steps is None:
            return self._equilibrium(x)
        shape = (x.shape[0], self.steps, self.width)
        u, slack = self._drive(x)
        same_slack = None if slack is None else np.broadcast_to(slack[:, None], shape)
        return self._after_steps(x[:, None], np.broadcast_to(u[:, None], shape), same_slack)
