"""The reference itself against numbers computed by hand, and against derivatives by complex steps."""

from __future__ import annotations

import ast
import inspect
import itertools
import math

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

from gradvar.testing import reference

ACTIVATIONS = ["tanh", "relu", "relu6", "erf", "sigmoid", "sin", "cos", "gelu", "softplus", "identity"]

# The same functions on complex arguments, for complex steps (relu: each linear piece is analytic).
COMPLEX = {
    "tanh": np.tanh,
    "relu": lambda z: np.where(z.real > 0, z, 0),
    "relu6": lambda z: np.where(z.real > 6, 6, np.where(z.real > 0, z, 0)),
    "erf": scipy.special.erf,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "sin": np.sin,
    "cos": np.cos,
    "gelu": lambda z: z * (1 + scipy.special.erf(z / np.sqrt(2))) / 2,
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "identity": lambda z: z,
}


def test_the_reference_imports_nothing_of_the_library():
    tree = ast.parse(inspect.getsource(reference))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} == {
        "__future__",
        "collections",
        "itertools",
        "math",
        "numpy",
    }


def test_cube_and_parities_at_dim_2_by_hand():
    assert_array_equal(reference.cube(2), [[1, 1], [-1, 1], [1, -1], [-1, -1]])
    assert_array_equal(reference.parity_table(2), [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    assert_array_equal(reference.parity_table(2, 1), [[1, -1, 1, -1], [1, 1, -1, -1]])


def test_value_of_a_parity_is_the_parity_of_the_common_bits():
    table = reference.parity_table(5)
    for S, j in itertools.product(range(32), range(32)):
        assert table[S, j] == (-1) ** (S & j).bit_count()


def test_krawtchouk_generating_function():
    # sum_k K_k(w) z^k = (1 - z)^w (1 + z)^(d - w)
    for d in range(9):
        for w in range(d + 1):
            coefficients = [1]
            for factor in [[1, -1]] * w + [[1, 1]] * (d - w):
                coefficients = np.convolve(coefficients, factor)
            assert [reference.krawtchouk(d, k, w) for k in range(d + 1)] == list(coefficients)


def test_krawtchouk_is_the_sum_of_the_parities_of_one_degree():
    for k in range(5):
        sums = reference.parity_table(4, k).sum(axis=0)
        assert list(sums) == [reference.krawtchouk(4, k, j.bit_count()) for j in range(16)]


def test_krawtchouk_is_exact_where_floats_are_not():
    assert reference.krawtchouk(100, 50, 0) == math.comb(100, 50) > 2**53


def test_gram_and_bounds_of_two_functions_by_hand():
    # E h_1 h_2 = 1/2: Gram eigenvalues 3/2 (along 11) and 1/2 (along 1,-1)
    table, weights = np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([0.75, 0.25])
    assert_array_equal(reference.gram(table, weights), [[1, 0.5], [0.5, 1]])
    assert_allclose(reference.operator_norm(table, weights, centred=False), 0.75, rtol=1e-14)
    assert_allclose(reference.operator_norm(table, weights), 0.25, rtol=1e-14)
    assert_allclose(reference.gershgorin(table, weights), 0.75, rtol=1e-14)
    assert_allclose(reference.boas_bellman(table, weights), (1 + math.sqrt(0.5)) / 2, rtol=1e-14)
    assert_allclose(reference.cross_predictability(table, weights), 2.5 / 4, rtol=1e-14)
    assert_array_equal(reference.class_mean(table), [1, 0])
    assert_array_equal(reference.class_covariance(table), [[0, 0], [0, 1]])
    assert_array_equal(reference.projection(table, weights, np.array([[4.0], [8.0]])), [[5], [1]])


def test_operator_norm_of_the_doubled_function_vanishes_when_centred():
    table, weights = np.array([[1.0, -1.0], [1.0, -1.0]]), np.array([0.5, 0.5])
    assert_allclose(reference.operator_norm(table, weights, centred=False), 1, rtol=1e-14)
    assert_allclose(reference.operator_norm(table, weights), 0, atol=1e-15)


def test_parities_are_orthonormal():
    assert_allclose(reference.gram(reference.parity_table(4), np.full(16, 1 / 16)), np.eye(16), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "value", "derivative"),
    [
        ("tanh", 0.46211715726000975, 0.7864477329659274),
        ("relu", 0.5, 1.0),
        ("relu6", 0.5, 1.0),
        ("erf", 0.5204998778130465, 0.8787825789354448),
        ("sigmoid", 0.6224593312018546, 0.2350037122015945),
        ("sin", 0.479425538604203, 0.8775825618903728),
        ("cos", 0.8775825618903728, -0.479425538604203),
        ("gelu", 0.34573123063700656, 0.8674951246561629),
        ("softplus", 0.9740769841801067, 0.6224593312018546),
        ("identity", 0.5, 1.0),
    ],
)
def test_activations_at_one_half(name: str, value: float, derivative: float):
    assert_allclose(reference.activation(name, 0.5), value, rtol=1e-15)
    assert_allclose(reference.activation_derivative(name, 0.5), derivative, rtol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_derivative_is_the_complex_step(name: str):
    for z in [-3.7, -1.1, -0.2, 0.3, 1.9, 4.2, 6.5]:
        value = COMPLEX[name](np.asarray(z + 1e-30j))
        assert_allclose(reference.activation(name, z), value.real, rtol=1e-13, atol=1e-16)
        assert_allclose(reference.activation_derivative(name, z), value.imag / 1e-30, rtol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_finite_far_out(name: str):
    for z in [-800.0, 800.0]:
        assert math.isfinite(reference.activation(name, z))
        assert math.isfinite(reference.activation_derivative(name, z))


def test_relu_has_slope_zero_at_zero():
    assert reference.activation_derivative("relu", 0.0) == 0


def test_unknown_names_are_refused():
    for function in (reference.activation, reference.activation_derivative):
        with pytest.raises(ValueError, match="'swish' is not an activation"):
            function("swish", 0.0)
    with pytest.raises(ValueError, match="'huber' is not a loss"):
        reference.loss_derivative("huber", 0.0, 1.0)


def test_mlp_by_hand():
    # z = (-1, 5), relu -> (0, 5), p = -5 + 1/2; only the second unit is on
    weights, biases = (
        [np.array([[1.0, 2], [3, -1]]), np.array([[2.0, -1]])],
        [np.array([0.0, 1]), np.array([0.5])],
    )
    x = np.array([[1.0, -1]])
    assert_array_equal(reference.mlp_predict(weights, biases, "relu", x), [-4.5])
    assert_array_equal(reference.mlp_gradient(weights, biases, "relu", x), [[0, 0, -1, 1, 0, -1, 0, 5, 1]])
    # without biases z = (-1, 4)
    assert_array_equal(reference.mlp_predict(weights, None, "relu", x), [-4])
    assert_array_equal(reference.mlp_gradient(weights, None, "relu", x), [[0, 0, -1, 1, 0, 4]])


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [[3, 1], [3, 4, 1], [3, 4, 2, 1], [2, 3, 2, 2, 1]])
@pytest.mark.parametrize("bias", [True, False])
def test_mlp_gradient_is_the_complex_step(name: str, sizes: list[int], bias: bool):
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=(o, i)) for i, o in itertools.pairwise(sizes)]
    biases = [rng.normal(size=o) for o in sizes[1:]] if bias else None
    x = rng.normal(size=(3, sizes[0]))

    blocks = [block for layer in zip(weights, biases, strict=True) for block in layer] if biases else weights
    flat = np.concatenate([block.ravel() for block in blocks])

    def predict(parameters: np.ndarray) -> np.ndarray:
        h, start = x.astype(complex), 0
        for layer, W in enumerate(weights):
            h = h @ parameters[start : start + W.size].reshape(W.shape).T
            start += W.size
            if bias:
                h = h + parameters[start : start + len(W)]
                start += len(W)
            if layer < len(weights) - 1:
                h = COMPLEX[name](h)
        return h[:, 0]

    steps = np.eye(len(flat)) * 1e-30j
    expected = np.column_stack([predict(flat + step).imag / 1e-30 for step in steps])
    assert_allclose(reference.mlp_predict(weights, biases, name, x), predict(flat).real, rtol=1e-12)
    assert_allclose(reference.mlp_gradient(weights, biases, name, x), expected, rtol=1e-11, atol=1e-13)


LOSSES = {
    "square": lambda p, y: (p - y) ** 2 / 2,
    "correlation": lambda p, y: -y * p,
    "hinge": lambda p, y: max(0.0, 1 - y * p),
    "logistic": lambda p, y: math.log1p(math.exp(-y * p)),
    "perceptron": lambda p, y: max(0.0, -y * p),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_derivative_is_the_central_difference_and_the_midpoint_at_kinks(loss: str):
    # The central difference of a kink is its midpoint: -1, 0 and 1 are kinks of hinge and perceptron.
    for p in [-2.5, -1.0, -0.3, 0.0, 0.4, 1.0, 1.7]:
        for y in [-1.0, 1.0]:
            difference = (LOSSES[loss](p + 1e-6, y) - LOSSES[loss](p - 1e-6, y)) / 2e-6
            assert_allclose(reference.loss_derivative(loss, p, y), difference, atol=1e-8)


def test_loss_derivative_of_a_callable_is_the_margin_rule():
    assert reference.loss_derivative(lambda t: t**3, 2.0, -1.0) == 8.0


def test_variance_at_dim_1_by_hand():
    # F_1 has gradient w, F_x has w - 1: variance 1/4
    F = reference.gradients(
        reference.parity_table(1), np.full(2, 0.5), np.array([3.0, -3.0]), reference.cube(1), "square"
    )
    assert_array_equal(F, [[3], [2]])
    assert reference.gradient_variance(F) == 0.25


def test_squared_norms_and_spectrum_of_a_linear_model_by_hand():
    x = reference.cube(3)
    weights = np.full(8, 1 / 8)
    predictions = x @ np.array([0.1, 0.2, 0.3])
    assert_allclose(reference.gradient_norm_sq(weights, x), 3, rtol=1e-14)
    assert_allclose(reference.signal_norm_sq(weights, predictions, x, "square"), 3, rtol=1e-14)
    assert_allclose(reference.signal_norm_sq(weights, predictions, x, "logistic"), 0.75, rtol=1e-14)
    # E[chi_S x_i] is 1 where S = {i}
    assert_allclose(reference.degree_spectrum(3, predictions, x, "square"), [0, 1, 0, 0], atol=1e-15)


def test_u_statistic_by_hand():
    ones = np.ones((4, 4))
    assert reference.u_statistic(ones, 3 * ones) == (3, 0)
    one_pair = np.zeros((4, 4))
    one_pair[0, 1] = one_pair[1, 0] = 1
    # U = 2/12; no two pairs share an index or are disjoint: zeta_1 = 0, zeta_2 = 1/6, variance 2/6/12 = 1/36
    assert_allclose(reference.hoeffding(one_pair, ones), [0, 1 / 6], rtol=1e-15)
    assert_allclose(reference.u_statistic(one_pair, ones), [1 / 6, 1 / 6], rtol=1e-15)
    two_pairs = one_pair + one_pair[::-1, ::-1]
    # 8 of the 24 quadruples are the two disjoint pairs: zeta_1 = -1/3, zeta_2 = 1/3 - 1/3
    assert_allclose(reference.hoeffding(two_pairs, ones), [-1 / 3, 0], rtol=1e-15)
    assert_allclose(reference.u_statistic(two_pairs, ones), [1 / 3, 0], rtol=1e-15)


def test_u_statistic_leaves_the_diagonal_out():
    rng = np.random.default_rng(0)
    C, K = rng.normal(size=(2, 5, 5))
    C, K = C + C.T, K + K.T
    assert reference.u_statistic(C + np.diag(rng.normal(size=5)), K) == reference.u_statistic(C, K)


def test_u_statistic_and_its_variance_are_unbiased_over_every_sample():
    # All 3^4 samples of size 4 from three equally likely points: no sampling error.
    rng = np.random.default_rng(1)
    points = rng.normal(size=(3, 2))
    table = rng.normal(size=(4, 3))
    C, K = reference.class_covariance(table), reference.tangent_kernel(points)
    values, variances = [], []
    for sample in itertools.product(range(3), repeat=4):
        c, k = C[np.ix_(sample, sample)], K[np.ix_(sample, sample)]
        zeta_1, zeta_2 = reference.hoeffding(c, k)
        values.append(reference.u_statistic(c, k)[0])
        variances.append((4 * 2 * zeta_1 + 2 * zeta_2) / 12)
    assert_allclose(np.mean(values), np.mean(C * K), rtol=1e-13)
    assert_allclose(np.mean(variances), np.var(values), rtol=1e-12)


def test_variance_is_the_class_covariance_against_the_tangent_kernel():
    # The formula the library stands on, checked once inside the reference: Var = E[C_H <s, s'>].
    rng = np.random.default_rng(2)
    x, table = rng.normal(size=(6, 3)), np.where(rng.random((5, 6)) < 0.5, 1.0, -1.0)
    weights = rng.dirichlet(np.ones(6))
    predictions = x @ np.array([1.0, -2, 0.5])
    b = np.where(abs(predictions) < 1, -1.0, -0.5)
    kernel = reference.tangent_kernel(b[:, None] * x)
    expected = weights @ (reference.class_covariance(table) * kernel) @ weights
    F = reference.gradients(table, weights, predictions, x, "hinge")
    assert_allclose(reference.gradient_variance(F), expected, rtol=1e-13)
