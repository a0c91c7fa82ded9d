"""Models of JAX."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsIndex, TypeVar

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array, integer
from ...core.errors import ShapeError
from ..base import check_one_output
from ..gradients import Block
from ..precision import unit_of
from .adapted import Adapted, adds_up, batch_weights, fitting_rows

if TYPE_CHECKING:
    import jax
    from jax.extend.core import Jaxpr, Var

Apply = Callable[..., object]
"""(params, x) -> predictions; params is a pytree of any form."""
Trainable = Callable[[str], bool] | object
"""Whether a leaf belongs to w, by its path, "params/Dense_0/kernel"; or a pytree of bools, or the upper part of one."""
Result = TypeVar("Result")


class JaxModel(Adapted):
    """A model given by a JAX function of parameters and inputs; see `from_jax`."""

    _words = "`apply`", "JAX", "use the evaluation mode of the network"

    def __init__(self, apply: Apply, params: object, free: list[int], dtype: str, chunk: int | None) -> None:
        import jax

        self._apply, self._free, self._dtype_name = apply, free, dtype
        self._name = str(getattr(apply, "__name__", type(apply).__name__))
        self._leaves, self._structure = jax.tree_util.tree_flatten(params)
        for i in free:
            self._leaves[i] = np.array(self._leaves[i], dtype=jax.numpy.dtype(dtype))
        self.n_parameters = sum(weights.size for weights in self._weights())
        if not self.n_parameters:
            raise ValueError("`params` must hold at least one floating-point number: they are w")
        self._chunk = chunk or 1 << (fitting_rows(self.n_parameters).bit_length() - 1)
        self._compiled = jax.jit(self._prediction), jax.jit(self._gradients)

    def __reduce__(self) -> tuple[type[JaxModel], tuple[object, ...]]:
        import jax

        params = jax.tree_util.tree_unflatten(self._structure, self._leaves)
        return JaxModel, (self._apply, params, self._free, self._dtype_name, self._chunk)

    def _names(self) -> list[str]:
        import jax

        params = jax.tree_util.tree_unflatten(self._structure, self._leaves)
        leaves = jax.tree_util.tree_leaves_with_path(params)
        paths = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
        return [paths[i] or "params" for i in self._free]

    def contraction(self, n_outputs: int) -> JaxModel:
        """Return the model (x, c) -> <c, p(x)> of one with so many outputs, with the same parameters."""
        import jax

        params = jax.tree_util.tree_unflatten(self._structure, self._leaves)
        apply = _Contracted(self._apply, n_outputs)
        other = JaxModel(apply, params, self._free, self._dtype_name, self._chunk)
        other._name = self._name
        return other

    def _weights(self) -> list[Array]:
        return [self._leaves[i] for i in self._free]

    def _with(self, weights: Iterable[Array]) -> JaxModel:
        other = copy.copy(self)
        other._leaves = list(self._leaves)
        for i, values in zip(self._free, weights, strict=True):
            other._leaves[i] = values.astype(self._leaves[i].dtype)
        return other

    def _predict(self, x: Array) -> Array:
        return np.asarray(self._at(self._compiled[0], x), dtype=np.float64)[: len(x)]

    def _blocks(self, x: Array) -> list[Block]:
        c = batch_weights(len(x))
        *parts, sums = map(np.asarray, self._at(self._compiled[1], x, c))
        g = np.concatenate([part[: len(x)].reshape(len(x), -1) for part in parts], axis=1, dtype=np.float64)
        if not adds_up(g, c, sums.astype(np.float64), 0.0, self.unit):
            raise ValueError(
                f"`apply` must be a function of one example, but the gradients of {len(x):,} examples, had one at a "
                f"time, do not add up to the gradient of their batch; {self._words[2]}"
            )
        return [g]

    def _look(self, x: Array) -> None:
        import jax

        program = self._at(jax.make_jaxpr(self._prediction), x).jaxpr
        p = self._predict(x)
        self.n_outputs = 1 if p.ndim == 1 else p.shape[1]
        self.unit = max(_largest_unit(program, set(program.invars)), unit_of(self._dtype_name))
        super()._look(x)

    def _at(self, function: Callable[..., Result], x: Array, *columns: Array) -> Result:
        """A function of the weights, inputs and columns, padded to a power of two: few shapes to compile for."""
        import jax

        more = max(min(1 << (len(x) - 1).bit_length(), self._chunk) - len(x), 0)
        block = np.concatenate([x, np.repeat(x[:1], more, axis=0)]).astype(self._leaves[self._free[0]].dtype)
        # A context of this thread: what the caller computes elsewhere keeps its precision.
        with jax.enable_x64(self._dtype_name == "float64"):
            return function(self._weights(), block, *(np.pad(column, (0, more)) for column in columns))

    def _gradients(self, weights: list[jax.Array], x: jax.Array, c: jax.Array) -> list[jax.Array]:
        """Those of each example, array by array, and at last sum_n c_n dp_n/dw of the batch."""
        import jax

        of_one = jax.grad(lambda w, example: self._prediction(w, example[None])[0])
        p, pull = jax.vjp(lambda w: self._prediction(w, x), weights)
        check_one_output("`apply`", p.shape, len(x), remedy="; K outputs go with targets of K outputs")
        (sums,) = pull(c.astype(p.dtype))
        return [*jax.vmap(of_one, (None, 0))(weights, x), jax.numpy.concatenate([part.ravel() for part in sums])]

    def _prediction(self, weights: list[jax.Array], x: jax.Array) -> jax.Array:
        """The user's function, made sure to return one number for each example, or K."""
        import jax

        leaves = list(self._leaves)
        for i, array in zip(self._free, weights, strict=True):
            leaves[i] = array
        try:
            p = self._apply(jax.tree_util.tree_unflatten(self._structure, leaves), x)
        except ShapeError:
            raise
        except (TypeError, ValueError, IndexError) as error:
            raise ValueError(f"`apply(params, x)` fails at x of shape {x.shape}, {x.dtype}: {error}") from error
        n = x.shape[0]
        if not isinstance(p, jax.Array):
            raise TypeError(f"`apply` must return an array of shape (n,), got a {type(p).__name__}")
        column = p.shape == (n, 1)
        remedy = "; for its column pass lambda params, x: apply(params, x)[:, 0]" if column else ""
        if p.ndim != 2 or p.shape[0] != n or column:
            check_one_output("`apply`", p.shape, n, remedy=remedy)
        if not jax.numpy.issubdtype(p.dtype, jax.numpy.floating):
            raise TypeError(f"`apply` must return real numbers, got {p.dtype}")
        return p


@dataclass(frozen=True)
class _Contracted:
    """The function (params, (x, c)) -> <c, p(x)> of one with K outputs."""

    apply: Apply
    n_outputs: int

    def __call__(self, params: object, x: jax.Array) -> jax.Array:
        import jax

        c, p = x[:, -self.n_outputs :], jax.numpy.asarray(self.apply(params, x[:, : -self.n_outputs]))
        if p.shape != c.shape:
            raise ShapeError(f"`apply` must return shape {c.shape} as targets do, got {p.shape}")
        return (p * c).sum(1)


def _largest_unit(program: Jaxpr, given: set[Var]) -> float:
    """The unit roundoff of the least precise of what a program computes from what it is given."""
    from jax.extend.core import Jaxpr, Literal

    unit = 0.0
    for equation in program.eqns:
        if not given.isdisjoint(v for v in equation.invars if not isinstance(v, Literal)):
            given.update(equation.outvars)
            parts = [
                part for value in equation.params.values() for part in np.atleast_1d(np.array(value, dtype=object))
            ]
            inner = [part for part in (getattr(part, "jaxpr", part) for part in parts) if isinstance(part, Jaxpr)]
            units = [unit_of(getattr(v.aval, "dtype", None)) for v in equation.outvars]
            unit = max([unit, *units, *(_largest_unit(part, set(part.invars)) for part in inner)])
    return unit


def _chosen(params: object, trainable: Trainable, paths: list[str]) -> list[bool]:
    """Whether each leaf belongs to w."""
    import jax

    if callable(trainable):
        return [bool(trainable(path)) for path in paths]
    if trainable is not None:
        with suppress(ValueError):
            chosen = jax.tree_util.tree_leaves(jax.tree_util.tree_broadcast(trainable, params))
            if all(isinstance(one, bool) for one in chosen):
                return chosen
        raise ValueError(
            f"`trainable` must be a function of the path of a leaf, such as {paths[0]!r}, or bools in the structure of "
            f"`params` or of its upper part, got {trainable!r}"
        )
    if any("batch_stats" in path.split("/") for path in paths):
        warnings.warn(
            "the running statistics 'batch_stats' in `params` are counted as weights; hold them fixed by "
            "trainable={'params': True, 'batch_stats': False}",
            stacklevel=4,
        )
    return [True] * len(paths)


def _free_leaves(params: object, trainable: Trainable) -> list[int]:
    """Positions of the floating-point leaves that are trainable; what is no array of numbers is refused by its name."""
    import jax

    leaves = jax.tree_util.tree_leaves_with_path(params)
    paths = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    found = []
    for i, ((path, leaf), chosen) in enumerate(zip(leaves, _chosen(params, trainable, paths), strict=True)):
        name = f"params{jax.tree_util.keystr(path)}"
        if chosen and not isinstance(leaf, (jax.Array, np.ndarray, np.generic, float, int)):
            raise TypeError(f"`params` must be a pytree of arrays of numbers, got {leaf!r} at {name}")
        dtype = jax.numpy.result_type(leaf) if chosen else np.dtype(int)
        if jax.numpy.issubdtype(dtype, jax.numpy.complexfloating):
            raise TypeError(f"`params` must hold real numbers, got {dtype} at {name}")
        if jax.numpy.issubdtype(dtype, jax.numpy.floating):
            found.append(i)
    return found


def from_jax(
    apply: Apply,
    params: object,
    *,
    trainable: Trainable = None,
    dtype: npt.DTypeLike = "float64",
    chunk: SupportsIndex | None = None,
) -> JaxModel:
    """Make a model of a JAX function of parameters and inputs.

    p_w(x) = apply(params, x), and w are the floating-point leaves of the pytree `params`, in the order of
    `jax.tree_util.tree_leaves`, each row-major; integers are held fixed. They are copied and converted to `dtype`, and
    the function is compiled and differentiated (`jit`, `vmap` of `grad`) in a context with 64 bits, which leaves the
    caller's configuration alone. It is compiled for few shapes: inputs are taken in chunks, padded to a power of two.
    At every chunk the gradients g_n, had one example at a time, are compared with the gradient of the batch, as
    sum_n c_n g_n for fixed random c.

    Parameters
    ----------
    apply : callable
        Takes the parameters and inputs (n, dim) and returns predictions (n,), or (n, K) for targets with K outputs,
        each a function of its own input.
    params : pytree
        Of arrays (NumPy or JAX) or numbers.
    trainable : callable or pytree of bool, optional
        Which leaves belong to w; the others are held fixed. `lambda path: path.startswith("params/")`, of paths such as
        "params/Dense_0/kernel", or bools in the structure of `params` or of its upper part, such as
        {"params": True, "batch_stats": False}. By default all that are floating-point numbers.
    dtype : dtype, optional
        Of the weights and inputs: float64 (the default), float32, float16 or bfloat16. Results are float64 arrays.
    chunk : int, optional
        Examples that are differentiated at once, >= 1; by default as many as have gradients of 8 MiB.

    Returns
    -------
    JaxModel
        Exact up to rounding in `dtype`. The same bits for any number of workers on a machine. It pickles if `apply`
        does. XLA does not survive a fork: give a process pool the start method "spawn".

    Raises
    ------
    ImportError
        JAX is not installed.
    TypeError, ValueError
        `params` without floating-point numbers, or with something other than numbers among those that are trainable.
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
        import jax
    except ModuleNotFoundError as error:
        if error.name != "jax":
            raise
        raise ImportError("`from_jax` needs JAX: install jax (the extra gradient-variance[jax])") from None
    if not callable(apply):
        raise TypeError(f"`apply` must be a function of parameters and inputs (n, dim), got {apply!r}")
    with suppress(TypeError):
        dtype = jax.numpy.dtype(dtype).name
    if not unit_of(dtype) or "complex" in str(dtype):
        raise ValueError(f"`dtype` must be float64, float32, float16 or bfloat16, got {dtype!r}")
    rows = None if chunk is None else integer("chunk", chunk, 1)
    return JaxModel(apply, params, _free_leaves(params, trainable), str(dtype), rows)
