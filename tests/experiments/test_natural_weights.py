"""The class spectrum against integrals, Var/G^2 against gradients of drawn risks, and what says no."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from gradvar import MLP, RandomNetworks
from gradvar.experiments import natural_weights


@pytest.fixture(scope="module")
def result():
    return natural_weights.run(dims=[6], width=2, student=32, samples=200, trained=[6], steps=500, rng=1)


def test_the_spectrum_is_that_of_the_integrals_over_the_angle(result):
    d = 6
    harmonics = [lambda t: 1.0, lambda t: t, lambda t: (d * t**2 - 1) / (d - 1)]

    def relu_kernel(t):  # E relu(<u, x>) relu(<v, x>), <u, v> = t
        return (math.sqrt(1 - t * t) + (math.pi - math.acos(t)) * t) / (2 * math.pi)

    total = quad(lambda t: (1 - t * t) ** ((d - 3) / 2), -1, 1)[0]
    for degree, harmonic in enumerate(harmonics):
        value = quad(lambda t, f=harmonic: relu_kernel(t) * f(t) * (1 - t * t) ** ((d - 3) / 2), -1, 1)[0]
        assert result.spectra[d][degree] == pytest.approx(value / total, rel=1e-8)
    left = 1 - 2 * (result.spectra[d][0] + d * result.spectra[d][1])
    assert natural_weights.beyond_linear(d) == pytest.approx(left, rel=1e-12)


@pytest.mark.parametrize("targets", ["neurons", "depth-2 networks"])
def test_a_row_is_the_variance_of_the_gradients_of_drawn_risks(result, targets):
    source, d = np.random.default_rng(0), 6
    x = source.standard_normal((20_000, d))
    model = MLP.random([d, 32, 1], rng=1)
    g = np.asarray(model.gradient(x))
    u = source.standard_normal((500, 1 if targets == "neurons" else 2, d))
    u /= np.linalg.norm(u, axis=2, keepdims=True)
    v = source.standard_normal((500, 2))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    # E_x[h(x) s(x)], h(x) = relu(<u, x>), or the sum over v_j relu(<u_j, x>)
    gradients = sum(
        (1.0 if targets == "neurons" else v[:, j, None]) * (np.maximum(u[:, j] @ x.T, 0) @ g) / len(x)
        for j in range(u.shape[1])
    )
    variance = float(np.square(gradients - gradients.mean(axis=0)).sum(axis=1).mean())
    (row,) = (
        row for row in result if (row["dim"], row["targets"], row["model"]) == (d, targets, "network at its start")
    )
    assert row["value"] == pytest.approx(variance / float(np.square(g).sum(axis=1).mean()), rel=0.1)


def test_training_begins_at_the_error_of_the_first_network(result):
    H = RandomNetworks(6, (2,), weights="sphere")
    x = np.random.default_rng(3).standard_normal((20_000, 6))
    h, p = H.evaluate(H.sample(1, 1), x)[0], MLP.random([6, 32, 1], rng=1).predict(x)
    (step, first), *_, (last_step, _) = result.learned["depth-2 network, d = 6"]
    assert (step, last_step) == (0, 500)
    assert first == pytest.approx(float(np.square(p - h).mean() / np.square(h).mean()), rel=0.2)


def test_it_says_no_where_a_class_has_small_variance_or_a_parity_is_learned(result):
    rows = [dict(row, value=row["value"] * 2.0 ** -row["dim"], norm=2.0 ** -row["dim"]) for row in result]
    assert not any(found.agrees for found in natural_weights._of_variance(rows))
    spectra = {10: (0.1, 0.02, 0.001)}
    assert not any(found.agrees for found in natural_weights._of_class(spectra, (0.2, 0.05)))
    learned = {"depth-2 network, d = 6": [(9, 0.5)], "parity of d/2 bits, d = 6": [(9, 0.5)]}
    assert not any(found.agrees for found in natural_weights._of_training(learned, 0.2))


def test_the_figure_has_the_spectrum_the_bounds_and_the_training(result):
    spectrum, variance, training = result.plot()
    assert [len(ax.lines) for ax in (spectrum, variance, training)] == [2, 7, 3]
    labels = [line.get_label() for line in variance.lines]
    assert labels[4:] == [
        "bound for neurons: Var/G² <= 1/(4d)",
        "bound for networks: Var/G² <= λ₀",
        "parities: Var/G² = 2⁻ᵈ",
    ]
    assert [line.get_ydata()[0] for line in variance.lines[4:]] == [1.0, 24 * result.spectra[6][0], 24 / 64]
    assert training.get_xlabel().startswith("thousands of steps")
