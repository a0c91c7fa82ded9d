"""Bounds and changes of heads against loops over all inputs, the floor of the cross-entropy, and what says no."""

import itertools
import math

import numpy as np
import pytest

from gradvar import Attention
from gradvar.experiments import attention_sensitivity

SMALL = {"lengths": [16, 64], "pairs": 128, "dims": [4, 6], "trained": [2, 12], "steps": 500}


@pytest.fixture(scope="module")
def result():
    return attention_sensitivity.run(**SMALL)


def logits_and_values(head, x):
    """Logit and value of every symbol of one input, for each head, by the formulas of the docstring."""
    z = [head.embedding[:, 0] * symbol + place for symbol, place in zip(x, head.positions, strict=True)]
    size = head.width // head.heads
    for h in range(head.heads):
        rows = slice(h * size, (h + 1) * size)
        q, v = head.query[rows] @ z[-1], head.output_weights[rows]
        yield [q @ (head.key[rows] @ t) / math.sqrt(size) for t in z], [v @ (head.value[rows] @ t) for t in z]


@pytest.mark.parametrize("heads", [1, 2])
def test_bounds_are_the_largest_logit_and_value_and_the_lemma_follows(heads):
    n = 5
    head = Attention.random(n, 4, heads=heads, rng=3, bias=False)
    A, D, outputs = np.zeros(heads), np.zeros(heads), {}
    for x in itertools.product([-1.0, 1.0], repeat=n):
        outputs[x] = 0.0
        for h, (logits, values) in enumerate(logits_and_values(head, x)):
            A[h], D[h] = max(A[h], np.abs(logits).max()), max(D[h], np.abs(values).max())
            weights = np.exp(logits) / np.exp(logits).sum()
            outputs[x] += weights @ values
    found = attention_sensitivity.bounds(head)
    assert found[0] == pytest.approx(A, rel=1e-12)
    assert found[1] == pytest.approx(D, rel=1e-12)
    largest = max(abs(outputs[x] - outputs[(*x[:t], -x[t], *x[t + 1 :])]) for x in outputs for t in range(n - 1))
    assert 0 < largest <= np.sum(2 * D * np.exp(2 * A)) / n


def test_its_heads_are_bounded_and_the_one_made_for_it_attains_the_constant_in_the_limit():
    A, D = 1.5, 2.0
    for head in attention_sensitivity._heads(40, 6, A, D, 0):
        assert np.ravel(attention_sensitivity.bounds(head)) == pytest.approx([A, D], rel=1e-12)
    flipped = np.ones((2, 40))
    flipped[1, 0] = -1
    one, other = head.predict(flipped)
    share = math.exp(A) / (math.exp(A) + 39 * math.exp(-A))
    assert one - other == pytest.approx(2 * D * share, rel=1e-12)
    assert one - other < 2 * D * math.exp(2 * A) / 40


def test_a_row_is_the_mean_over_its_pairs_and_no_cross_entropy_is_below_the_floor(result):
    assert result.agrees
    for row in result:
        assert row["change"] <= row["largest"] <= row["constant"]
        assert row["constant"] == pytest.approx(2 * math.e**2 / row["n"])
        assert row["floor"] == pytest.approx(math.log(1 + math.exp(-row["constant"] / 2)))
        assert row["floor"] <= row["cross_entropy"]
    # where two neighbours have the outputs c/2 and -c/2 that parity asks for, the floor is attained
    c = 0.7
    assert attention_sensitivity._floor(c) == pytest.approx(np.logaddexp(0, -c / 2))
    assert attention_sensitivity._floor(c) < attention_sensitivity.CHANCE


def test_it_says_no_where_the_lemma_or_theorem_1_fails_or_parity_is_learned(result):
    rows = [dict(row) for row in result]
    for row in rows:
        row |= {"change": row["change"] * row["n"] ** 0.5, "largest": 2 * row["constant"], "cross_entropy": 0.1}
    assert not any(found.agrees for found in attention_sensitivity._of_lemma(rows, 1.0))
    trained = {2: (0.6, 0.5, 0.0), 12: (0.1, 1.0, 0.5)}
    assert not any(found.agrees for found in attention_sensitivity._of_parity(trained, {6: 2.0**-5}))


def test_the_figure_has_the_constant_the_floor_and_the_bound(result):
    changes, entropy, variance = result.plot()
    labels = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in (changes, entropy, variance)]
    assert [len(found) for found in labels] == [5, 4, 3]
    assert "Lemma 5: 2 D e²ᴬ/n" in labels[0]
    assert "chance: log 2" in labels[1]
    assert "Theorem 1: 2⁻ⁿ" in labels[2]
    assert variance.lines[1].get_ydata().tolist() == [2.0**-4, 2.0**-6]
