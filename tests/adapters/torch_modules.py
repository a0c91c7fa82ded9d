"""Modules of the kinds that users have, and plain autograd as the truth about them."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import torch
from torch import nn

Array = np.ndarray


def images(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(-1, 1, 2, x.shape[1] // 2)


def tokens(x: torch.Tensor) -> torch.Tensor:
    return (x > 0).long()


class ConvNet(nn.Module):
    """Images (n, 1, 2, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 2, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 3, (1, 2), stride=(1, 2), dilation=(1, 2), padding=(0, 1), bias=False),
            nn.MaxPool2d(2, 1),
            nn.Tanh(),
        )
        self.head = nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.flatten(self.features(x), 1))


class ConvNet1d(nn.Module):
    def __init__(self, padding: str | int = "same", mode: str = "circular", groups: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 4, 3, padding=padding, padding_mode=mode)
        self.second = nn.Conv1d(4, 4, 2, stride=2, groups=groups)
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.first(x[:, None]))
        return self.head(nn.functional.gelu(self.second(hidden)).mean(dim=2)).squeeze(1)


class Encoder(nn.Module):
    """Tokens (n, T) through torch's own transformer layer."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.embedding = nn.Embedding(2, 8)
        self.positions = nn.Parameter(torch.randn(6, 8) / 3)
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.1, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding(t) + self.positions
        if not self.batch_first:
            return self.head(self.encoder(hidden.transpose(0, 1)).mean(dim=0))
        return self.head(self.encoder(hidden).mean(dim=1))


class Attention(nn.Module):
    """One block written by hand, whose output matrix is the embedding of its tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(2, 6)
        self.norm = nn.LayerNorm(6)
        self.query_key_value = nn.Linear(6, 18, bias=False)
        self.mix = nn.Linear(6, 6)
        self.out = nn.Linear(6, 2, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding(t)
        hidden = hidden + torch.linspace(-1, 1, t.shape[1], dtype=hidden.dtype)[:, None]
        query, key, value = self.query_key_value(self.norm(hidden)).chunk(3, dim=-1)
        weights = torch.softmax(query @ key.transpose(1, 2) / 6**0.5, dim=-1)
        logits = self.out((hidden + self.mix(weights @ value))[:, -1])
        return logits[:, 1] - logits[:, 0]


class Unrolled(nn.Module):
    """One cell used at every step, and one weight that is also used without its module."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(5, 4)
        self.head = nn.Linear(4, 1)
        self.mixed = nn.Linear(4, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = x.new_zeros(x.shape[0], 4)
        for step in x.T:
            state = torch.tanh(self.cell(torch.cat([state, step[:, None]], dim=1)))
        state = self.mixed(state) + nn.functional.linear(state**2, self.mixed.weight)
        return self.head(state)


class Recurrent(nn.Module):
    """torch's own recurrent layers, which torch.func does not take apart."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layer = kind(1, 3, batch_first=True)
        self.head = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x[:, :, None])[0][:, -1])


class Flattened(nn.Module):
    """A linear layer that sees the positions of all examples as one batch, and one that sees them transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.turned, self.head = nn.Linear(1, 3), nn.Linear(3, 3), nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.flat(x.reshape(-1, 1))).reshape(*x.shape, 3)
        return self.head(torch.tanh(self.turned(hidden.transpose(0, 1))).mean(dim=0))


class DeadEnd(nn.Module):
    """Zero output weights, so that nothing flows into the tied layers; frozen and unused parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.third.bias.requires_grad_(False)
        self.unused = nn.Parameter(torch.ones(2))
        self.head = nn.Linear(6, 1)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.third(torch.tanh(self.second(torch.tanh(self.first(x)))))))


class Listed(nn.Module):
    """The parameters by another reference, at which torch.func does not put its own: it finds no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(4, 6)), nn.Parameter(torch.randn(1, 4))
        self.listed = [self.first, self.second]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for weight in self.listed:
            x = torch.tanh(nn.functional.linear(x, weight))
        return x


class Bag(nn.Module):
    """Embeddings of one token a position, one of which is padding, and of one token an example."""

    def __init__(self) -> None:
        super().__init__()
        self.many = nn.Embedding(3, 4, padding_idx=1)
        self.one = nn.Embedding(2, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.many(t + 1).sum(dim=1) + self.one(t[:, 0])))


def plain(sizes: tuple[int, ...] = (6, 5, 4, 1)) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, out), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


MODULES = {
    "plain": (plain, None),
    "in-place": (lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 1)), None),
    "conv2d": (ConvNet, images),
    "conv1d-circular": (ConvNet1d, None),
    "conv1d-reflect": (lambda: ConvNet1d(1, "reflect"), None),
    "conv1d-valid": (lambda: ConvNet1d("valid", "zeros"), None),
    "conv1d-groups": (lambda: ConvNet1d(groups=2), None),
    "encoder": (Encoder, tokens),
    "encoder-turned": (lambda: Encoder(batch_first=False), tokens),
    "attention": (Attention, tokens),
    "unrolled": (Unrolled, None),
    "flattened": (Flattened, None),
    "dead-end": (DeadEnd, None),
    "listed": (Listed, None),
    "bag": (Bag, tokens),
    "rnn": (lambda: Recurrent(nn.RNN), None),
    "lstm": (lambda: Recurrent(nn.LSTM), None),
    "gru": (lambda: Recurrent(nn.GRU), None),
}


def build(name: str) -> tuple[nn.Module, object]:
    """A module in eval mode with Gaussian noise on its parameters and buffers, and the transform it needs."""
    make, transform = MODULES[name]
    with torch.random.fork_rng():
        torch.manual_seed(len(name))
        module = make()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
    return module.eval(), transform


class Truth:
    """Plain autograd in float64, one example or one risk at a time."""

    def __init__(self, module: nn.Module, transform: object = None) -> None:
        self.module = copy.deepcopy(module).double()
        self.transform = transform
        self.parameters = [p for p in self.module.parameters() if p.requires_grad]

    def outputs(self, x: Array) -> torch.Tensor:
        inputs = torch.tensor(x)
        return self.module(inputs if self.transform is None else self.transform(inputs)).reshape(-1)

    def flat_gradient(self, scalar: torch.Tensor) -> Array:
        found = torch.autograd.grad(scalar, self.parameters, allow_unused=True)
        return np.concatenate(
            [
                np.zeros(p.numel()) if g is None else g.numpy().ravel()
                for p, g in zip(self.parameters, found, strict=True)
            ]
        )

    def predict(self, x: Array) -> Array:
        return self.outputs(x).detach().numpy()

    def gradient(self, x: Array) -> Array:
        return np.stack([self.flat_gradient(self.outputs(x[i : i + 1]).sum()) for i in range(len(x))])

    def variance(self, labels: Array, x: Array, loss: str) -> float:
        """E_h ||grad F_h - mean||^2 with the gradients of the true risks."""
        gradients, threads = [], torch.get_num_threads()
        torch.set_num_threads(1)  # tiny products: more of them only wait for each other
        for h in torch.tensor(labels):
            p = self.outputs(x)
            values = {
                "square": lambda p=p, h=h: (p - h) ** 2 / 2,
                "logistic": lambda p=p, h=h: nn.functional.softplus(-h * p),
            }[loss]()
            gradients.append(self.flat_gradient(values.mean()))
        torch.set_num_threads(threads)
        deviations = np.array(gradients) - np.mean(gradients, axis=0)
        return float((deviations**2).sum(axis=1).mean())
