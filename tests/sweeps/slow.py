"""What the tests of sweeps share: a model that takes its time, importable by the workers of any executor."""

import json
import time
from pathlib import Path

import numpy as np

import gradvar as gv

TIMELESS = ("seconds",)


class SlowLinear:
    """p(x) = w sum_i x_i; every prediction takes `delay` seconds."""

    n_parameters = 1

    def __init__(self, weight: float, delay: float = 0.0) -> None:
        self.weight, self.delay = weight, delay

    def __repr__(self) -> str:
        return f"SlowLinear({self.weight})"

    def predict(self, x):
        time.sleep(self.delay)
        return self.weight * x.sum(axis=1)

    def gradient(self, x):
        return np.ascontiguousarray(x.sum(axis=1))[:, None]


def problems(n: int, delay: float = 0.0) -> list[gv.NamedProblem]:
    """Sampled means (Parseval beyond the dimensions that are enumerated) of n models."""
    H = gv.Parities(30)
    return [
        gv.NamedProblem({"model": i}, H, SlowLinear(1.0 + i, delay), "square", seed=i, rtol=0, max_samples=64)
        for i in range(n)
    ]


def timeless(results) -> list[dict]:
    """The rows but for how long they took."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in results.to_dicts()]


def lines(path) -> list[dict]:
    """The records of a file as anyone would read them: every line is JSON and ends."""
    text = Path(path).read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]
