"""What neighbouring tools return where a user asks them for the variance over a class: their value over the truth.

One problem, all 2^12 parities and a network 12-32-1, whose Var is known exactly; per-example gradients, kernels or
transforms are each tool's own, from 1000 inputs where it samples, over seeds. A tool that is not installed is a row
without a number.

    python -m benchmarks.prior_art
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np

import gradvar as gv

from . import networks

DIM, WIDTH, INPUTS, MEMBERS, SEEDS = 12, 32, 1000, 50, 10
H, MODEL = gv.Parities(DIM), networks.network(DIM, WIDTH)
CUBE = H.inputs.points(0, 2**DIM)
Answer = Callable[[np.random.Generator], float]


@cache
def truth() -> float:
    return gv.gradient_variance(H, MODEL, method="enumeration").value


def spread(c: np.ndarray) -> float:
    """E_h ||c_h - E c||^2 of the rows of a table."""
    return float(((c - c.mean(axis=0)) ** 2).sum(axis=1).mean())


def plug_in(gradients: Callable[[np.ndarray], object]) -> Answer:
    """50 drawn members and 1000 inputs for all of them: the variance of 50 sampled gradients."""

    def answer(rng: np.random.Generator) -> float:
        x, members = H.inputs.sample(INPUTS, rng), H.sample(MEMBERS, rng)
        return spread(H.evaluate(members, x) @ np.asarray(gradients(x)) / INPUTS)

    return answer


def by_backpack() -> Answer:
    return plug_in(networks.backpack_per_example(MODEL))


def by_torch() -> Answer:
    return plug_in(networks.torch_per_example(MODEL))


def by_jax() -> Answer:
    return plug_in(networks.jax_per_example(MODEL))


def by_gradvar() -> Answer:
    return lambda rng: gv.gradient_variance(H, MODEL, method="monte-carlo", max_samples=INPUTS, rtol=0, rng=rng).value


def noise_by_backpack() -> Answer:
    """BackPACK's Variance: of the gradients of single examples of one target, summed over the parameters."""
    from backpack import backpack, extend
    from backpack.extensions import Variance
    from torch import as_tensor, nn

    net, loss = extend(networks.torch_module(MODEL)), extend(nn.MSELoss(reduction="sum"))

    def answer(rng: np.random.Generator) -> float:
        x, members = H.inputs.sample(INPUTS, rng), H.sample(1, rng)
        net.zero_grad()
        with backpack(Variance()):
            loss(net(as_tensor(x)), as_tensor(H.evaluate(members, x).T)).div(2).backward()
        return float(sum(p.variance.sum() for p in net.parameters()))

    return answer


def noise_by_cockpit() -> Answer:
    """What Cockpit's norm test weighs: theta^2 ||g||^2 B, the variance of the gradients of single examples."""
    from backpack import extend
    from cockpit import Cockpit
    from cockpit.quantities import GradNorm, NormTest
    from torch import as_tensor, nn

    net = extend(networks.torch_module(MODEL))
    mean, each = extend(nn.MSELoss()), nn.MSELoss(reduction="none")

    def answer(rng: np.random.Generator) -> float:
        x, members = H.inputs.sample(INPUTS, rng), H.sample(1, rng)
        labels = as_tensor(H.evaluate(members, x).T)
        always = {"track_schedule": lambda step: True}
        seen = Cockpit(net.parameters(), quantities=[NormTest(**always), GradNorm(**always)])
        net.zero_grad()
        loss, losses = mean(net(as_tensor(x)), labels), each(net(as_tensor(x)), labels)
        info = {"batch_size": INPUTS, "individual_losses": losses, "loss": loss, "optimizer": None}
        with seen(0, info=info):
            loss.backward(create_graph=seen.create_graph(0))
        found = seen.get_output()[0]
        norm = float(np.sum(np.square(found["GradNorm"])))
        return float(found["NormTest"] ** 2 * norm * INPUTS / 4)  # of (p - y)^2, four times that of its half

    return answer


def by_kernel(diagonal: bool) -> Callable[[], Answer]:
    """The mean of C_H(x, x') times NNGeometry's kernel over pairs, with those of an input with itself or without."""

    def make() -> Answer:
        import torch
        from nngeometry.backend import TorchHooksJacobianBackend
        from nngeometry.layercollection import LayerCollection
        from nngeometry.object import FMatDense

        net = networks.torch_module(MODEL)
        backend = TorchHooksJacobianBackend(model=net, layer_collection=LayerCollection.from_model(net))

        def answer(rng: np.random.Generator) -> float:
            x = H.inputs.sample(INPUTS, rng)
            kernel = FMatDense(backend, examples=(torch.as_tensor(x),)).to_torch().reshape(INPUTS, INPUTS).numpy()
            terms = H.covariance(x, x) * kernel
            return float(terms.mean() if diagonal else (terms.sum() - np.trace(terms)) / (INPUTS * (INPUTS - 1)))

        return answer

    return make


def by_transform() -> Answer:
    """fht-cpu: transforms of the gradient's components at all inputs. The bias carries no part of the empty parity."""
    from fht_cpu import fht

    def answer(rng: np.random.Generator) -> float:
        columns = np.ascontiguousarray(networks.numpy_per_example(MODEL)(CUBE).T)
        return spread(np.stack([fht(column) for column in columns]).T / 2**DIM)

    return answer


def by_boofun() -> Answer:
    """boofun: Fourier coefficients of one component of the gradient on 2^8 inputs, held against their own variance."""
    import boofun
    from scipy.linalg import hadamard

    x = gv.Hypercube(8).points(0, 2**8)
    component = networks.numpy_per_example(networks.network(8, WIDTH))(x).T[0]
    true = spread((hadamard(2**8) @ component)[:, None] / 2**8)

    def answer(rng: np.random.Generator) -> float:
        return spread(np.asarray(boofun.create(component).fourier())[:, None]) * truth() / true

    return answer


def over_weights() -> Answer:
    """The protocol of barren plateaus: one target, the variance of its gradient over random weights."""

    def answer(rng: np.random.Generator) -> float:
        member = H.sample(1, rng)
        labels = H.evaluate(member, CUBE)[0]
        models = [gv.MLP.random([DIM, WIDTH, 1], rng=rng) for _ in range(MEMBERS)]
        return spread(np.stack([(m.predict(CUBE) - labels) @ m.gradient(CUBE) / 2**DIM for m in models]))

    return answer


def by_two_batches() -> Answer:
    """The alignment of one target as circulating code has it: two batches of 8192, one with random labels."""

    def answer(rng: np.random.Generator) -> float:
        member, n = H.sample(1, rng), 8192
        first, second = H.inputs.sample(n, rng), H.inputs.sample(n, rng)
        true, random = H.evaluate(member, first)[0], rng.choice([-1.0, 1.0], n)
        gradients = [(MODEL.predict(x) - y) @ MODEL.gradient(x) / n for x, y in ((first, true), (second, random))]
        return float(((gradients[0] - gradients[1]) ** 2).sum())

    return answer


ROWS: tuple[tuple[str, str, Callable[[], Answer]], ...] = (
    ("gradient-variance", "U-statistic over pairs of 1000 inputs", by_gradvar),
    ("backpack-for-pytorch", "BatchGrad, 50 members, 1000 inputs: plug-in", by_backpack),
    ("torch", "torch.func, 50 members, 1000 inputs: plug-in", by_torch),
    ("jax", "vmap(grad), 50 members, 1000 inputs: plug-in", by_jax),
    ("backpack-for-pytorch", "Variance: over examples of one target", noise_by_backpack),
    ("cockpit-for-pytorch", "norm test: over examples of one target", noise_by_cockpit),
    ("nngeometry", "C_H times its kernel, all pairs of 1000 inputs", by_kernel(diagonal=True)),
    ("nngeometry", "C_H times its kernel, pairs of different inputs", by_kernel(diagonal=False)),
    ("fht-cpu", "transforms of all components at all 2^12 inputs", by_transform),
    ("boofun", "Fourier coefficients of one component, 2^8 inputs", by_boofun),
    ("numpy", "barren-plateau protocol: over weights, one target", over_weights),
    ("numpy", "two batches of 8192, one target", by_two_batches),
)


def rows() -> Iterator[tuple[str, str, str]]:
    for package, recipe, make in ROWS:
        try:
            name = f"{package} {version(package)}"
            answer = make()
        except (ImportError, PackageNotFoundError) as error:
            yield package, recipe, f"not installed ({type(error).__name__})"
            continue
        ratios = [answer(np.random.default_rng(seed)) / truth() for seed in range(SEEDS)]
        error_of_mean = statistics.stdev(ratios) / SEEDS**0.5
        yield name, recipe, f"{statistics.mean(ratios):.4g} +- {error_of_mean:.2g}"


def main() -> None:
    warnings.simplefilter("ignore")
    print(f"{date.today()}: mean of {SEEDS} seeds over the truth, with its standard error\n")
    print("| package | what is done with it | value / Var |\n|---|---|---|")
    for row in rows():
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
