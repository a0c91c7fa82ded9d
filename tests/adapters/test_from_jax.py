"""`from_jax` beside the library's own network and plain `jax.grad`, its configuration and what it refuses."""

from __future__ import annotations

import doctest
import pickle
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
import gradvar.models.adapters.jax
from gradvar.testing import reference

X = reference.cube(6)[[0, 5, 63, 17, 40, 41, 2]]


def mlp(params: list[dict[str, jax.Array]], x: jax.Array) -> jax.Array:
    """The library's tanh network; "a_weights" sorts before "b_biases"."""
    for layer in params[:-1]:
        x = jnp.tanh(x @ layer["a_weights"].T + layer["b_biases"])
    return (x @ params[-1]["a_weights"].T + params[-1]["b_biases"])[:, 0]


def parameters_of(model: gv.MLP) -> list[dict[str, np.ndarray]]:
    return [{"a_weights": w, "b_biases": b} for w, b in zip(model.weights, model.biases, strict=True)]


def attention(params: dict[str, object], x: jax.Array) -> jax.Array:
    """Tokens through one head; the embedding is also the output matrix, and a count is no parameter."""
    hidden = params["embedding"][(x > 0).astype(int)] + jnp.arange(x.shape[1])[:, None] / params["count"]
    query, key, value = (hidden @ w for w in params["projections"])
    mixed = jax.nn.softmax(query @ key.transpose(0, 2, 1), axis=-1) @ value
    logits = (hidden + mixed).mean(axis=1) @ params["embedding"].T
    return logits[:, 1] - logits[:, 0]


def attention_parameters() -> dict[str, object]:
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.standard_normal(shape) / 2, dtype=jnp.float32)  # noqa: E731
    return {"embedding": draw(2, 4), "projections": (draw(4, 4), draw(4, 4), draw(4, 4)), "count": 6}


@pytest.mark.parametrize("sizes", [[6, 1], [6, 8, 1], [6, 5, 4, 1]])
def test_it_agrees_with_the_library_s_network(sizes: list[int]):
    own = gv.MLP.random(sizes, rng=1)
    model = gv.from_jax(mlp, parameters_of(own))
    assert model.n_parameters == own.n_parameters
    assert_allclose(model.predict(X), own.predict(X), rtol=1e-12, atol=1e-14)
    assert_allclose(model.gradient(X), own.gradient(X), rtol=1e-12, atol=1e-14)  # the order of columns too


@pytest.mark.parametrize("loss", ["square", "hinge", "logistic"])
@pytest.mark.parametrize("method", ["auto", "closed-form", "enumeration", "monte-carlo"])
def test_variances_agree_with_the_library_s_network(loss: str, method: str):
    own = gv.MLP.random([6, 7, 4, 1], rng=3)
    model = gv.from_jax(mlp, parameters_of(own))
    H = gv.Parities(6) if method == "closed-form" else gv.SparseParities(6, 2)
    found, expected = (
        gv.gradient_variance(H, m, loss, method=method, max_samples=1024, rng=5).value for m in (model, own)
    )
    assert found == pytest.approx(expected, rel=1e-10)


def test_variance_is_that_of_the_gradients_of_the_true_risks():
    params = attention_parameters()
    model = gv.from_jax(attention, params)
    points, labels = reference.cube(6), reference.parity_table(6, 2)
    with jax.enable_x64(True):
        w = {
            name: jax.tree.map(lambda a: jnp.asarray(a, dtype=float), params[name])
            for name in ("embedding", "projections")
        }
        risk = jax.jit(jax.grad(lambda w, h: ((attention(w | {"count": 6}, points) - h) ** 2).mean() / 2))
        rows = [np.concatenate([np.ravel(g) for g in jax.tree.leaves(risk(w, h))]) for h in labels]
    deviations = np.array(rows) - np.mean(rows, axis=0)
    expected = (deviations**2).sum(axis=1).mean()
    assert model.n_parameters == 8 + 48  # the count is held fixed
    for method in ("auto", "enumeration"):
        found = gv.gradient_variance(gv.SparseParities(6, 2), model, method=method)
        assert found.value == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("chunk", [1, 3, 4])
def test_chunks_change_nothing(chunk: int):
    whole, parts = (gv.from_jax(attention, attention_parameters(), chunk=c) for c in (None, chunk))
    assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-12, atol=1e-14)
    assert_allclose(parts.gradient(X), whole.gradient(X), rtol=1e-12, atol=1e-14)
    assert whole.predict(X[:0]).shape == (0,)
    assert whole.gradient(X[:0]).shape == (0, whole.n_parameters)


def test_few_shapes_are_compiled_for():
    traced = []

    def counted(params: jax.Array, x: jax.Array) -> jax.Array:
        traced.append(x.shape[0])
        return jnp.tanh(x @ params)

    model = gv.from_jax(counted, np.ones(3))
    for n in range(1, 130):
        model.predict(np.random.default_rng(n).standard_normal((n, 3)))
    # 1, 2, 4, ..., 256, and once for the gradient of the first inputs, an example at a time
    assert len(traced) <= 10 + 3


def test_the_caller_s_precision_is_left_alone():
    assert jnp.ones(2).dtype == jnp.float32
    model = gv.from_jax(attention, attention_parameters())
    assert model.gradient(X).dtype == np.float64
    model.predict(X)
    with pytest.raises(ValueError, match="fails at x"):
        gv.from_jax(mlp, [{"a_weights": np.ones((1, 3)), "b_biases": np.ones(1)}]).predict(X)
    assert jnp.ones(2).dtype == jnp.float32


def test_the_parameters_are_copied():
    params = {"w": np.ones(6)}
    model = gv.from_jax(lambda p, x: x @ p["w"], params)
    params["w"][:] = 7.0
    assert_array_equal(model.predict(np.ones((1, 6))), [6.0])


def test_parameters_can_be_read_and_replaced():
    model = gv.from_jax(attention, attention_parameters())
    w = model.parameters
    assert_array_equal(model.with_parameters(w).predict(X), model.predict(X))
    step, direction = 1e-6, np.random.default_rng(0).standard_normal(w.size)
    up, down = (model.with_parameters(w + sign * step * direction).predict(X) for sign in (1, -1))
    assert_allclose((up - down) / (2 * step), model.gradient(X) @ direction, rtol=1e-7, atol=1e-8)
    with pytest.raises(gv.ShapeError, match=r"`parameters` must have shape \(56,\)"):
        model.with_parameters(w[:-1])


@pytest.mark.parametrize("method", ["enumeration", "monte-carlo"])
def test_any_number_of_workers_gives_the_same_bits(method: str):
    values = []
    for workers in (1, 2, 3):
        model = gv.from_jax(attention, attention_parameters())
        with ThreadPoolExecutor(workers) as pool:
            H = gv.SparseParities(6, 2)
            found = gv.gradient_variance(H, model, method=method, max_samples=2048, rtol=0, rng=0, executor=pool)
        values.append((found.value, found.interval))
    assert values[0] == values[1] == values[2]


def test_it_pickles_and_runs_in_processes():
    model = gv.from_jax(attention, attention_parameters())
    expected = model.gradient(X)
    assert_array_equal(pickle.loads(pickle.dumps(model)).gradient(X), expected)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert_array_equal(pool.submit(model.gradient, X).result(), expected)


def test_the_report_says_what_it_is():
    check = gv.bound_check(gv.Parities(6), gv.from_jax(attention, attention_parameters()))
    assert check.verdict == "holds"
    assert "attention (JAX, float64), 56 parameters" in str(check)


W = np.ones(6)
APPLY = {
    "a column": (
        lambda w, x: jnp.tanh(x @ w)[:, None],
        gv.ShapeError,
        r"shape \(4,\) for 4 inputs, got \(4, 1\); for its column pass lambda params, x: apply\(params, x\)\[:, 0\]",
    ),
    "three axes": (lambda w, x: x[:, :2, None] * w[0], gv.ShapeError, r"got \(4, 2, 1\)$"),
    "a mean": (lambda w, x: (x @ w).mean(), gv.ShapeError, r"got \(\)$"),
    "a tuple": (lambda w, x: (x @ w, 0), TypeError, r"must return an array of shape \(n,\), got a tuple"),
    "integers": (lambda w, x: (x @ w).astype(int), TypeError, r"must return real numbers, got int64"),
    "a failure": (lambda w, x: x @ w[:3], ValueError, r"`apply\(params, x\)` fails at x of shape \(4, 6\), float64"),
    "mixing": (lambda w, x: x @ w - (x @ w).mean(), ValueError, r"depends on the other inputs of the batch"),
}


@pytest.mark.parametrize("case", APPLY)
def test_a_function_that_is_no_scalar_prediction_is_refused(case: str):
    apply, error, message = APPLY[case]
    with pytest.raises(error) as caught:
        gv.from_jax(apply, W).predict(X[:4])
    assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("apply", "params", "error", "message"),
    [
        (3, W, TypeError, r"`apply` must be a function of parameters and inputs"),
        (mlp, [], ValueError, r"`params` must hold at least one floating-point number"),
        (mlp, {"n": 3}, ValueError, r"`params` must hold at least one floating-point number"),
        (mlp, {"w": W, "act": "tanh"}, TypeError, r"a pytree of arrays of numbers, got 'tanh' at params\['act'\]"),
        (mlp, [{"w": W * 1j}], TypeError, r"must hold real numbers, got complex.* at params\[0\]\['w'\]"),
    ],
)
def test_wrong_arguments_are_named(apply: object, params: object, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        gv.from_jax(apply, params)


@pytest.mark.parametrize("apply", [lambda w, x: jnp.log(x @ w - 100), lambda w, x: jnp.exp(x @ w + 1e5)])
def test_predictions_that_are_not_finite_are_said_with_the_input(apply):
    with pytest.raises(gv.NonFiniteError, match=r"of `model` must be finite, got -?(nan|inf) in row 0"):
        gv.bound_check(gv.SparseParities(6, 2), gv.from_jax(apply, W))


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(gv.ShapeError, match=r"`x` must have shape \(n, dim\) for from_jax\(attention"):
        gv.from_jax(attention, attention_parameters()).predict(X[0])
    with pytest.raises(ValueError, match=r"`chunk` must be an integer >= 1, got 0"):
        gv.from_jax(attention, attention_parameters(), chunk=0)


def test_the_examples_in_the_documentation_run():
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    results = doctest.testmod(gradvar.models.adapters.jax, optionflags=flags)
    assert results.attempted > 0
    assert results.failed == 0
