"""Models with K outputs: variance, norms and bounds against loops over members, inputs and outputs."""

from __future__ import annotations

import numpy as np
import pytest

import gradvar as gv
from gradvar.core.arguments import Stream, stream
from gradvar.experiments.training.examples import Examples
from gradvar.losses import as_loss
from gradvar.testing import check_hypothesis_class, check_model, reference

K, N, M, DIM = 3, 6, 5, 4
LOSSES = ("square", "correlation", "cross-entropy")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def top_eigenvalue(gram):
    """lambda_max(J Gram J)/m."""
    off = np.eye(len(gram)) - 1 / len(gram)
    return np.linalg.eigvalsh(off @ gram @ off)[-1] / len(gram)


def points(rng):
    return rng.standard_normal((N, DIM))


def jacobian(model, x):
    """dp_k/dw (n, K, P) by complex steps through the layers: no code of the library."""
    sizes = [w.shape for w in model.weights]

    def predict(w):
        a, start = x.astype(complex), 0
        for i, (q, r) in enumerate(sizes):
            weights, bias = w[start : start + q * r].reshape(q, r), w[start + q * r : start + q * r + q]
            a, start = a @ weights.T + bias, start + q * r + q
            a = np.tanh(a) if i < len(sizes) - 1 else a
        return a

    w = np.concatenate([part.ravel() for pair in zip(model.weights, model.biases, strict=True) for part in pair])
    steps = [predict(w + 1e-30j * unit).imag / 1e-30 for unit in np.eye(w.size)]
    return predict(w).real, np.stack(steps, axis=2)


def problem(kind, rng, sizes=(DIM, 5, K)):
    """A class, its values (m, n, K) as vectors, weights, model, predictions and Jacobian."""
    x, weights = points(rng), rng.dirichlet(np.ones(N))
    if kind == "labels":
        labels = rng.integers(0, K, (M, N))
        H, values = gv.FiniteClass(labels, x, weights, n_classes=K), np.eye(K)[labels]
    elif kind == "odds":
        values = rng.dirichlet(np.ones(K), (M, N))
        H = gv.FiniteClass(values, x, weights)
    else:
        values = rng.standard_normal((M, N, K))
        H = gv.FiniteClass(values, x, weights)
    base = gv.MLP.random(sizes, rng=rng)
    model = base.with_parameters(base.parameters + 0.3 * rng.standard_normal(base.n_parameters))
    return H, values, weights, model, *jacobian(model, x)


CASES = [
    (kind, loss) for kind in ("labels", "odds", "vectors") for loss in LOSSES if (kind, loss) != ("vectors", LOSSES[2])
]


@pytest.mark.parametrize("method", ["enumeration", "covariance-sum"])
@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_variance_and_alignment_are_those_of_the_gradients_of_all_members(kind, loss, method, rng):
    H, values, weights, model, p, g = problem(kind, rng)
    truth = reference.gradient_variance(reference.vector_gradients(values, weights, p, g, loss))
    found = gv.gradient_variance(H, model, loss, method=method)
    assert found.exact
    assert found.value == pytest.approx(truth, rel=1e-12)
    # without the centring: what vectors, or unit vectors less 1/K, move
    moved = values - (0.0 if kind == "vectors" else 1 / K)
    second = np.mean([np.sum(np.einsum("n,nk,nkp->p", weights, h, g) ** 2) for h in moved])
    assert gv.gradient_alignment(H, model, loss, method=method).value == pytest.approx(second, rel=1e-12)
    vector = gv.target_signal(H.member(2), model, loss)
    assert vector.vector == pytest.approx(-np.einsum("n,nk,nkp->p", weights, moved[2], g), abs=1e-13)
    assert vector.layers["biases[1]"].shape == (K,)


@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_norms_and_bounds_are_those_of_the_gram_matrix_over_outputs(kind, loss, rng):
    H, values, weights, model, _, g = problem(kind, rng)
    centred = kind != "vectors"
    if centred:
        values = values - 1 / K
    gram = np.einsum("n,ink,jnk->ij", weights, values, values)
    s = g - g.mean(axis=1, keepdims=True) * centred
    signal, gradient = (np.einsum("n,nkp->", weights, part**2) for part in (s, g))
    check = gv.bound_check(H, model, loss)
    assert check.gradient_norm_sq.value == pytest.approx(gradient, rel=1e-12)
    assert check.signal_norm_sq.value == pytest.approx(signal, rel=1e-12)
    norm = top_eigenvalue(gram)
    assert H.gram() == pytest.approx(gram, abs=1e-14)
    assert H.operator_norm() == pytest.approx(norm, rel=1e-12)
    assert check.bounds["operator-norm"].value == pytest.approx(norm * signal, rel=1e-12)
    assert check.bounds["gershgorin"].value == pytest.approx(np.abs(gram).sum(axis=1).max() / M * signal, rel=1e-12)
    assert (check.bound_name, check.verdict) == ("operator-norm", "holds")


@pytest.mark.parametrize("p", [3, 5, 7])
def test_modular_addition_against_explicit_loops(p):
    H, model = gv.ModularAddition(p), gv.MLP.random([2 * p, 6, p], rng=p)
    x = np.zeros((p * p, 2 * p))
    values = []
    for x1 in range(p):
        for x2 in range(p):
            x[x1 * p + x2, [x1, p + x2]] = 1
    for a in range(1, p):
        for b in range(1, p):
            values.append([np.eye(p)[(a * x1 + b * x2) % p] for x1 in range(p) for x2 in range(p)])
    assert np.array_equal(H.inputs.points(0, p * p), x)
    assert np.array_equal(np.eye(p)[H.evaluate(H.members(), x)], values)
    weights, (predictions, g) = np.full(p * p, 1 / p**2), jacobian(model, x)
    truth = reference.gradient_variance(
        reference.vector_gradients(np.array(values), weights, predictions, g, "cross-entropy")
    )
    check = gv.bound_check(H, model, "cross-entropy")
    assert check.variance.value == pytest.approx(truth, rel=1e-13)
    assert gv.gradient_variance(H, model, "square").value == pytest.approx(truth, rel=1e-13)
    # Theorem 1 with E||h - 1/p||^2 = 1 - 1/p
    assert check.bound == pytest.approx((1 - 1 / p) * np.mean((g**2).sum(axis=(1, 2))) / (p - 1) ** 2, rel=1e-12)
    assert (check.bound_name, check.verdict) == ("theorem-1", "holds")
    centred = np.array(values) - 1 / p
    gram = np.einsum("ink,jnk->ij", centred, centred) / p**2
    assert gram == pytest.approx((1 - 1 / p) * np.eye(len(gram)), abs=1e-14)
    assert H.operator_norm() == pytest.approx(top_eigenvalue(gram), rel=1e-12)
    part = H.restrict([[1, 2], [2, 1], [1, 2]])
    assert part.gram() == pytest.approx(gram[np.ix_([1, p - 1, 1], [1, p - 1, 1])], abs=1e-14)
    norm = top_eigenvalue(part.gram())
    assert gv.bound_check(part, model, "square").bounds["operator-norm"].log2_constant == pytest.approx(np.log2(norm))


def test_two_logits_are_the_one_logit_of_their_difference(rng):
    x, signs = points(rng), rng.choice([-1, 1], (M, N))
    two = gv.MLP.random([DIM, 5, 2], rng=0)
    last = two.weights[-1]

    class Difference:
        n_parameters, dim = two.n_parameters, DIM

        def predict(self, x):
            return two.predict(x) @ [-1, 1]

        def gradient(self, x):
            return two.gradient(x)[:, 1] - two.gradient(x)[:, 0]

    assert last.shape == (2, 5)
    labels = gv.bound_check(gv.FiniteClass((signs + 1) // 2, x, n_classes=2), two, "cross-entropy")
    margin = gv.bound_check(gv.FiniteClass(signs, x), Difference(), "logistic")
    assert labels.variance.value == pytest.approx(margin.variance.value, rel=1e-12)
    assert labels.bound == pytest.approx(margin.bound, rel=1e-12)
    assert labels.gradient_norm_sq.value != pytest.approx(margin.gradient_norm_sq.value, rel=1e-3)


def test_orthonormal_vectors_have_theorem_1(rng):
    q = np.linalg.qr(rng.standard_normal((N * K, M)))[0].T * np.sqrt(N)
    H = gv.FiniteClass(q.reshape(M, N, K), points(rng))
    check = gv.bound_check(H, gv.MLP.random([DIM, 5, K], rng=0))
    assert H.is_orthonormal
    assert check.bound_name == "theorem-1"
    assert check.bounds["theorem-1"].formula == "G^2/|H|"
    assert check.bound == pytest.approx(check.gradient_norm_sq.value / M, rel=1e-12)


def test_monte_carlo_agrees_with_the_exact_number():
    H, model = gv.ModularAddition(3), gv.MLP.random([6, 4, 3], rng=0)
    exact = gv.gradient_variance(H, model, "cross-entropy")
    sampled = gv.gradient_variance(H, model, "cross-entropy", method="monte-carlo", rng=1)
    low, high = sampled.interval
    assert low <= exact.value <= high


@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_the_risk_of_a_target(kind, loss, rng):
    H, values, weights, model, p, _ = problem(kind, rng)
    truth = {
        "square": ((p - values[1]) ** 2).sum(axis=1) / 2,
        "correlation": -(p * values[1]).sum(axis=1),
        "cross-entropy": -(values[1] * np.log(np.exp(p) / np.exp(p).sum(axis=1, keepdims=True))).sum(axis=1),
    }[loss]
    assert gv.population_loss(H.member(1), model, loss).value == pytest.approx(weights @ truth, rel=1e-12)


def test_a_linear_softmax_model(rng):
    H, values, weights, model, p, g = problem("labels", rng, (DIM, K))
    truth = reference.gradient_variance(reference.vector_gradients(values, weights, p, g, "cross-entropy"))
    assert gv.gradient_variance(H, model, "cross-entropy").value == pytest.approx(truth, rel=1e-12)


def test_functions_and_members_of_vector_classes(rng):
    x = points(rng)
    H = gv.FiniteClass([lambda x: x[:, :K], lambda x: x[:, 1:]], x)
    assert (H.n_outputs, H.labels, H.values.shape) == (K, "real", (2, N, K))
    assert np.array_equal(H.member(1)(x[2:4]), x[2:4, 1:])
    labels = gv.FiniteClass([lambda x: (x[:, 0] > 0).astype(int), lambda x: np.full(len(x), 2)], x, n_classes=3)
    assert np.array_equal(labels.member(1)(x), np.full(N, 2))
    assert labels.member(1)(x).dtype == np.int64
    assert gv.FiniteClass(np.ones((2, N, 1)), x).n_outputs == 1


def test_restriction_of_a_vector_class(rng):
    H, values, weights, model, p, g = problem("labels", rng)
    part = H.restrict([0, 2, 3])
    truth = reference.gradient_variance(reference.vector_gradients(values[[0, 2, 3]], weights, p, g, "square"))
    assert gv.gradient_variance(part, model).value == pytest.approx(truth, rel=1e-12)
    assert part.gram() == pytest.approx(H.gram()[np.ix_([0, 2, 3], [0, 2, 3])], abs=1e-15)
    assert gv.bound_check(part, model).verdict == "holds"


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_of_descent_follows_the_gradient_of_the_loss(loss, rng):
    H, model = gv.ModularAddition(3), gv.MLP.random([6, 4, 3], rng=rng)
    h = H.member([2, 1])
    run = gv.descend(h, model, loss, steps=1, batch=7, learning_rate=0.5, rng=0)
    x = next(Examples(h, None, as_loss(loss), 3).batches(7, stream(0, Stream.TRAINING)))[0]
    p, g = jacobian(model, x)
    values = np.eye(3)[(2 * x[:, :3].argmax(axis=1) + x[:, 3:].argmax(axis=1)) % 3]
    truth = reference.vector_gradients(values[None], np.full(7, 1 / 7), p, g, loss)[0]
    assert run.model.parameters == pytest.approx(model.parameters - 0.5 * truth, rel=1e-12)

    class Bare:
        """The same without a pullback."""

        n_parameters, n_outputs, dim = model.n_parameters, 3, 6

        def __init__(self, inner):
            self.inner, self.parameters = inner, inner.parameters
            self.predict, self.gradient = inner.predict, inner.gradient

        def with_parameters(self, w):
            return Bare(self.inner.with_parameters(w))

    bare = gv.descend(h, Bare(model), loss, steps=1, batch=7, learning_rate=0.5, rng=0)
    assert bare.model.parameters == pytest.approx(run.model.parameters, rel=1e-12)


def test_a_descent_learns_and_along_it_the_bound_holds():
    H = gv.ModularAddition(3)
    start = gv.MLP.random([6, 32, 3], "relu", rng=0)
    run = gv.descend(H.member([1, 2]), start, "cross-entropy", steps=600, learning_rate=0.5, record=300, rng=0)
    assert run.accuracies[-1] == 1.0
    assert run.losses[-1] < 0.1 < 0.9 < run.losses[0]
    path = gv.along(H, run, "cross-entropy")
    assert [check.verdict for check in path.checks] == ["holds"] * 3
    assert path.checks[2].variance.value == gv.gradient_variance(H, run.model, "cross-entropy").value
    # the noise of one example and the alignment of the target, at the last checkpoint
    x, h = H.inputs.points(0, 9), H.member([1, 2])
    p, g = run.model.predict(x), run.model.gradient(x)
    y = np.eye(3)[h(x)]
    u = np.einsum("nk,nkp->np", np.exp(p) / np.exp(p).sum(axis=1, keepdims=True) - y, g)
    assert path.noises[2].value == pytest.approx((u**2).sum() / 9 - (u.mean(axis=0) ** 2).sum(), rel=1e-9)
    moved = np.einsum("nk,nkp->p", y - 1 / 3, g) / 9
    assert path.alignments[2].value == pytest.approx((moved**2).sum(), rel=1e-12)
    with pytest.raises(ValueError, match="'square', 'correlation' or 'cross-entropy' for 3 outputs, got 'hinge"):
        gv.descend(H.member([1, 2]), start, "hinge", steps=1, learning_rate=0.5)
    with pytest.raises(gv.LabelError, match=r"labels of `target`.* integers from 0 to 2, got"):
        gv.descend(lambda x: x[:, 0] * 3, start, steps=1, learning_rate=0.5, inputs=H.inputs)


@pytest.mark.parametrize("kind", ["labels", "vectors"])
def test_a_class_that_is_drawn_has_the_variance_of_the_class_it_is_drawn_from(kind, rng):
    H, _, weights, model, _, _ = problem(kind, rng)
    inputs = gv.FinitePoints(H.inputs.points(0, N), weights)
    said = {"n_classes": K} if kind == "labels" else {"n_outputs": K}
    drawn = gv.SampledClass(lambda rng: H.member(rng.integers(M)), inputs, log2_size=np.log2(M), **said)
    members = drawn.sample(3, rng=0)
    assert drawn.evaluate(members, inputs.points(0, N)).shape == ((3, N) if kind == "labels" else (3, N, K))
    exact = gv.bound_check(H, model)
    found = gv.bound_check(drawn, model, rng=3)
    low, high = found.variance.interval
    assert low <= exact.variance.value <= high
    assert found.gradient_norm_sq.value == pytest.approx(exact.gradient_norm_sq.value, rel=1e-12)
    assert found.signal_norm_sq.value == pytest.approx(exact.signal_norm_sq.value, rel=1e-12)
    with pytest.raises(gv.LabelError, match="integers from 0 to 2"):
        gv.SampledClass(lambda _: lambda x: x[:, 0] + 9, inputs, n_classes=3).evaluate([1], inputs.points(0, N))


def test_the_checks_look_at_every_output(rng):
    check_hypothesis_class(gv.ModularAddition(3)).raise_if_failed()
    check_hypothesis_class(problem("vectors", rng)[0]).raise_if_failed()
    model = gv.MLP.random([3, 4, 2], rng=0)
    check_model(model).raise_if_failed()


X = np.eye(2)
REFUSED = {
    "one output, class of three": (
        lambda: gv.Problem(gv.FiniteClass(np.zeros((2, 2, 3)), X), gv.Linear([1, 1])),
        gv.ShapeError,
        "same number of outputs, got 1 of .* and 3 of",
    ),
    "three outputs, class of one": (
        lambda: gv.Problem(gv.FiniteClass(np.eye(2), X), gv.MLP.random([2, 3])),
        gv.ShapeError,
        "got 3 of .* and 1 of .*; targets with several outputs are FiniteClass",
    ),
    "three outputs, class of four": (
        lambda: gv.Problem(gv.FiniteClass([[0, 1]], X, n_classes=4), gv.MLP.random([2, 3])),
        gv.ShapeError,
        "got 3 of .* and 4 of",
    ),
    "label out of range": (
        lambda: gv.FiniteClass([[0, 3]], X, n_classes=3),
        gv.LabelError,
        r"integers from 0 to 2, got .*3\)? at index \(0, 1\)",
    ),
    "label negative": (lambda: gv.FiniteClass([[0, -1]], X, n_classes=3), gv.LabelError, "from 0 to 2"),
    "label no integer": (lambda: gv.FiniteClass([[0, 0.5]], X, n_classes=3), gv.LabelError, "integers from 0 to 2"),
    "labels with three axes": (lambda: gv.FiniteClass([[[0, 1]]], X, n_classes=3), gv.ShapeError, "`values`"),
    "one class": (lambda: gv.FiniteClass([[0, 0]], X, n_classes=1), ValueError, "`n_classes` must be an integer >= 2"),
    "hinge": (
        lambda: gv.Problem(gv.FiniteClass([[0, 1]], X, n_classes=2), gv.MLP.random([2, 2]), "hinge"),
        ValueError,
        "must be 'square', 'correlation' or 'cross-entropy' for 2 outputs, got 'hinge",
    ),
    "cross-entropy of one output": (
        lambda: gv.Problem(gv.Parities(2), gv.Linear([1, 1]), "cross-entropy"),
        ValueError,
        "of one output it is 'logistic'",
    ),
    "cross-entropy of vectors": (
        lambda: gv.Problem(gv.FiniteClass(np.ones((1, 2, 3)), X), gv.MLP.random([2, 3]), "cross-entropy"),
        gv.LabelError,
        "use loss='square' or 'correlation'",
    ),
    "modulus": (lambda: gv.ModularAddition(9), ValueError, "`p` must be a prime, got 9 = 3"),
    "inputs": (lambda: gv.ModularAddition(3).member([1, 1])(np.ones((1, 6))), ValueError, "two one-hot vectors"),
    "member": (lambda: gv.ModularAddition(3).member([0, 1]), ValueError, "from 1 to 2, got 0..1"),
    "residues": (lambda: gv.ModularAddition(3).encode([[0, 3]]), ValueError, "from 0 to 2, got 0..3"),
    "covariance": (
        lambda: gv.FiniteClass([[0, 1]], X, n_classes=2).covariance(X, X),
        gv.NotApplicableError,
        "`covariance` is of classes with one output",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_does_not_fit_is_named(case):
    call, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        call()
