"""Forty-four problems, one for each method, theorem and kind of class, and their numbers as they stood at bf373b8.

A number that moves is a bug, or a change on purpose. Exact numbers agree to 1e-12 of themselves, sampled ones to
1e-6 of their standard error: the same seeds draw the same samples. The numbers were written down before the files
moved into their rooms, by running this file with that commit's package:

    git worktree add /tmp/base bf373b8 && PYTHONPATH=/tmp/base python tests/test_values.py

It prints the table NUMBERS below. A commit that changes a method on purpose rewrites the rows that it changes, and
its message says so. (Left out from the start: sizes that a pilot chooses, so `rtol` is 0 throughout, and waves with
jumps.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import gradvar as gv


class Number(NamedTuple):
    """A value, its log2, its interval and its standard error (0.0 where it is exact)."""

    value: float
    log2: float
    low: float
    high: float
    error: float


ENUMERATION, CLOSED_FORM, MONTE_CARLO = "enumeration", "closed-form", "monte-carlo"
NEURON = np.array([0.5, -1.0, 2.0])


def variance(H, model, loss="square", method="auto", samples=2048) -> dict[str, Number]:
    found = gv.gradient_variance(H, model, loss, method=method, rtol=0, max_samples=samples, rng=0)
    assert method not in (ENUMERATION, CLOSED_FORM, MONTE_CARLO) or found.method.startswith(method)
    return {"Var": of_estimate(found)}


def check(H, model, loss="square", samples=2048) -> dict[str, Number]:
    found = gv.bound_check(H, model, loss, rtol=0, max_samples=samples, rng=0)
    numbers = {"Var": found.variance, "G^2": found.gradient_norm_sq, "E||s||^2": found.signal_norm_sq}
    if found.example_norm_sq is not None:
        numbers["E||u||^2"] = found.example_norm_sq
    # A bound is a constant of the class times G^2 or E||s||^2, which are compared above.
    constants = {name: bound.log2_constant for name, bound in found.bounds.items() if not math.isnan(bound.log2)}
    return {name: of_estimate(number) for name, number in numbers.items()} | {
        name: exactly(2.0**log2, log2) for name, log2 in constants.items()
    }


def spectrum(model, loss="square") -> dict[str, Number]:
    weights = gv.degree_spectrum(model, loss)
    return {f"degree {k}": exactly(float(weight), math.log2(weight)) for k, weight in enumerate(weights)}


def exactly(value: float, log2: float) -> Number:
    return Number(value, log2, value, value, 0.0)


def of_estimate(found: gv.Estimate) -> Number:
    return Number(found.value, found.log2, *found.interval, float(found.standard_error))


def mlp(*sizes: int, activation: str = "tanh", rng: int = 0, **options) -> gv.MLP:
    return gv.MLP.random(sizes, activation, rng=rng, **options)


def neuron() -> object:
    return gv.from_function(
        lambda x: np.maximum(x @ NEURON, 0), lambda x: (x @ NEURON > 0)[:, None] * x, n_parameters=3
    )


def equal_weights(dim: int) -> gv.MLP:
    """Hidden units that depend on the sum of some coordinates only."""
    weights = np.zeros((3, dim))
    weights[0], weights[1, : dim // 2], weights[2, ::3] = 0.1, -0.3, 0.2
    return gv.MLP([weights, np.array([[1.0, -0.5, 2.0]])], [np.array([0.2, -0.4, 0.0]), np.zeros(1)], "relu")


def table() -> gv.FiniteClass:
    points = np.random.default_rng(0).standard_normal((200, 3))
    return gv.FiniteClass(np.sign(points @ np.random.default_rng(1).standard_normal((3, 40))).T, points)


def functions() -> gv.FiniteClass:
    points = np.random.default_rng(2).standard_normal((60, 3))
    weights = np.random.default_rng(3).uniform(0.2, 1, 60)
    return gv.FiniteClass(
        [lambda x, k=k: np.sin(k * x[:, 0] + x[:, 1]) for k in range(7)], points, weights / weights.sum()
    )


def halfspaces(inputs) -> gv.SampledClass:
    def sampler(rng):
        v = rng.standard_normal(inputs.dim)
        return lambda x: np.where(x @ v > 0, 1.0, -1.0)

    return gv.SampledClass(sampler, inputs, labels="signs")


def clusters() -> gv.TaskClass:
    def sampler(rng):
        centre = rng.standard_normal(3)

        def task(n, rng):
            x = centre + rng.standard_normal((n, 3))
            return x, np.where(x[:, 0] > centre[0], 1.0, -1.0)

        return task

    return gv.TaskClass(sampler, 3, labels="signs")


def wave(u):
    return np.exp(0.5 * np.cos(2 * np.pi * u)) + np.sin(2 * np.pi * u) - 0.4 * np.sin(4 * np.pi * u)


def members(m: int, q: int | None) -> gv.MonteCarlo:
    return gv.MonteCarlo(n_members=m, n_projections=q)


def some_parities() -> gv.Restriction:
    H = gv.SparseParities(10, 2)
    return H.restrict(H.sample(20, rng=0))


PROBLEMS: dict[str, Callable[[], dict[str, Number]]] = {
    # closed forms: one theorem after the other
    "one member": lambda: variance(gv.SparseParities(8, 8), mlp(8, 3, 1), method=CLOSED_FORM),
    "all parities, small": lambda: variance(gv.Parities(6), mlp(6, 5, 3, 1), "hinge", CLOSED_FORM),
    "all parities, d = 16": lambda: variance(gv.Parities(16), mlp(16, 8, 1), "logistic", CLOSED_FORM),
    "all parities, d = 40": lambda: variance(gv.Parities(40), mlp(40, 8, 1), method=CLOSED_FORM),
    "all parities, d = 10 000": lambda: variance(gv.Parities(10_000), gv.Linear([1.0] * 10_000), method=CLOSED_FORM),
    "two layers, smooth": lambda: variance(gv.SparseParities(200, 5), mlp(200, 4, 1), method=CLOSED_FORM),
    "two layers, gelu, few weights": lambda: variance(
        gv.SparseParities(12, 2), mlp(12, 4, 1, activation="gelu", scale=2.0, bias=False), "logistic", CLOSED_FORM
    ),
    "two layers, relu": lambda: variance(
        gv.SparseParities(100, 3), mlp(100, 4, 1, activation="relu"), method=CLOSED_FORM
    ),
    "two layers, equal weights": lambda: variance(gv.SparseParities(300, 4), equal_weights(300), method=CLOSED_FORM),
    "infinite width, relu": lambda: variance(gv.SparseParities(1000, 4), gv.InfiniteMLP(2, "relu"), method=CLOSED_FORM),
    "infinite width, erf": lambda: variance(gv.Parities(12), gv.InfiniteMLP(1, "erf", 32), "logistic", CLOSED_FORM),
    "waves, cosine": lambda: variance(gv.LinearPeriodic(10, 3.0), gv.Cosine([0.5] * 10), method=CLOSED_FORM),
    "waves, tanh": lambda: variance(gv.LinearPeriodic(5, 1.5, wave), mlp(5, 4, 1), method=CLOSED_FORM),
    "waves, relu": lambda: variance(
        gv.LinearPeriodic(8, 1.2, wave), mlp(8, 3, 1, activation="relu"), method=CLOSED_FORM
    ),
    "waves, linear": lambda: variance(gv.LinearPeriodic(6, 0.8, wave), gv.Linear([0.3] * 6), method=CLOSED_FORM),
    "sparse parities, linear": lambda: variance(
        gv.SparseParities(40, 1), gv.Linear([0.3] * 40), "logistic", CLOSED_FORM
    ),
    "planted, linear": lambda: variance(
        gv.PlantedParities(50, 5), gv.Linear(np.linspace(-1, 1, 50)), method=CLOSED_FORM
    ),
    # enumeration: by degrees, by the class's projection, of tables, of tasks
    "degrees, attention": lambda: variance(gv.SparseParities(10, 3), gv.Attention.random(10, 6, rng=0), "hinge"),
    "degrees, weight-tied": lambda: variance(
        gv.SparseParities(9, 2), gv.WeightTied.random(9, 5, 4, rng=0), "perceptron", ENUMERATION
    ),
    "degrees, residual": lambda: variance(
        gv.SparseParities(9, 4), gv.ResidualMLP.random(9, 5, 2, rng=0), "square", ENUMERATION
    ),
    "projection, recurrent": lambda: variance(
        gv.BiasedParities(8, 0.3), gv.Recurrent.random(8, 4, rng=0), "square", ENUMERATION
    ),
    "all biased parities": lambda: variance(
        gv.BiasedParities(8, 0.3), gv.Recurrent.random(8, 4, rng=0), "square", CLOSED_FORM
    ),
    "projection, biased and plain": lambda: variance(
        gv.BiasedParities(9, -0.4, 2, normalised=False), mlp(9, 5, 1), "hinge", ENUMERATION
    ),
    "projection, all and empty": lambda: variance(gv.Parities(7), mlp(7, 5, 1), "square", ENUMERATION),
    "table of signs": lambda: variance(table(), neuron(), "square", ENUMERATION),
    "functions, weighted points": lambda: variance(functions(), mlp(3, 4, 1), "square", ENUMERATION),
    "modular multiples": lambda: variance(gv.ModularMultiples(101), mlp(7, 6, 1), "square", ENUMERATION),
    "discrete logarithms": lambda: variance(gv.DiscreteLog(61), mlp(6, 5, 5, 1), "logistic", ENUMERATION),
    "twenty parities, convolution": lambda: variance(
        some_parities(), gv.Convolutional.random(10, [3], 3, rng=0), "square", ENUMERATION
    ),
    "tasks, enumerated": lambda: variance(gv.PlantedParities(6, 3), mlp(6, 4, 1), "hinge", ENUMERATION),
    "spectrum": lambda: spectrum(mlp(7, 4, 3, 1, activation="sigmoid"), "hinge"),
    # Monte Carlo: pairs of inputs, sampled members, pairs of tasks
    "pairs": lambda: variance(gv.SparseParities(40, 2), mlp(40, 8, 8, 1), "square", MONTE_CARLO),
    "pairs, plain": lambda: variance(
        gv.SparseParities(30, 2), mlp(30, 6, 5, 1), "hinge", gv.MonteCarlo(variance_reduction=False)
    ),
    "pairs, orthogonal networks": lambda: variance(gv.OrthogonalNetworks(20, 3), mlp(20, 6, 1), method=MONTE_CARLO),
    "pairs, waves": lambda: variance(gv.LinearPeriodic(4, 1.0), mlp(4, 6, 6, 1), method=MONTE_CARLO, samples=1500),
    "members and projections": lambda: variance(
        halfspaces(gv.Gaussian(6)), mlp(6, 9, 1), "hinge", members(64, 16), samples=3000
    ),
    "members": lambda: variance(gv.RandomNetworks(4, (3,), "tanh"), mlp(4, 5, 1), "square", members(48, None)),
    "members, all inputs": lambda: variance(halfspaces(gv.Hypercube(6)), mlp(6, 5, 1), "square", members(100, None)),
    "pairs of tasks": lambda: variance(clusters(), mlp(3, 4, 1), "logistic", MONTE_CARLO),
    # bounds and the norms in them
    "check, parities": lambda: check(gv.Parities(12), mlp(12, 8, 1)),
    "check, table": lambda: check(table(), neuron(), "hinge"),
    "check, d = 30": lambda: check(gv.SparseParities(30, 3), mlp(30, 4, 1), "logistic"),
    "check, waves": lambda: check(gv.LinearPeriodic(10, 3.0), gv.Cosine([0.5] * 10)),
    "check, tasks": lambda: check(gv.PlantedParities(9, 3), gv.Linear([0.25] * 9)),
}

NUMBERS: dict[str, dict[str, Number]] = {
    "one member": {
        "Var": Number(0.0, -math.inf, 0.0, 0.0, 0.0),
    },
    "all parities, small": {
        "Var": Number(0.13842563905122512, -2.8528169127054888, 0.1384256390510867, 0.13842563905136357, 0.0),
    },
    "all parities, d = 16": {
        "Var": Number(3.776483613937635e-05, -14.692596947355264, 3.7764836139338587e-05, 3.776483613941412e-05, 0.0),
    },
    "all parities, d = 40": {
        "Var": Number(1.0410757700654394e-11, -36.48313397116628, 1.0410757700654029e-11, 1.041075770065476e-11, 0.0),
    },
    "all parities, d = 10 000": {
        "Var": Number(0.0, -9986.71228762045, 0.0, 0.0, 0.0),
    },
    "two layers, smooth": {
        "Var": Number(4.2645260100515624e-10, -31.126895549873815, 4.2645260100515055e-10, 4.264526010051619e-10, 0.0),
    },
    "two layers, gelu, few weights": {
        "Var": Number(0.05954761686037664, -4.069812418251481, 0.05954761686037628, 0.059547616860377, 0.0),
    },
    "two layers, relu": {
        "Var": Number(2.947415355584491e-07, -21.69404628199274, 2.94741535558446e-07, 2.947415355584522e-07, 0.0),
    },
    "two layers, equal weights": {
        "Var": Number(1.2462397864312016e-07, -22.935914983159126, 1.2462397864311688e-07, 1.2462397864312341e-07, 0.0),
    },
    "infinite width, relu": {
        "Var": Number(1.0806029672406254e-12, -39.75130059005134, 1.0806029672406124e-12, 1.0806029672406383e-12, 0.0),
    },
    "infinite width, erf": {
        "Var": Number(0.0014198327315942106, -9.460063306702263, 0.0014198327315942056, 0.0014198327315942155, 0.0),
    },
    "waves, cosine": {
        "Var": Number(0.0009305540127383189, -10.069622487568967, 0.0009305540127382867, 0.0009305540127383511, 0.0),
    },
    "waves, tanh": {
        "Var": Number(0.11247987268382707, -3.152261228352499, 0.11247987267207649, 0.11247987269557766, 0.0),
    },
    "waves, relu": {
        "Var": Number(0.055888890649217794, -4.161294650858396, 0.05588889064744953, 0.05588889065098606, 0.0),
    },
    "waves, linear": {
        "Var": Number(0.1623891386465995, -2.6224729534031015, 0.1623891386455157, 0.1623891386476833, 0.0),
    },
    "sparse parities, linear": {
        "Var": Number(0.24375, -2.036525876025114, 0.24374999999999977, 0.24375000000000022, 0.0),
    },
    "planted, linear": {
        "Var": Number(2.7531991347142775, 1.461108961649732, 2.753199134711517, 2.753199134717038, 0.0),
    },
    "degrees, attention": {
        "Var": Number(3.0297992635302536e-05, -15.01041826196065, 3.029799263522866e-05, 3.029799263537641e-05, 0.0),
    },
    "degrees, weight-tied": {
        "Var": Number(0.0006689781690864201, -10.54575324770312, 0.000668978169085548, 0.0006689781690872922, 0.0),
    },
    "degrees, residual": {
        "Var": Number(0.00040889575729019344, -11.255979286037466, 0.00040889575728959013, 0.00040889575729079674, 0.0),
    },
    "projection, recurrent": {
        "Var": Number(0.016639399000723913, -5.9092528641282716, 0.016639399000695776, 0.01663939900075205, 0.0),
    },
    "all biased parities": {
        "Var": Number(0.016639399000723868, -5.909252864128276, 0.016639399000706982, 0.016639399000740754, 0.0),
    },
    "projection, biased and plain": {
        "Var": Number(0.1920163824352756, -2.380698690972895, 0.19201638243475921, 0.192016382435792, 0.0),
    },
    "projection, all and empty": {
        "Var": Number(0.04602836240379009, -4.441333074476839, 0.046028362403742425, 0.04602836240383775, 0.0),
    },
    "table of signs": {
        "Var": Number(0.14301690982838763, -2.8057423584902232, 0.14301690982822662, 0.14301690982854864, 0.0),
    },
    "functions, weighted points": {
        "Var": Number(0.12071128135373926, -3.050367582070852, 0.12071128135351802, 0.1207112813539605, 0.0),
    },
    "modular multiples": {
        "Var": Number(0.025379090448824353, -5.300215823845669, 0.025379090448785564, 0.02537909044886314, 0.0),
    },
    "discrete logarithms": {
        "Var": Number(0.004685773475956539, -7.737497072888136, 0.004685773475950277, 0.0046857734759628, 0.0),
    },
    "twenty parities, convolution": {
        "Var": Number(5.4741043113047674e-06, -17.478945643213144, 5.474104311078028e-06, 5.474104311531507e-06, 0.0),
    },
    "tasks, enumerated": {
        "Var": Number(0.18691806625628635, -2.419522077764056, 0.18691806625585264, 0.18691806625672006, 0.0),
    },
    "spectrum": {
        "degree 0": Number(2.058651437752464, 1.04169957955958, 2.058651437752464, 2.058651437752464, 0.0),
        "degree 1": Number(0.006054545060299974, -7.3677657250574695, 0.006054545060299974, 0.006054545060299974, 0.0),
        "degree 2": Number(
            4.313388212462025e-06, -17.82274700233841, 4.313388212462025e-06, 4.313388212462025e-06, 0.0
        ),
        "degree 3": Number(
            1.3765840171358425e-05, -16.148547809722217, 1.3765840171358425e-05, 1.3765840171358425e-05, 0.0
        ),
        "degree 4": Number(
            4.635754056182297e-08, -24.362620731006945, 4.635754056182297e-08, 4.635754056182297e-08, 0.0
        ),
        "degree 5": Number(
            2.1063905319487043e-07, -22.178723722495285, 2.1063905319487043e-07, 2.1063905319487043e-07, 0.0
        ),
        "degree 6": Number(1.00839948232132e-09, -29.885285571308522, 1.00839948232132e-09, 1.00839948232132e-09, 0.0),
        "degree 7": Number(
            5.002223394649507e-09, -27.57478336560846, 5.002223394649507e-09, 5.002223394649507e-09, 0.0
        ),
    },
    "pairs": {
        "Var": Number(
            7.452575791933762e-05,
            -13.711901332084713,
            5.107778839121915e-05,
            9.986985290288994e-05,
            1.1426681939278486e-05,
        ),
    },
    "pairs, plain": {
        "Var": Number(
            0.0006738563051129302,
            -10.535271399422504,
            0.0002156351760616746,
            0.0012399898382167282,
            0.0002416998554385419,
        ),
    },
    "pairs, orthogonal networks": {
        "Var": Number(
            0.0005109377446306468,
            -10.934564863306733,
            0.0004576260227400851,
            0.0005734885579538451,
            2.605361700858198e-05,
        ),
    },
    "pairs, waves": {
        "Var": Number(
            0.0008524461192161056,
            -10.196103731332093,
            0.0007552895295880283,
            0.0009675501439738456,
            4.964655253110592e-05,
        ),
    },
    "members and projections": {
        "Var": Number(
            0.712042198145337, -0.48996535193863533, 0.43840093328435487, 1.0554917147114031, 0.12983339173062952
        ),
    },
    "members": {
        "Var": Number(
            0.13790811011000415, -2.858220793427508, 0.08845711611955247, 0.185153285812596, 0.017701089767271912
        ),
    },
    "members, all inputs": {
        "Var": Number(
            0.3309085778897548, -1.595495404873019, 0.2907356311920656, 0.3621979776224789, 0.011536190180536997
        ),
    },
    "pairs of tasks": {
        "Var": Number(
            0.03067058658318709, -5.0270004309766865, 0.0040411665180753184, 0.06966201962699063, 0.014961235940812095
        ),
    },
    "check, parities": {
        "Var": Number(0.002254595100423115, -8.792915919501398, 0.0022545951004208603, 0.0022545951004253697, 0.0),
        "G^2": Number(9.236716712006364, 3.207380121654732, 9.236716711997127, 9.236716712015602, 0.0),
        "E||s||^2": Number(9.236716712006364, 3.207380121654732, 9.236716711997127, 9.236716712015602, 0.0),
        "theorem-1": Number(0.000244140625, -12.0, 0.000244140625, 0.000244140625, 0.0),
        "operator-norm": Number(0.000244140625, -12.0, 0.000244140625, 0.000244140625, 0.0),
        "operator-norm-uncentred": Number(0.000244140625, -12.0, 0.000244140625, 0.000244140625, 0.0),
        "gershgorin": Number(0.000244140625, -12.0, 0.000244140625, 0.000244140625, 0.0),
        "boas-bellman": Number(0.000244140625, -12.0, 0.000244140625, 0.000244140625, 0.0),
        "cross-predictability": Number(0.015625, -6.0, 0.015625, 0.015625, 0.0),
    },
    "check, table": {
        "Var": Number(0.06533486955506336, -3.9360030187157578, 0.06533486955498928, 0.06533486955513744, 0.0),
        "G^2": Number(1.3521898643256414, 0.4352977382247645, 1.3521898643242891, 1.3521898643269936, 0.0),
        "E||s||^2": Number(0.6797862982635376, -0.5568468115992163, 0.6797862982628579, 0.6797862982642175, 0.0),
        "theorem-1": Number(0.024999999999999994, -5.321928094887363, 0.024999999999999994, 0.024999999999999994, 0.0),
        "operator-norm": Number(
            0.28610410217903304, -1.8053879116236105, 0.28610410217903304, 0.28610410217903304, 0.0
        ),
        "operator-norm-uncentred": Number(
            0.2862235994767096, -1.8047854659940732, 0.2862235994767096, 0.2862235994767096, 0.0
        ),
        "gershgorin": Number(0.40950000000000025, -1.2880646430210776, 0.40950000000000025, 0.40950000000000025, 0.0),
        "boas-bellman": Number(0.4475789866995285, -1.1597857897974004, 0.4475789866995285, 0.4475789866995285, 0.0),
        "cross-predictability": Number(
            0.4511906470661823, -1.148190933114954, 0.4511906470661823, 0.4511906470661823, 0.0
        ),
    },
    "check, d = 30": {
        "Var": Number(0.00010493691002730323, -13.218190165434926, 0.00010493691002730246, 0.00010493691002730401, 0.0),
        "G^2": Number(15.356465306051104, 3.940774274990938, 15.356465306050797, 15.356465306051412, 0.0),
        "E||s||^2": Number(3.839116326512776, 1.9407742749909378, 3.8391163265126993, 3.839116326512853, 0.0),
        "theorem-1": Number(
            0.00024630541871921186, -11.987264012072538, 0.00024630541871921186, 0.00024630541871921186, 0.0
        ),
        "operator-norm": Number(
            0.00024630541871921186, -11.987264012072538, 0.00024630541871921186, 0.00024630541871921186, 0.0
        ),
        "operator-norm-uncentred": Number(
            0.00024630541871921186, -11.987264012072538, 0.00024630541871921186, 0.00024630541871921186, 0.0
        ),
        "gershgorin": Number(
            0.00024630541871921186, -11.987264012072538, 0.00024630541871921186, 0.00024630541871921186, 0.0
        ),
        "boas-bellman": Number(
            0.00024630541871921186, -11.987264012072538, 0.00024630541871921186, 0.00024630541871921186, 0.0
        ),
        "cross-predictability": Number(
            0.015694120514358614, -5.993632006036269, 0.015694120514358614, 0.015694120514358614, 0.0
        ),
    },
    "check, waves": {
        "Var": Number(0.0009305540127383189, -10.069622487568967, 0.0009305540127382867, 0.0009305540127383511, 0.0),
        "G^2": Number(5.0, 2.321928094887362, 4.999999999999987, 5.000000000000013, 0.0),
        "E||s||^2": Number(5.0, 2.321928094887362, 4.999999999999987, 5.000000000000013, 0.0),
        "operator-norm": Number(
            0.0010316750428069818, -9.92079566269617, 0.0010316750428069818, 0.0010316750428069818, 0.0
        ),
        "operator-norm-uncentred": Number(
            0.0031301591487575262, -8.31954827373863, 0.0031301591487575262, 0.0031301591487575262, 0.0
        ),
        "theorem-2": Number(0.14811692174632735, -2.7551916228972058, 0.14811692174632735, 0.14811692174632735, 0.0),
    },
    "check, tasks": {
        "Var": Number(0.125, -3.0, 0.12499999999987425, 0.12500000000012573, 0.0),
        "G^2": Number(9.0, 3.169925001442312, 8.999999999991001, 9.000000000009, 0.0),
        "E||s||^2": Number(9.0, 3.169925001442312, 8.999999999991001, 9.000000000009, 0.0),
        "E||u||^2": Number(9.0, 3.169925001442312, 8.999999999990985, 9.000000000009015, 0.0),
        "theorem-1": Number(0.0119047619047619, -6.392317422778761, 0.0119047619047619, 0.0119047619047619, 0.0),
        "second-moment": Number(1.0, 0.0, 1.0, 1.0, 0.0),
    },
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_numbers_are_those_of_before(name: str):
    found, expected = PROBLEMS[name](), NUMBERS[name]
    assert found.keys() == expected.keys()
    for quantity, number in expected.items():
        assert_same(found[quantity], number, f"{name}: {quantity}")


def assert_same(found: Number, expected: Number, what: str) -> None:
    # 1e-12 of the number and two units in the last place of a large logarithm; or 1e-6 of the standard error
    allowed = 1e-6 * expected.error if expected.error else 1e-12 * abs(expected.value)
    assert abs(found.value - expected.value) <= allowed, what
    if expected.value == 0 and expected.log2 > -math.inf:
        assert abs(found.log2 - expected.log2) <= 1e-12 / math.log(2) + 2 * math.ulp(expected.log2), what
    assert abs(found.error - expected.error) <= allowed, what
    # of exact numbers the interval is what rounding may have done, to a hundredth
    slack = allowed if expected.error else allowed + 0.01 * (expected.high - expected.low)
    for end, other in zip(found[2:4], expected[2:4], strict=True):
        assert end == other or abs(end - other) <= slack, what


@pytest.mark.parametrize(
    ("expected", "moved"),
    [
        (Number(1.0, 0.0, 0.9, 1.1, 0.0), Number(1.0 + 2e-12, 0.0, 0.9, 1.1, 0.0)),
        (Number(1.0, 0.0, 0.9, 1.1, 0.0), Number(1.0, 0.0, 0.8, 1.1, 0.0)),
        (Number(1.0, 0.0, 0.9, 1.1, 0.1), Number(1.0 + 2e-7, 0.0, 0.9, 1.1, 0.1)),
        (Number(1.0, 0.0, 0.9, 1.1, 0.1), Number(1.0, 0.0, 0.9, 1.1, 0.1 + 2e-7)),
        (Number(0.0, -9986.0, 0.0, 0.0, 0.0), Number(0.0, -9986.0 + 1e-11, 0.0, 0.0, 0.0)),
    ],
)
def test_a_number_that_moved_is_seen(expected: Number, moved: Number):
    assert_same(expected, expected, "itself")
    with pytest.raises(AssertionError):
        assert_same(moved, expected, "moved")


if __name__ == "__main__":
    print("NUMBERS: dict[str, dict[str, Number]] = {")
    for problem, numbers in PROBLEMS.items():
        print(f'    "{problem}": {{')
        for quantity, number in numbers().items():
            print(f'        "{quantity}": Number({", ".join(map(repr, number)).replace("inf", "math.inf")}),')
        print("    },")
    print("}")
