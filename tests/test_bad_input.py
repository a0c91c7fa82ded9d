"""A wrong argument gets an error that names it, what was given and what is accepted."""

import numpy as np
import pytest

import gradvar as gv
from gradvar.core.arguments import seed_of

H = gv.Parities(4)
MODEL = gv.Linear([1.0, 2.0, 3.0, 4.0])
POINTS = [[0.0], [1.0], [2.0]]


def model_with(predict=lambda x: x[:, 0], gradient=lambda x: x, n_parameters=4):
    return gv.from_function(predict, gradient, n_parameters)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gv.Parities(0), ValueError, r"`dim` must be an integer >= 1, got 0"),
        (lambda: gv.Parities(2.5), TypeError, r"`dim` must be an integer >= 1, got 2.5"),
        (lambda: gv.Parities(True), TypeError, r"`dim` .* got the bool True"),
        (lambda: gv.SparseParities(4, 5), ValueError, r"`degree` must be an integer from 0 to 4, got 5"),
        (lambda: gv.SparseParities(4, -1), ValueError, r"`degree` must be an integer from 0 to 4, got -1"),
        (
            lambda: H.covariance(np.ones((2, 3)), np.ones((2, 4))),
            gv.ShapeError,
            r"`x` must have shape \(n, 4\) for Parities",
        ),
        (lambda: H.mean(np.zeros((2, 4))), ValueError, r"`x` must hold only -1 and \+1 .* got 0.0 in row 0"),
        (lambda: H.evaluate([[1, 0]], np.ones((2, 4))), gv.ShapeError, r"`members` must have shape \(m, 4\)"),
        (lambda: H.project(np.ones((3, 1))), gv.ShapeError, r"`f` must have shape \(2\^4, q\)"),
        (lambda: gv.FiniteClass([], POINTS), gv.ShapeError, "empty class"),
        (lambda: gv.FiniteClass(np.empty((0, 3)), POINTS), gv.ShapeError, "empty class"),
        (lambda: gv.FiniteClass([[1, 2]], POINTS), gv.ShapeError, r"`values` must have shape \(m, 3\).* got \(1, 2\)"),
        (
            lambda: gv.FiniteClass([[1, 2, np.nan]], POINTS),
            gv.NonFiniteError,
            r"`values` must be finite, got nan at index \(0, 2\)",
        ),
        (lambda: gv.FiniteClass([["a", "b", "c"]], POINTS), TypeError, "`values` must be an array of real numbers"),
        (
            lambda: gv.FiniteClass([lambda x: x], POINTS),
            gv.ShapeError,
            r"function 0 must return shape \(3,\).* got \(3, 1\)",
        ),
        (
            lambda: gv.FiniteClass([[1, 2, 3]], POINTS, [0.5, 0.5, 0.5]),
            ValueError,
            r"`weights` must sum to one, got the sum 1.5",
        ),
        (
            lambda: gv.FiniteClass([[1, 2, 3]], POINTS, [1.5, -0.5, 0]),
            ValueError,
            r"`weights` must be non-negative, got -0.5 at index 1",
        ),
        (lambda: gv.FiniteClass([[1, 2, 3]], POINTS, [0.5, 0.5]), gv.ShapeError, r"`weights` must have shape \(3,\)"),
        (
            lambda: gv.FiniteClass([[1, 2, 3]], [1.0, 2.0, 3.0]),
            gv.ShapeError,
            r"`points` must have shape \(n, dim\), got \(3,\)",
        ),
        (lambda: gv.FiniteClass([[1, 2, 3]], POINTS).mean([[7.0]]), ValueError, r"row 0 is not one"),
        (lambda: gv.Linear([[1.0]]), gv.ShapeError, r"`weights` must have shape \(dim,\), got \(1, 1\)"),
        (lambda: gv.Linear([1.0, np.inf]), gv.NonFiniteError, r"`weights` must be finite, got inf at index \(1,\)"),
        (lambda: gv.Cosine([]), gv.ShapeError, "dim >= 1"),
        (lambda: gv.MLP([[[1.0, np.nan]], [[1.0]]]), gv.NonFiniteError, r"`weights\[0\]` must be finite"),
        (lambda: gv.MLP([[[1.0, 2.0]], [[1.0, 1.0]]]), gv.ShapeError, r"`weights\[1\]` must have shape \(out, 1\)"),
        (lambda: gv.MLP.random([3]), gv.ShapeError, r"`sizes` must be \[dim, widths..., outputs\]"),
        (
            lambda: gv.MLP([[[1.0]]], biases=[[1.0, 2.0]]),
            gv.ShapeError,
            r"`biases\[0\]` must have shape \(1,\), for weights of shape \(1, 1\), got \(2,\)",
        ),
        (
            lambda: gv.MLP([[[1.0]]], activation="swish"),
            ValueError,
            r"`activation` must be one of 'tanh'.* got 'swish'",
        ),
        (lambda: gv.from_function(None, None, 4), TypeError, "`predict` must be a function"),
        (lambda: gv.gradient_variance(gv.Parities, MODEL), TypeError, "`H` must be a hypothesis class"),
        (lambda: gv.gradient_variance(H, "net"), TypeError, "`model` must be an object with `predict`"),
        (
            lambda: gv.gradient_variance(gv.Parities(5), MODEL),
            gv.ShapeError,
            r"`model` takes inputs of dimension 4.* have dimension 5",
        ),
        (
            lambda: gv.gradient_variance(H, MODEL, "entropy"),
            ValueError,
            r"`loss` must be one of 'square'.* got 'entropy'",
        ),
        (lambda: gv.gradient_variance(H, MODEL, 3), TypeError, "`loss` must be a name"),
        (
            lambda: gv.gradient_variance(gv.FiniteClass([[1, 2, 3]], POINTS), gv.Linear([1.0]), "hinge"),
            gv.LabelError,
            "accepts labels -1 and",
        ),
        (
            lambda: gv.gradient_variance(H, MODEL, method="exact"),
            ValueError,
            r"`method` must be one of 'auto'.* got 'exact'",
        ),
        (
            lambda: gv.gradient_variance(H, MODEL, rtol=-1),
            ValueError,
            r"`rtol` must be a number from 0 to 1 .*, got -1",
        ),
        (
            lambda: gv.gradient_variance(H, MODEL, confidence=95),
            ValueError,
            r"`confidence` must be a number strictly between 0 and 1 .* got 95",
        ),
        (
            lambda: gv.gradient_variance(H, MODEL, max_samples=2),
            ValueError,
            r"`max_samples` must be an integer >= 4, got 2",
        ),
        (lambda: gv.gradient_variance(H, MODEL, rng=-1), ValueError, r"`rng` must be .* got -1"),
        (lambda: gv.gradient_variance(H, MODEL, rng="seed"), TypeError, "`rng` must be"),
        (
            lambda: gv.gradient_variance(H, MODEL, executor=2),
            TypeError,
            "`executor` must be a concurrent.futures.Executor",
        ),
        (lambda: gv.MarginLoss(3, 1.0), TypeError, "`derivative` must be a function"),
        (lambda: gv.MarginLoss(np.sign, -1.0), ValueError, "`lipschitz` must be a positive number"),
        (lambda: gv.degree_spectrum(model_with()), ValueError, "`dim` must be given"),
    ],
)
def test_message_names_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("method", ["closed-form", "enumeration", "monte-carlo"])
def test_non_finite_prediction_names_the_row(method):
    model = model_with(predict=lambda x: np.where(x[:, 1] < 0, np.nan, 1.0))
    with pytest.raises(
        gv.NonFiniteError,
        match=r"the prediction of `model` must be finite, got nan in row \d+ of a block of [\d,]+ inputs, at x =",
    ):
        gv.gradient_variance(H, model, "hinge", method=method, rng=0)


@pytest.mark.parametrize("method", ["closed-form", "enumeration", "monte-carlo"])
def test_non_finite_gradient_names_the_row(method):
    model = model_with(gradient=lambda x: np.where(x < 0, np.inf, 1.0))
    with pytest.raises(
        gv.NonFiniteError,
        match=r"the gradient of `model` must be finite, got inf in row \d+ of a block of [\d,]+ inputs, at x =",
    ):
        gv.gradient_variance(H, model, method=method, rng=0)


def test_wrong_shapes_from_functions():
    with pytest.raises(gv.ShapeError, match=r"`predict` must return shape"):
        gv.gradient_variance(H, model_with(predict=lambda x: x))
    with pytest.raises(gv.ShapeError, match=r"`gradient` must return shape \(\d+, 5\)"):
        gv.gradient_variance(H, model_with(n_parameters=5))


def test_forced_method_that_does_not_cover_the_problem_says_why():
    with pytest.raises(gv.NotApplicableError, match="method='closed-form' declines this problem: no theorem covers it"):
        gv.gradient_variance(gv.SparseParities(4, 2), gv.Cosine(np.ones(4)), method="closed-form")


@pytest.mark.parametrize(
    ("dim", "size"), [(28, r"2\^28 inputs needs 32 GiB"), (1000, r"2\^1000 inputs needs 2\^\d+ bytes")]
)
def test_enumeration_that_does_not_fit_says_its_size_and_the_way_out(dim, size):
    with pytest.raises(gv.TooLargeError, match=size + ".*pass method='monte-carlo' or dim <= 2"):
        gv.gradient_variance(gv.SparseParities(dim, 2), gv.MLP.random([dim, 8, 1], rng=0), method="enumeration")
    with pytest.raises(gv.TooLargeError, match="needs the whole cube"):
        gv.degree_spectrum(gv.MLP.random([dim, 8, 1], rng=0))


def test_covariance_of_a_users_class_is_made_sure_of():
    class Wrong(gv.Parities):
        def covariance(self, x, x2):
            return np.ones(3)

    with pytest.raises(gv.ShapeError, match=r"`H.covariance` must return shape"):
        gv.gradient_variance(Wrong(4), MODEL, method="monte-carlo", rng=0)


def test_class_without_covariance_or_projection_is_declined_with_both_reasons():
    class Bare:
        inputs = gv.Hypercube(4)
        log2_size = 2.0

    lacking = (
        r"no method `project\(f\)`.*no method `covariance\(x, x2\)`.*no `sample\(m, rng\)` and `evaluate\(members, x\)`"
    )
    with pytest.raises(gv.NotApplicableError, match=lacking):
        gv.gradient_variance(Bare(), MODEL)


def test_false_lipschitz_constant_is_caught():
    steep = gv.MarginLoss(lambda m: -3 * np.ones_like(m), lipschitz=1.0)
    with pytest.raises(ValueError, match=r"`lipschitz` = 1 is not a bound"):
        gv.gradient_variance(H, MODEL, steep)


def test_seeds_are_reproducible_and_generators_move_on():
    assert seed_of(3) == seed_of(np.random.SeedSequence(3)) == 3
    rng = np.random.default_rng(0)
    assert seed_of(rng) != seed_of(rng)
    used = np.random.SeedSequence(5)
    child, other = used.spawn(2)
    assert seed_of(used) == 5
    assert len({seed_of(child), seed_of(other), seed_of([5, 0]), seed_of([5, 1]), 5}) == 5
    assert seed_of(None) != seed_of(None)


def test_a_model_that_says_it_has_more_outputs_than_one_is_refused():
    model = gv.Linear(np.ones(5))
    assert gv.Problem(gv.Parities(5), model).model is model
    object.__setattr__(model, "n_outputs", 3)
    with pytest.raises(gv.ShapeError, match=r"same number of outputs, got 3 of .* and 1 of .*n_classes=K"):
        gv.Problem(gv.Parities(5), model)
