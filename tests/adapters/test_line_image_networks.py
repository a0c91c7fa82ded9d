"""Networks that score images of lines: their signal against autograd, a few steps, and threads that are given back."""

import itertools
import json

import numpy as np
import pytest
import torch

from gradvar.experiments import decomposition_images
from gradvar.experiments.line_images import networks as module
from gradvar.experiments.line_images.images import examples
from gradvar.experiments.line_images.networks import Networks, one_thread, signals, train


@pytest.fixture(autouse=True)
def few_are_tested(monkeypatch):
    monkeypatch.setattr(module, "_TESTED", 400)


SMALL = {"steps": {1: 3, 2: 2}, "batch": 4, "channels": 2, "stride": 4, "starts": 2, "samples": 4}


def test_weights_are_the_same_for_every_k_and_have_the_deviation_that_is_said():
    one, three = Networks.random(1, 16, 1, False, 5), Networks.random(3, 16, 1, False, 5)
    for a, b in zip(one.image.parameters(), three.image.parameters(), strict=True):
        assert torch.equal(a, b)
    weights = [w.detach() for w in one.image.parameters() if w.ndim > 1]
    larger = [w.detach() for w in Networks.random(1, 16, 1, True, 5).image.parameters() if w.ndim > 1]
    assert [w.shape[1] for w in weights] == [1, 16, 16 * 7 * 7, 50, 100]
    cut = 0.8796  # the standard deviation of a normal number that is drawn again beyond 2
    for w, v, gain in zip(weights, larger, [(2 / 25) ** 0.5] * 2 + [2**0.5] * 2 + [1.0], strict=True):
        assert float(w.std()) * w.shape[1] ** 0.5 == pytest.approx(cut, rel=4 / w.numel() ** 0.5)
        assert float(w.abs().max()) <= 2 / w.shape[1] ** 0.5 * (1 + 1e-6)
        torch.testing.assert_close(v, w * gain)
    assert all(not w.any() for w in one.image.parameters() if w.ndim == 1)


@pytest.mark.parametrize("larger", [False, True])
def test_the_signal_is_that_of_autograd_at_every_tuple(larger, monkeypatch):
    """With as many nodes as scores: two groups' pairs of a line and its mirror image, all tuples of two images."""
    monkeypatch.setattr(module, "_GROUPS", 4)
    monkeypatch.setattr(module, "_NODES", {1: 4 * 2 * 6, 2: 4 * 2 * 6})
    both = [Networks.random(k, 2, 4, larger, 0) for k in (1, 2)]
    found = {(approach, k): (u.value, of_one) for approach, k, u, of_one in signals(both, 3, np.random.default_rng(1))}
    rng, c, of_one = np.random.default_rng(1), [], []
    pair = both[1]
    score = pair.image[-1].weight
    for _ in range(4):
        x, y = examples(3, 2, rng)
        x, y = np.concatenate([x, x[:, :, ::-1]]).astype(np.float64), np.concatenate([y, -y])
        total = 0.0
        for i, j in itertools.product(range(6), repeat=2):
            p = pair.outputs(np.stack([x[i, 0], x[j, 1]])[None])[1].sum()
            b = -1.0 if abs(p.item()) < 1 else -0.5
            s = b * torch.autograd.grad(p, score)[0].flatten().numpy()
            total = total + y[i, 0] * y[j, 1] * s / 36
            if i == j:
                of_one.append(float(s @ s))
        c.append(total)
    value = np.mean([a @ b for a, b in itertools.permutations(c, 2)])
    assert found["end-to-end", 2][0] == pytest.approx(value, rel=1e-6)
    assert found["end-to-end", 2][1] == pytest.approx(np.mean(of_one), rel=1e-9)
    assert set(found) == {("end-to-end", 1), ("end-to-end", 2), ("decomposed", 1)}


def test_a_few_steps_of_each_approach_lower_its_loss():
    def losses(nets, x, y):
        scores, p = nets.outputs(x)
        return [torch.relu(1 - part).mean().item() for part in (torch.tensor(y.prod(1)) * p, torch.tensor(y) * scores)]

    for decomposed in (False, True):
        nets, (x, y) = Networks.random(2, 4, 4, True, 0), examples(32, 2, np.random.default_rng(0))
        before = losses(nets, x, y)
        found = list(train(nets, decomposed, [(x, y)] * 20, 2e-3, [10, 20], np.random.default_rng(1)))
        assert [step for step, _ in found] == [10, 20]
        assert all(0.4 < accuracy < 0.75 for _, accuracy in found)
        after = losses(nets, x, y)
        assert after[decomposed] < before[decomposed] - 0.02


def test_a_run_has_a_row_for_each_and_gives_torch_its_threads_and_random_numbers_back():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    result = decomposition_images.run(**SMALL, rng=3)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    runs = [(row["k"], row["approach"], row["start"]) for row in result if "start" in row]
    both = ("end-to-end", "decomposed")
    assert runs == [(1, both[0], 0), (1, both[1], 0), (2, both[0], 0), (2, both[0], 1), (2, both[1], 0)]
    assert len(result.rows) == len(runs) + 3
    assert not result.agrees, "nothing is learned in three steps"
    assert result.notes[0].startswith("End-to-end at k = 2, 0 of 2 runs")
    assert json.dumps(result.to_dict(), allow_nan=False)
    assert result.rows == decomposition_images.run(**SMALL, rng=3).rows


def test_threads_are_given_back_after_an_error_as_well():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError), one_thread():
            1 / (torch.get_num_threads() - 1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
