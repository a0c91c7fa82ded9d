"""Data sets may be tensors: the same bits as from arrays."""

import numpy as np
import torch

import gradvar as gv


def test_tensors_are_data_sets():
    rng = np.random.default_rng(3)
    sets = [(rng.standard_normal((n, 3)), rng.choice([-1.0, 1.0], n)) for n in (4, 1, 6)]
    model = gv.MLP.random([3, 4, 1], rng=0)
    tensors = [(torch.tensor(x), torch.tensor(y)) for x, y in sets]
    plain, found = (gv.gradient_variance(gv.TaskClass.from_datasets(given), model).value for given in (sets, tensors))
    assert found == plain > 0
