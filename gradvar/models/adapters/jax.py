"""Models of JAX."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, integer
from ...core.errors import ShapeError
from ..base import check_one_output, parameter_vector, split_as
from .one_example import check_examples, distinct_rows

if TYPE_CHECKING:
    import jax

Apply = Callable[..., object]
"""(params, x) -> predictions; params is a pytree of any form."""

_NUMBERS, _MOST_ROWS = 2**22, 1024
_TOLERANCE = 1e-10
"""Difference of two computations of one number that is rounding, relative to the largest term."""


class JaxModel:
    """A model given by a JAX function of parameters and inputs; see `from_jax`."""

    def __init__(self, apply: Apply, params: object, chunk: int | None) -> None:
        import jax

        self._apply = apply
        self._leaves, self._structure = jax.tree_util.tree_flatten(params)
        self._free = _floating(params)
        for i in self._free:
            self._leaves[i] = np.array(self._leaves[i], dtype=np.float64)
        self.n_parameters: int = sum(weights.size for weights in self._weights)
        if not self.n_parameters:
            raise ValueError("`params` must hold at least one floating-point number: they are w")
        fitting = min(max(_NUMBERS // self.n_parameters, 1), _MOST_ROWS)
        self._chunk = 1 << (fitting.bit_length() - 1) if chunk is None else chunk
        self._seen = False

        def predict(weights: list[jax.Array], x: jax.Array) -> jax.Array:
            leaves = list(self._leaves)
            for i, array in zip(self._free, weights, strict=True):
                leaves[i] = array
            return self._called(jax.tree_util.tree_unflatten(self._structure, leaves), x)

        def gradient(weights: list[jax.Array], x: jax.Array) -> jax.Array:
            of_one = jax.grad(lambda w, example: predict(w, example[None])[0])
            parts = jax.vmap(of_one, (None, 0))(weights, x)
            return jax.numpy.concatenate([part.reshape(x.shape[0], -1) for part in parts], axis=1)

        self._compiled_predict, self._compiled_gradient = jax.jit(predict), jax.jit(gradient)

    def __reduce__(self) -> tuple[type[JaxModel], tuple[Apply, object, int]]:
        import jax

        return JaxModel, (self._apply, jax.tree_util.tree_unflatten(self._structure, self._leaves), self._chunk)

    def __repr__(self) -> str:
        return f"from_jax({self._name}, n_parameters={self.n_parameters})"

    @property
    def description(self) -> str:
        """The model in words."""
        return f"{self._name} (JAX, float64)"

    @property
    def parameters(self) -> Array:
        """All parameters in the order of the gradient, shape (P,)."""
        return np.concatenate([weights.ravel() for weights in self._weights])

    def with_parameters(self, parameters: npt.ArrayLike) -> JaxModel:
        """Return the same function with other parameters, given in the order of the gradient, shape (P,)."""
        import jax

        flat = parameter_vector(parameters, self.n_parameters, self)
        leaves = list(self._leaves)
        for i, values in zip(self._free, split_as([w.shape for w in self._weights], flat), strict=True):
            leaves[i] = values
        return JaxModel(self._apply, jax.tree_util.tree_unflatten(self._structure, leaves), self._chunk)

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return p(x), shape (n,)."""
        array = self._inputs(x)
        return np.concatenate([np.empty(0), *self._in_chunks(self._compiled_predict, array)])

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return dp(x)/dw, shape (n, P), parameters in the order of the leaves of the pytree, each row-major."""
        array = self._inputs(x)
        return np.concatenate([np.empty((0, self.n_parameters)), *self._in_chunks(self._compiled_gradient, array)])

    @property
    def _name(self) -> str:
        return str(getattr(self._apply, "__name__", type(self._apply).__name__))

    @property
    def _weights(self) -> list[Array]:
        return [self._leaves[i] for i in self._free]

    def _inputs(self, x: npt.ArrayLike) -> Array:
        """The inputs as an array; at the first ones the function is made sure of."""
        array = np.asarray(x, dtype=np.float64)
        if array.ndim != 2:
            raise ShapeError(f"`x` must have shape (n, dim) for {self!r}, got {array.shape}")
        rows = array[:0] if self._seen else distinct_rows(array)
        if len(rows):
            self._check(rows)
            self._seen = self._seen or len(rows) > 1
        return array

    def _check(self, x: Array) -> None:
        def predict(rows: Array) -> Array:
            return np.concatenate(list(self._in_chunks(self._compiled_predict, rows)))

        p, g = predict(x), np.concatenate(list(self._in_chunks(self._compiled_gradient, x)))
        with np.errstate(invalid="ignore"):
            terms = np.abs(p) + np.abs(g) @ np.abs(self.parameters)  # what a prediction sums
        tolerance = _TOLERANCE * float(np.nanmax(terms, initial=0.0))
        check_examples(predict, x, tolerance, "`apply`", "use the evaluation mode of the network")

    def _in_chunks(self, function: Callable[..., jax.Array], x: Array) -> Iterator[Array]:
        """Values of a compiled function, chunk by chunk, padded to powers of two: few shapes to compile for."""
        import jax

        for start, stop in itertools.pairwise([*range(0, len(x), self._chunk), len(x)]):
            rows = stop - start
            padded = min(1 << (rows - 1).bit_length(), self._chunk)
            block = np.concatenate([x[start:stop], np.repeat(x[start : start + 1], padded - rows, axis=0)])
            # A context of this thread: what the caller computes elsewhere keeps its precision.
            with jax.enable_x64(True):
                yield np.asarray(function(self._weights, block), dtype=np.float64)[:rows]

    def _called(self, params: object, x: jax.Array) -> jax.Array:
        """The user's function, made sure to return one number for each example."""
        import jax

        try:
            p = self._apply(params, x)
        except (TypeError, ValueError, IndexError) as error:
            raise ValueError(f"`apply(params, x)` fails at x of shape {x.shape}, {x.dtype}: {error}") from error
        n = x.shape[0]
        if not isinstance(p, jax.Array):
            raise TypeError(f"`apply` must return an array of shape (n,), got a {type(p).__name__}")
        column = p.shape == (n, 1)
        remedy = "; for its column pass lambda params, x: apply(params, x)[:, 0]" if column else ""
        check_one_output("`apply`", p.shape, n, remedy=remedy)
        if not jax.numpy.issubdtype(p.dtype, jax.numpy.floating):
            raise TypeError(f"`apply` must return real numbers, got {p.dtype}")
        return p


def _floating(params: object) -> list[int]:
    """Positions of the floating-point leaves; what is no array of numbers is refused by its name."""
    import jax

    found = []
    for i, (path, leaf) in enumerate(jax.tree_util.tree_leaves_with_path(params)):
        name = f"params{jax.tree_util.keystr(path)}"
        if not isinstance(leaf, (jax.Array, np.ndarray, np.generic, float, int)):
            raise TypeError(f"`params` must be a pytree of arrays of numbers, got {leaf!r} at {name}")
        dtype = jax.numpy.result_type(leaf)
        if jax.numpy.issubdtype(dtype, jax.numpy.complexfloating):
            raise TypeError(f"`params` must hold real numbers, got {dtype} at {name}")
        if jax.numpy.issubdtype(dtype, jax.numpy.floating):
            found.append(i)
    return found


def from_jax(apply: Apply, params: object, *, chunk: SupportsIndex | None = None) -> JaxModel:
    """Make a model of a JAX function of parameters and inputs.

    p_w(x) = apply(params, x), and w are the floating-point leaves of the pytree `params`, in the order of
    `jax.tree_util.tree_leaves`, each row-major; integers are held fixed. They are copied and converted to float64, and
    the function is compiled and differentiated (`jit`, `vmap` of `grad`) in a context with 64 bits, which leaves the
    caller's configuration alone. It is compiled for few shapes: inputs are taken in chunks, padded to a power of two.

    Parameters
    ----------
    apply : callable
        Takes the parameters and inputs (n, dim) and returns predictions (n,), each a function of its own input.
    params : pytree
        Of arrays (NumPy or JAX) or numbers.
    chunk : int, optional
        Examples that are differentiated at once, >= 1; by default as many as have gradients of 32 MiB.

    Returns
    -------
    JaxModel
        Exact up to rounding in float64. The same bits for any number of workers on a machine. It pickles if `apply`
        does. XLA does not survive a fork: give a process pool the start method "spawn".

    Raises
    ------
    ImportError
        JAX is not installed.
    TypeError, ValueError
        `params` without floating-point numbers, or with something other than numbers.
    ShapeError, TypeError, ValueError
        At the first call: `apply` returns another shape, (n, 1) included, or mixes the examples of a batch.

    Examples
    --------
    >>> import gradvar as gv, jax.numpy as jnp
    >>> def neuron(params, x):
    ...     return jnp.tanh(x @ params["w"] + params["b"])
    >>> model = gv.from_jax(neuron, {"w": jnp.ones(3), "b": 0.0})
    >>> model.n_parameters  # in the order b, w: dictionaries are sorted by key
    4
    >>> model.predict([[1.0, 1.0, -2.0]])
    array([0.])
    """
    try:
        import jax  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "jax":
            raise
        raise ImportError("`from_jax` needs JAX: install jax (the extra gradient-variance[jax])") from None
    if not callable(apply):
        raise TypeError(f"`apply` must be a function of parameters and inputs (n, dim), got {apply!r}")
    return JaxModel(apply, params, None if chunk is None else integer("chunk", chunk, 1))
