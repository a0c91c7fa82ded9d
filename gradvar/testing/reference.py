"""The slow reference: every quantity of gradvar by its definition, in plain loops and matrices.

Nothing here is imported by the rest of the library and nothing of the library is imported here, so that an
agreement between the two means something. In particular the variance is computed from the gradients of the
risks F_h themselves, one hypothesis at a time, with the loss's full derivative: the split
dl/dp = a(p) + h b(p), the fast transforms and the class covariance, on which the library stands, play no
part in it.

A class is a *table* of shape (m, n): the value of each of m members on each of n points, which carry the
probabilities ``weights`` (n,). A model is its predictions (n,) and its Jacobian (n, P) on the same points.

Example:
    All parities at d = 5 and a linear model, whose variance is d/2^d - d/4^d:

    >>> import numpy as np
    >>> from gradvar.testing import reference
    >>> x = reference.cube(5)
    >>> weights = np.full(32, 1 / 32)
    >>> w = np.arange(5.0)
    >>> F = reference.gradients(reference.parity_table(5), weights, x @ w, x, "square")
    >>> print(round(reference.gradient_variance(F), 12))
    0.1513671875
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Loss = str | Callable[[float], float]


# --- the cube and its characters --------------------------------------------------------------------------


def cube(dim: int) -> Array:
    """All points of {-1,+1}^dim, shape (2^dim, dim): point j has x_i = -1 exactly where bit i of j is set.

    >>> cube(2).tolist()
    [[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]
    """
    return np.array([[-1.0 if (j // 2**i) % 2 == 1 else 1.0 for i in range(dim)] for j in range(2**dim)])


def _sets(dim: int, degree: int | None) -> list[list[int]]:
    """The sets S (of `degree` elements, if given) in increasing parity number sum_{i in S} 2^i."""
    sets = [[i for i in range(dim) if (number // 2**i) % 2 == 1] for number in range(2**dim)]
    return [members for members in sets if degree is None or len(members) == degree]


def parity_table(dim: int, degree: int | None = None) -> Array:
    """chi_S(x) = prod_{i in S} x_i of every S (or every S of `degree` elements) on every point, (m, 2^dim).

    The rows are in increasing parity number S (bit i of S says whether i is in the set).

    >>> parity_table(2, degree=2).tolist()
    [[1.0, -1.0, -1.0, 1.0]]
    """
    points = cube(dim)
    return np.array([points[:, S].prod(axis=1) for S in _sets(dim, degree)], dtype=float)


def krawtchouk(dim: int, degree: int, distance: int) -> int:
    """K_k(w) = sum_j (-1)^j C(w, j) C(d - w, k - j), the sum of chi_S(x) over |S| = k if w of the x_i are -1.

    >>> [krawtchouk(4, 2, w) for w in range(5)]
    [6, 0, -2, 0, 6]
    """
    return sum((-1) ** j * math.comb(distance, j) * math.comb(dim - distance, degree - j) for j in range(degree + 1))


# --- the class --------------------------------------------------------------------------------------------


def class_mean(table: Array) -> Array:
    """mean_H(x) = (1/m) sum_h h(x), shape (n,)."""
    return np.asarray(sum(table) / len(table))


def class_covariance(table: Array) -> Array:
    """C_H(x, x') = (1/m) sum_h (h(x) - mean_H(x)) (h(x') - mean_H(x')), shape (n, n)."""
    mean = class_mean(table)
    return np.asarray(sum(np.outer(row - mean, row - mean) for row in table) / len(table))


def gram(table: Array, weights: Array) -> Array:
    """Gram_ij = E_x[h_i(x) h_j(x)], shape (m, m)."""
    return np.array([[math.fsum(weights * h * h2) for h2 in table] for h in table])


def operator_norm(table: Array, weights: Array, centred: bool = True) -> float:
    """lambda_max(J Gram J)/m with J = I - 11'/m, the norm of the class covariance; J = I if not `centred`."""
    m = len(table)
    J = np.eye(m) - np.ones((m, m)) / m if centred else np.eye(m)
    return float(np.linalg.eigvalsh(J @ gram(table, weights) @ J).max()) / m


def gershgorin(table: Array, weights: Array) -> float:
    """max_i sum_j |Gram_ij| / m, at least the operator norm (Gershgorin's circles)."""
    return float(np.abs(gram(table, weights)).sum(axis=1).max()) / len(table)


def boas_bellman(table: Array, weights: Array) -> float:
    """(max_i Gram_ii + sqrt(sum_{i != j} Gram_ij^2)) / m, at least the operator norm (Boas and Bellman)."""
    G = gram(table, weights)
    off_diagonal = sum(G[i, j] ** 2 for i in range(len(G)) for j in range(len(G)) if i != j)
    return (float(np.diag(G).max()) + math.sqrt(off_diagonal)) / len(G)


def cross_predictability(table: Array, weights: Array) -> float:
    """CP = E_{h,h'}[(E_x h h')^2] = sum_ij Gram_ij^2 / m^2. Its *root* is at least the operator norm."""
    G = gram(table, weights)
    return sum(float(g) ** 2 for g in G.ravel()) / len(G) ** 2


def projection(table: Array, weights: Array, f: Array) -> Array:
    """E_x[h(x) f(x)] for every member h, shape (m, q) for f of shape (n, q)."""
    return np.array([sum(weights[x] * row[x] * f[x] for x in range(len(row))) for row in table])


# --- models -----------------------------------------------------------------------------------------------


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))


_ACTIVATIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "tanh": (math.tanh, lambda z: 4 * _sigmoid(2 * z) * _sigmoid(-2 * z)),  # = 1/cosh(z)^2
    "relu": (lambda z: max(z, 0.0), lambda z: 1.0 if z > 0 else 0.0),
    "relu6": (lambda z: min(max(z, 0.0), 6.0), lambda z: 1.0 if 0 < z < 6 else 0.0),
    "erf": (math.erf, lambda z: 2 / math.sqrt(math.pi) * math.exp(-z * z)),
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
    "sin": (math.sin, math.cos),
    "cos": (math.cos, lambda z: -math.sin(z)),
    "gelu": (
        lambda z: z * math.erfc(-z / math.sqrt(2)) / 2,
        lambda z: math.erfc(-z / math.sqrt(2)) / 2 + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
    ),
    "softplus": (lambda z: max(z, 0.0) + math.log1p(math.exp(-abs(z))), _sigmoid),
    "identity": (lambda z: z, lambda z: 1.0),
}
"""By name: the function and its derivative; those of relu and relu6 at their kinks are 0."""


def activation(name: str, z: float) -> float:
    """The activation function `name` at z.

    >>> activation("relu", -2.0), activation("identity", -2.0)
    (0.0, -2.0)
    """
    return _named(name)[0](z)


def activation_derivative(name: str, z: float) -> float:
    """The derivative of the activation `name` at z; those of relu and relu6 at their kinks are 0."""
    return _named(name)[1](z)


def _named(name: str) -> tuple[Callable[[float], float], Callable[[float], float]]:
    if name not in _ACTIVATIONS:
        raise ValueError(f"`name` {name!r} is not an activation of the reference")
    return _ACTIVATIONS[name]


def _layers(
    weights: Sequence[Array], biases: Sequence[Array] | None, name: str, x: Array
) -> tuple[list[list[float]], list[list[float]]]:
    """The inputs h_0 = x, ..., h_{L-1} of the layers and their outputs z_1, ..., z_L before activation."""
    inputs = [[float(value) for value in x]]
    outputs: list[list[float]] = []
    for layer, W in enumerate(weights):
        b = biases[layer] if biases is not None else np.zeros(len(W))
        # z_l = W_l h_{l-1} + b_l, h_l = sigma(z_l)
        z = [sum((float(w * h) for w, h in zip(W[i], inputs[-1], strict=True)), float(b[i])) for i in range(len(W))]
        outputs.append(z)
        inputs.append([activation(name, value) for value in z])
    return inputs, outputs


def mlp_predict(weights: Sequence[Array], biases: Sequence[Array] | None, name: str, x: Array) -> Array:
    """The network h_l = sigma(W_l h_{l-1} + b_l), p = W_L h_{L-1} + b_L on each row of x, (n,)."""
    return np.array([_layers(weights, biases, name, row)[1][-1][0] for row in x])


def mlp_gradient(weights: Sequence[Array], biases: Sequence[Array] | None, name: str, x: Array) -> Array:
    """dp/dw of every example by the chain rule, (n, P); the order is W_1 (row by row), b_1, W_2, b_2, ...

    With delta_L = 1 and delta_l = sigma'(z_l) * W_{l+1}^T delta_{l+1}, the derivative by W_l[i, j] is
    delta_l[i] h_{l-1}[j] and the one by b_l[i] is delta_l[i].
    """
    result = []
    for point in x:
        inputs, outputs = _layers(weights, biases, name, point)
        deltas: list[list[float]] = [[1.0]]
        for layer in range(len(weights) - 1, 0, -1):
            # delta_l[j] = sigma'(z_l[j]) * sum_i W_{l+1}[i, j] delta_{l+1}[i]
            back = [sum(float(w * d) for w, d in zip(column, deltas[0], strict=True)) for column in weights[layer].T]
            slopes = [activation_derivative(name, z) for z in outputs[layer - 1]]
            deltas.insert(0, [slope * b for slope, b in zip(slopes, back, strict=True)])
        gradient: list[float] = []
        for delta, h in zip(deltas, inputs, strict=False):
            gradient += [unit * value for unit in delta for value in h]
            gradient += delta if biases is not None else []
        result.append(gradient)
    return np.array(result)


# --- losses and the gradients of the risks ----------------------------------------------------------------


_SLOPES: dict[str, Callable[[float], float]] = {
    "correlation": lambda m: -1.0,
    "hinge": lambda m: -1.0 if m < 1 else 0.0 if m > 1 else -0.5,
    "logistic": lambda m: -_sigmoid(-m),
    "perceptron": lambda m: -1.0 if m < 0 else 0.0 if m > 0 else -0.5,
}
"""r'(m) of the losses r(m) of the margin m = y p, by name."""


def loss_derivative(loss: Loss, p: float, y: float) -> float:
    """dl/dp at prediction p and label y, straight from the loss; the midpoint of the two slopes at a kink.

    ``"square"`` is (p - y)^2/2, ``"correlation"`` -yp, ``"hinge"`` max(0, 1 - yp), ``"logistic"``
    log(1 + e^{-yp}), ``"perceptron"`` max(0, -yp). A callable is r' of a margin loss r(yp): dl/dp = y r'(yp).

    >>> loss_derivative("square", 3.0, 1.0), loss_derivative("hinge", 1.0, 1.0)
    (2.0, -0.5)
    """
    if loss == "square":
        return p - y
    slope = loss if callable(loss) else _SLOPES.get(loss)
    if slope is None:
        raise ValueError(f"`loss` {loss!r} is not a loss of the reference")
    return y * slope(y * p)


def gradients(table: Array, weights: Array, predictions: Array, jacobian: Array, loss: Loss) -> Array:
    """grad F_h = E_x[dl/dp(p(x), h(x)) g(x)] of every member h, shape (m, P)."""
    rows = []
    for h in table:
        slopes = [loss_derivative(loss, float(p), float(y)) for p, y in zip(predictions, h, strict=True)]
        rows.append(sum(weights[x] * slopes[x] * jacobian[x] for x in range(len(slopes))))
    return np.array(rows)


def vector_gradients(table: Array, weights: Array, predictions: Array, jacobian: Array, loss: str) -> Array:
    """grad F_h of every member with K outputs, (m, P), from values (m, n, K), predictions (n, K), dp/dw (n, K, P).

    ``"square"`` is ||p - y||^2/2, ``"correlation"`` -<y, p>, ``"cross-entropy"`` -sum_k y_k log softmax(p)_k.
    """
    rows = []
    for h in table:
        total = np.zeros(jacobian.shape[2])
        for x, (p, y) in enumerate(zip(predictions, h, strict=True)):
            softmax = np.exp(p) / sum(math.exp(q) for q in p)
            a = {"square": p, "correlation": 0 * p, "cross-entropy": softmax * sum(y)}[loss]
            for k in range(len(p)):
                total += weights[x] * (a[k] - y[k]) * jacobian[x][k]
        rows.append(total)
    return np.array(rows)


def gradient_variance(gradients: Array) -> float:
    """Var = (1/m) sum_h ||grad F_h - mean||^2 from the gradients (m, P) of all members, in two passes."""
    m = len(gradients)
    mean = [math.fsum(column) / m for column in gradients.T]
    return math.fsum(float(row[j] - mean[j]) ** 2 for row in gradients for j in range(len(row))) / m


def gradient_norm_sq(weights: Array, jacobian: Array) -> float:
    """G^2 = E_x ||dp/dw||^2."""
    return math.fsum(float(weights[x] * value**2) for x in range(len(weights)) for value in jacobian[x])


def signal_norm_sq(weights: Array, predictions: Array, jacobian: Array, loss: Loss) -> float:
    """E||s||^2 with s = b(p) g, where b = (dl/dp(p, 1) - dl/dp(p, -1))/2 for losses affine in the label."""
    total: list[float] = []
    for x in range(len(weights)):
        p = float(predictions[x])
        b = (loss_derivative(loss, p, 1.0) - loss_derivative(loss, p, -1.0)) / 2
        total.extend(weights[x] * (b * value) ** 2 for value in jacobian[x])
    return math.fsum(total)


def degree_spectrum(dim: int, predictions: Array, jacobian: Array, loss: Loss) -> Array:
    """E_{|S|=k} ||E_x[chi_S s]||^2 for k = 0..dim, shape (dim + 1,).

    The projected signal is (grad F_h - grad F_{-h})/2 at h = chi_S, as the terms without the label cancel.
    """
    weights = np.full(2**dim, 1 / 2**dim)
    spectrum = []
    for degree in range(dim + 1):
        table = parity_table(dim, degree)
        plus = gradients(table, weights, predictions, jacobian, loss)
        minus = gradients(-table, weights, predictions, jacobian, loss)
        spectrum.append(math.fsum((((plus - minus) / 2) ** 2).ravel()) / len(table))
    return np.array(spectrum)


# --- tasks with inputs of their own -----------------------------------------------------------------------


def planted_parities(dim: int, degree: int) -> tuple[Array, Array]:
    """D_A(x) and f_A(x) for every set A of `degree` coordinates on every point of the cube, (m, 2^dim) each.

    D_A is half uniform on the cube, half uniform on the points whose coordinates in A are all equal;
    f_A(x) = prod_{i in A} x_i. The sets are in increasing order of sum_{i in A} 2^i.

    >>> planted_parities(2, 2)[0].tolist()
    [[0.375, 0.125, 0.125, 0.375]]
    """
    points = cube(dim)
    probabilities = []
    for A in _sets(dim, degree):
        equal = [all(x[i] == x[A[0]] for i in A) for x in points]
        probabilities.append([0.5 / len(points) + (0.5 / sum(equal) if e else 0.0) for e in equal])
    return np.array(probabilities), parity_table(dim, degree)


def task_gradients(probabilities: Array, labels: Array, predictions: Array, jacobian: Array, loss: Loss) -> Array:
    """grad F_A = sum_x D_A(x) dl/dp(p(x), f_A(x)) g(x) of every task A, shape (m, P)."""
    rows = [
        gradients(target[None], weights, predictions, jacobian, loss)[0]
        for weights, target in zip(probabilities, labels, strict=True)
    ]
    return np.array(rows)


# --- Monte Carlo ------------------------------------------------------------------------------------------


def tangent_kernel(signal: Array) -> Array:
    """<s(x_i), s(x_j)> of the rows of `signal` (n, P), shape (n, n)."""
    return np.array([[math.fsum(s * s2) for s2 in signal] for s in signal])


def u_statistic(covariance: Array, kernel: Array) -> tuple[float, float]:
    """The U-statistic U = sum_{i != j} C_ij K_ij / (n(n-1)) and its standard error, from (n, n) matrices.

    The standard error is the root of the Hoeffding variance with the estimates of :func:`hoeffding`,
    Var(U) = (4 (n-2) max(zeta_1, 0) + 2 zeta_2)/(n(n-1)). Loops over quadruples: O(n^4).
    """
    n = len(covariance)
    total = math.fsum(covariance[i, j] * kernel[i, j] for i in range(n) for j in range(n) if i != j)
    zeta_1, zeta_2 = hoeffding(covariance, kernel)
    variance = (4 * (n - 2) * max(zeta_1, 0.0) + 2 * zeta_2) / (n * (n - 1))
    return total / (n * (n - 1)), math.sqrt(max(variance, 0.0))


def hoeffding(covariance: Array, kernel: Array) -> tuple[float, float]:
    """Unbiased (zeta_1, zeta_2) of the pair function h_ij = C_ij K_ij, over tuples of distinct indices.

    zeta_1 = Cov(h_12, h_13) = mean of h_ij h_ik over triples - mean of h_ij h_kl over quadruples,
    zeta_2 = Var(h_12) = mean of h_ij^2 over pairs - the same mean over quadruples.
    """
    n = len(covariance)
    h = [[float(covariance[i, j] * kernel[i, j]) for j in range(n)] for i in range(n)]
    pairs = [h[i][j] ** 2 for i, j in itertools.permutations(range(n), 2)]
    triples = [h[i][j] * h[i][k] for i, j, k in itertools.permutations(range(n), 3)]
    quadruples = [h[i][j] * h[k][m] for i, j, k, m in itertools.permutations(range(n), 4)]
    square_of_mean = math.fsum(quadruples) / len(quadruples)
    zeta_1 = math.fsum(triples) / len(triples) - square_of_mean
    zeta_2 = math.fsum(pairs) / len(pairs) - square_of_mean
    return zeta_1, zeta_2
