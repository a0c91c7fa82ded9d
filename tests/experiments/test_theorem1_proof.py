"""The lines of Theorem 1's proof against their definitions, a class for which a line is false, and the figure."""

import math

import numpy as np
import pytest

import gradvar as gv
from gradvar.experiments import theorem1_proof
from gradvar.testing import reference


@pytest.mark.parametrize("loss", ["square", "hinge", "logistic"])
@pytest.mark.parametrize(("degree", "H"), [(None, gv.Parities(4)), (2, gv.SparseParities(4, 2))], ids=["all", "pairs"])
def test_every_line_is_what_it_says(degree, H, loss):
    model = gv.MLP.random([4, 5, 1], "relu", rng=3, scale=2.0)
    result = theorem1_proof.run(H, model, loss)
    x, weights, table = reference.cube(4), np.full(16, 1 / 16), reference.parity_table(4, degree)
    p, g = model.predict(x), model.gradient(x)
    of_labels = reference.gradients(table, weights, p, g, loss)
    # with random labels the gradient is the mean of those of h and -h
    second = np.square(of_labels - reference.gradients(-table, weights, p, g, loss)).sum(axis=1).mean() / 4
    signal = reference.signal_norm_sq(weights, p, g, loss)
    bound = reference.gradient_norm_sq(weights, g) / len(table)  # every loss here is 1-Lipschitz
    lines = [reference.gradient_variance(of_labels), second, signal / len(table), bound, signal / len(table)]
    assert [row["value"] for row in result] == pytest.approx(lines, rel=1e-9)
    gaps = [lines[1] / lines[0], lines[2] / lines[1], lines[3] / lines[2], lines[4] / lines[1]]
    assert [row["gap"] for row in result][1:] == pytest.approx(gaps, rel=1e-9)
    assert result.agrees


def test_bessel_is_refused_for_a_class_that_is_not_orthonormal_and_holds_with_its_norm():
    # five times the same h: E h h' = 1, Var = 0, ||E h x||^2 = 1/4, E||x||^2/|H| = 1/5
    signs = gv.FiniteClass(np.tile([[1, -1, 1, 1]], (5, 1)), points=np.eye(4))
    result = theorem1_proof.run(signs, gv.Linear([1.0, 2.0, 3.0, 4.0]), "correlation")
    (wrong,) = [comparison for comparison in result.comparisons if not comparison.agrees]
    assert wrong.what.endswith("(Bessel)")
    assert wrong.here == pytest.approx((1 / 5) / (1 / 4), rel=1e-12)
    assert any("orthonormal class failed" in note for note in result.notes)
    assert "NO" in str(result)


def test_of_a_class_with_probabilities_the_lines_have_them_and_not_its_size():
    H = gv.FiniteClass(reference.parity_table(2), points=reference.cube(2), prior=[0.5, 0.25, 0.125, 0.125])
    result = theorem1_proof.run(H, gv.MLP.random([2, 3, 1], "tanh", rng=0), "correlation")
    rows = {row["line"]: row for row in result}
    assert not any("|H|" in row["formula"] for row in rows.values())
    assert rows["Bessel"]["formula"] == "max_i pi_i E||s||²"
    weights, g = np.full(4, 1 / 4), gv.MLP.random([2, 3, 1], "tanh", rng=0).gradient(reference.cube(2))
    assert rows["Bessel"]["value"] == pytest.approx(reference.gradient_norm_sq(weights, g) / 2, rel=1e-9)
    assert result.agrees
    axes = result.plot()
    assert "max_i pi_i L² G²" in axes[0].get_yticklabels()[3].get_text()


def test_codings_are_the_functions_they_name():
    codings = theorem1_proof._codings()
    assert list(codings) == list(theorem1_proof._CODINGS)
    for (name, H), eigenvalue in zip(codings.items(), (1, 16, ((3 + math.sqrt(5)) / 4) ** 4, 1), strict=True):
        for v in (0, 1, 6, 11, 15):
            for j, x in enumerate(H.inputs.points(0, 16)):
                bits = [v >> i & 1 for i in range(4)]
                power = sum(b * int(c) for b, c in zip(bits, x, strict=True))
                product = math.prod(int(c) for b, c in zip(bits, x, strict=True) if b)
                assert H.values[v, j] == (product if name.startswith("prod") else (-1) ** (power % 2))
        gram = reference.gram(H.values, np.full(16, 1 / 16))
        assert np.linalg.eigvalsh(gram)[-1] == pytest.approx(eigenvalue, rel=1e-12)


def test_classes_without_enough_to_say_get_a_no_and_no_error():
    infinite = theorem1_proof.run(gv.LinearPeriodic(3, radius=1.0), gv.Cosine([0.5] * 3), "square")
    assert not infinite.agrees  # there is no G^2/|H|
    assert [row["value"] for row in infinite][2:4] == [None, None]
    sampled = theorem1_proof.run(gv.SparseParities(30, 2), gv.MLP.random([30, 4, 4, 1], rng=0))
    assert sampled.agrees
    with pytest.raises(gv.NotApplicableError):
        theorem1_proof.run(gv.PlantedParities(5, 3))
    with pytest.raises(TypeError, match="`H` must be a hypothesis class"):
        theorem1_proof.run(gv.Linear([1.0, 2.0]))


def test_the_figure_has_the_lines_and_the_four_codings():
    axes = theorem1_proof.run(gv.SparseParities(5, 2)).plot()
    assert len(axes) == 5
    assert [len(line.get_xdata()) for line in axes[0].lines] == [4]
    assert [label.get_text().split("\n")[0] for label in axes[0].get_yticklabels()] == list(theorem1_proof._LINES)
    assert [ax.images[0].get_array().shape for ax in axes[1:]] == [(16, 16)] * 4
