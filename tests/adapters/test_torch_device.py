"""A device that PyTorch does not find is named before anything is moved to it."""

import pytest
import torch
from torch import nn

import gradvar as gv

ABSENT = ["cuda:99", "gpu", "meta", torch.device("cuda:99"), *([] if torch.cuda.is_available() else ["cuda"])]


@pytest.mark.parametrize("device", ABSENT, ids=str)
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(ValueError, match=r"`device` must be one that PyTorch finds here, such as 'cpu', got .*: \w"):
        gv.from_torch(nn.Linear(4, 1), device=device)


@pytest.mark.parametrize("device", [None, "cpu", torch.device("cpu")], ids=str)
def test_a_device_that_is_there_is_taken(device):
    assert gv.from_torch(nn.Linear(4, 1), device=device).n_parameters == 5


def test_inputs_that_are_no_numbers_are_named():
    model = gv.from_torch(nn.Linear(4, 1))
    for x in ("a", [["1"] * 4], [[1.0], [1.0, 2.0]], None, [[1j] * 4]):
        with pytest.raises((TypeError, ValueError), match=r"`x` must "):
            model.predict(x)
