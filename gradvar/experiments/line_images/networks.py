"""Networks of PyTorch that score images and multiply, their training, and the signal in their gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...core.arguments import Array
from ...estimation.u_statistic import Moments
from ...losses import as_loss
from .images import SIDE, Images, examples
from .tuples import Slopes, noise, signal

if TYPE_CHECKING:
    import torch

_TESTED, _GROUPS = 4000, 16
_NODES = {1: 129, 2: 129, 3: 65, 4: 25}
"""The nodes of each axis between which the second network's slopes are interpolated, by k."""


@dataclass(frozen=True)
class Networks:
    """One that scores an image, and one that takes the scores of k images, s -> p."""

    image: torch.nn.Sequential
    top: torch.nn.Sequential
    k: int

    @classmethod
    def random(cls, k: int, channels: int, stride: int, larger: bool, seed: int) -> Networks:
        """Return networks with truncated normal weights, of standard deviation 1/sqrt(inputs) and as in `run`."""
        import torch
        from torch import nn

        def started(made: nn.Conv2d | nn.Linear, gain: float) -> nn.Module:
            weight, bias = made.parameters()
            std = (gain if larger else 1.0) / math.sqrt(weight.shape[1])
            nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)
            nn.init.zeros_(bias)
            return made

        side = -(-(-(-SIDE // stride) // 2) // 2)  # halved twice, rounded up
        pool = nn.MaxPool2d(2, ceil_mode=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed % 2**63)
            image = nn.Sequential(
                started(nn.Conv2d(1, channels, 5, stride, 2), math.sqrt(2 / 25)),
                pool,
                started(nn.Conv2d(channels, channels, 5, 1, 2), math.sqrt(2 / 25)),
                pool,
                nn.Flatten(),
                started(nn.Linear(channels * side**2, 50), math.sqrt(2)),
                nn.ReLU(),
                started(nn.Linear(50, 100), math.sqrt(2)),
                nn.ReLU(),
                started(nn.Linear(100, 1), 1.0),
            )
            top = nn.Sequential(
                nn.Sigmoid(), started(nn.Linear(k, 100), 2.0), nn.ReLU(), started(nn.Linear(100, 1), 2.0), nn.Flatten(0)
            )
        return cls(image, top, k)

    def outputs(self, images: Images) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores (n, k) and p (n,) of n tuples of images."""
        import torch

        scores = self.image(torch.from_numpy(images).reshape(-1, 1, SIDE, SIDE)).reshape(-1, self.k)
        return scores, self.top(scores)


def train(
    networks: Networks,
    decomposed: bool,
    batches: Iterable[tuple[Images, Array]],
    learning_rate: float,
    record_at: Sequence[int],
    rng: np.random.Generator,
) -> Iterator[tuple[int, float]]:
    """Train by Adam on the hinge loss of the product, and of each label if decomposed; yield steps and accuracies."""
    import torch

    weights = [*networks.image.parameters(), *networks.top.parameters()]
    optimizer = torch.optim.Adam(weights, lr=learning_rate, betas=(0.9, 0.99), eps=1e-5)
    for step, (images, labels) in enumerate(batches, start=1):
        y = torch.from_numpy(labels.astype(np.float32))
        scores, p = networks.outputs(images)
        loss = torch.relu(1 - y.prod(dim=1) * p).mean()
        if decomposed:
            loss = loss + torch.relu(1 - y * scores).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        if step in record_at:
            images, labels = examples(_TESTED, networks.k, rng)
            with torch.no_grad():
                found = np.concatenate([networks.outputs(part)[1].numpy() for part in np.array_split(images, 8)])
            yield step, float(0.5 + 0.5 * np.mean(np.sign(found) * labels.prod(axis=1)))


def signals(
    networks: Sequence[Networks], samples: int, rng: np.random.Generator
) -> Iterator[tuple[str, int, Moments, float]]:
    """Yield the approach, k, the estimate of ||E y s||^2 and E||s||^2, in float64.

    Of networks that take 1, 2, ... images, and score them alike; decomposed, of one image's score.
    """
    import torch

    most, hinge = networks[-1].k, as_loss("hinge")
    image = networks[-1].image.double()
    hidden, scores, labels = [], [], []
    with torch.no_grad():
        for _ in range(_GROUPS):
            drawn, y = examples(samples, most, rng)
            # A line and its mirror image, of angle pi - theta and the other label: what they have in common cancels.
            for images, of_these in ((drawn, y), (drawn[:, :, ::-1], -y)):
                x = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float64)).reshape(-1, 1, SIDE, SIDE)
                inner = torch.cat([image[:-1](part) for part in torch.split(x, 2048)])
                hidden.append(inner.reshape(samples, most, -1).numpy())
                scores.append(image[-1](inner).reshape(samples, most).numpy())
                labels.append(of_these)
    # (2 G, samples, k, ...) to (G, k, 2 samples, ...)
    s, h, y = (
        np.moveaxis(np.array(part).reshape(_GROUPS, 2 * samples, most, *part[0].shape[2:]), 2, 1)
        for part in (scores, hidden, labels)
    )

    def slopes_of(top: torch.nn.Module | None) -> Slopes:
        def slopes(points: Array) -> Array:
            x = torch.from_numpy(points).requires_grad_()
            p = x[:, 0] if top is None else top(x)
            (found,) = torch.autograd.grad(p.sum(), x)
            return np.asarray(hinge.split(p.detach().numpy())[1][:, None] * found.numpy(), dtype=np.float64)

        return slopes

    approaches = [("end-to-end", one.k, slopes_of(one.top.double())) for one in networks]
    for approach, k, slopes in [*approaches, ("decomposed", 1, slopes_of(None))]:
        of_k = s[:, :k], h[:, :k]
        yield approach, k, signal(*of_k, y[:, :k], slopes, _NODES[k]), noise(*of_k, slopes)


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold PyTorch to one thread, with an error that names the extra where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("`decomposition_images` needs PyTorch: pip install 'gradient-variance[torch]'") from error
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
