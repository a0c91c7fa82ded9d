"""Call each kind of computation with an empty cache, and print what was compiled: run by `test_compiled_once.py`."""

import importlib
import json
import pkgutil

import numpy as np
from numba.core.dispatcher import Dispatcher

import gradvar as gv
import gradvar.kernels
from gradvar.methods.closed_form import two_layer_parities

compiled: list[str] = []
compile_one = Dispatcher.compile


def recorded(dispatcher, signature):
    before = len(dispatcher.overloads)
    found = compile_one(dispatcher, signature)
    if len(dispatcher.overloads) > before:
        compiled.append(f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}")
    return found


def network(*sizes, activation="tanh"):
    return gv.MLP.random(list(sizes), activation=activation, rng=0)


def call_everything():
    few = {"rtol": 0, "max_samples": 600, "rng": 0}
    gv.gradient_variance(gv.SparseParities(64, 3), network(64, 8, 8, 1), **few)
    gv.gradient_variance(gv.SparseParities(40, 3).restrict(range(16)), network(40, 8, 8, 1), **few)
    gv.gradient_variance(gv.LinearPeriodic(10, 3), network(10, 8, 8, 1), **few)
    gv.gradient_variance(gv.RandomNetworks(10, (2,)), network(10, 8, 8, 1), method=gv.MonteCarlo(n_members=64), **few)
    gv.gradient_variance(gv.SparseParities(10, 3), network(10, 8, 8, 1))
    gv.gradient_variance(gv.SparseParities(13, 3), network(13, 2, 2, 1), method="enumeration")
    gv.gradient_variance(gv.BiasedParities(10, 0.3), network(10, 8, 1))
    gv.gradient_variance(gv.Parities(10), network(10, 8, 8, 1))
    gv.gradient_variance(gv.OrthogonalNetworks(10, 3), network(10, 8, 8, 1), **few)
    gv.bound_check(gv.SparseParities(64, 3), network(64, 8, 1))
    gv.bound_check(gv.SparseParities(24, 3), network(24, 2, 1, activation="relu"), **few | {"rtol": 0.5})
    gv.bound_check(gv.PlantedParities(30, 3), network(30, 8, 1), **few)
    gv.bound_check(gv.LinearPeriodic(30, 3), network(30, 8, 1), rng=0)
    gv.degree_spectrum(network(14, 8, 1))
    gv.degree_spectrum(network(22, 1, 1))
    two_layer_parities._DOUBLING = 0.0  # as if the sums had cancelled
    gv.gradient_variance(gv.SparseParities(40, 3), network(40, 1, 1), method="closed-form")
    gv.gradient_alignment(gv.SparseParities(24, 3).member(subset=[0, 1, 2]), network(24, 2, 1, activation="relu"))
    gv.gradient_variance(gv.SparseParities(10, 3).restrict(range(16)), network(10, 8, 1), method="enumeration")
    gv.gradient_variance(gv.BiasedParities(10, 0.3), network(10, 8, 1), method="enumeration")
    gv.gradient_variance(gv.BiasedParities(30, 0.3, degree=2), network(30, 8, 8, 1), **few)
    gv.gradient_variance(gv.OrthogonalNetworks(20, 7), network(20, 8, 8, 1), **few)
    signs = gv.SampledClass(halfspace, gv.Hypercube(10), labels="signs")
    whole = gv.MonteCarlo(n_members=64, n_projections=None)
    gv.gradient_variance(signs, network(10, 16, 1), method=whole, **few)


def halfspace(rng):
    normal = rng.standard_normal(10)
    return lambda x: np.where(x @ normal < 0, -1.0, 1.0)


def dispatchers():
    for file in pkgutil.iter_modules(gradvar.kernels.__path__):
        module = importlib.import_module(f"gradvar.kernels.{file.name}")
        for name, kernel in vars(module).items():
            if isinstance(kernel, Dispatcher) and kernel.py_func.__module__ == module.__name__:
                yield f"{file.name}.{name}", kernel


def counts():
    return {name: len(kernel.signatures) for name, kernel in dispatchers() if kernel.signatures}


def unreached():
    return [name for name, kernel in dispatchers() if not kernel.signatures]


if __name__ == "__main__":
    Dispatcher.compile = recorded
    gv.gradient_variance(gv.Parities(10), network(10, 8, 8, 1))
    before = unreached()
    call_everything()
    once, missing = counts(), unreached()
    # The other direction: arrays of another layout are compiled for again, and seen.
    dict(dispatchers())["pair_sums.multiply_into"](*np.ones((3, 2, 4))[:, :, ::2])
    found = {"counts": once, "afterwards": counts(), "compiled": compiled}
    print(json.dumps(found | {"unreached": missing, "unreached before": before}))
