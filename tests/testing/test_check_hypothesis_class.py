"""check_hypothesis_class: every class passes its own; for every check one planted defect that it catches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from plain_objects import PlainParities, PlainTasks, TenLineParities

import gradvar as gv
from gradvar.testing import check_hypothesis_class, hypothesis_class_checks
from gradvar.testing.hypothesis_class import CHECKS


def finite_class(seed: int, signs: bool) -> gv.FiniteClass:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(7, 12))
    weights = rng.uniform(0.2, 1, size=12)
    return gv.FiniteClass(np.sign(values) if signs else values, rng.normal(size=(12, 3)), weights / weights.sum())


def halfspace(rng: np.random.Generator):
    w = rng.standard_normal(3)
    return lambda x: np.where(x @ w > 0, 1.0, -1.0)


def shifted_points(rng: np.random.Generator):
    centre = rng.standard_normal(3)

    def task(n: int, rng: np.random.Generator):
        x = centre + rng.standard_normal((n, 3))
        return x, np.where(x[:, 0] > centre[0], 1.0, -1.0)

    return task


def restricted(H, m: int) -> gv.Restriction:
    return H.restrict(H.sample(m, rng=0))


def biased_classes():
    """By name: all sets and one size, normalised and not, at no bias and at one so strong that samples miss members."""
    for dim, bias, degree in ((1, 0.99, None), (2, -0.99, 1), (3, 0, 0), (4, 0.6, None), (5, -0.3, 5), (6, 0.6, 2)):
        for normalised in (True, False):
            arguments = dim, bias, degree, normalised
            yield f"biased-{arguments}", lambda given=arguments: gv.BiasedParities(*given)
    for normalised in (True, False):
        yield f"biased-40-0.6-3-{normalised}", lambda n=normalised: gv.BiasedParities(40, 0.6, 3, n)
        yield f"biased-13-0.99-None-{normalised}", lambda n=normalised: gv.BiasedParities(13, 0.99, None, n)


# A new class of the library goes here.
LIBRARY = {
    "parities-1": lambda: gv.Parities(1),
    "parities-5": lambda: gv.Parities(5),
    "parities-20": lambda: gv.Parities(20),
    "parities-100": lambda: gv.Parities(100),
    "sparse-6-2": lambda: gv.SparseParities(6, 2),
    "sparse-4-0": lambda: gv.SparseParities(4, 0),
    "sparse-70-3": lambda: gv.SparseParities(70, 3),
    "finite-real": lambda: finite_class(0, signs=False),
    "finite-signs": lambda: finite_class(1, signs=True),
    "finite-repeated-member": lambda: gv.FiniteClass([[1, 2], [1, 2], [0, 1]], [[0.0], [1.0]]),
    "finite-repeated-point": lambda: gv.FiniteClass([[1, 1, 0], [2, 2, 1]], [[0.0], [0.0], [1.0]]),
    "cosine-1": lambda: gv.LinearPeriodic(1, 1.0),
    "cosine-10": lambda: gv.LinearPeriodic(10, 8**0.5),
    "sawtooth-1": lambda: gv.LinearPeriodic(1, 2.0, "sawtooth"),
    "own-wave-3": lambda: gv.LinearPeriodic(3, 1.0, lambda u: np.sin(2 * np.pi * u) + np.cos(4 * np.pi * u)),
    "modular-11": lambda: gv.ModularMultiples(11),
    "modular-7-with-zero": lambda: gv.ModularMultiples(7, units=False),
    "discrete-log-101": lambda: gv.DiscreteLog(101),
    "discrete-log-10007": lambda: gv.DiscreteLog(10007),
    **{f"modular-{p}-{wave}": lambda p=p, wave=wave: gv.ModularMultiples(p, wave)
       for p in (2, 3, 13) for wave in ("cosine", "square", "triangle", "sawtooth")},
    "modular-2-with-zero": lambda: gv.ModularMultiples(2, units=False),
    "modular-5-one-hot": lambda: gv.ModularMultiples(5, encoding="one-hot"),
    "modular-5-integer": lambda: gv.ModularMultiples(5, encoding="integer"),
    **{f"discrete-log-{p}": lambda p=p: gv.DiscreteLog(p) for p in (2, 3, 5)},
    "discrete-log-7-one-hot": lambda: gv.DiscreteLog(7, "one-hot"),
    **dict(biased_classes()),
    "orthogonal-1-1": lambda: gv.OrthogonalNetworks(1, 1),
    "orthogonal-3-3": lambda: gv.OrthogonalNetworks(3, 3),
    "orthogonal-4-2-relu": lambda: gv.OrthogonalNetworks(4, 2, "relu"),
    "orthogonal-4-4-cos": lambda: gv.OrthogonalNetworks(4, 4, "cos"),
    "orthogonal-6-1-identity": lambda: gv.OrthogonalNetworks(6, 1, "identity"),
    "relu-neuron-1": lambda: gv.RandomNetworks(1),
    "relu-neuron-10-sphere": lambda: gv.RandomNetworks(10, (), "relu", weights="sphere"),
    "relu-network-3-sphere": lambda: gv.RandomNetworks(3, (1,), "relu", weights="sphere"),
    "tanh-network-4-uniform": lambda: gv.RandomNetworks(4, (3,), "tanh", weights="uniform"),
    "planted-1-1": lambda: gv.PlantedParities(1, 1),
    "planted-3-3": lambda: gv.PlantedParities(3, 3),
    "planted-6-3": lambda: gv.PlantedParities(6, 3),
    "planted-50-5": lambda: gv.PlantedParities(50, 5),
    "tasks": lambda: gv.TaskClass(shifted_points, 3, "signs"),
    "finite-one": lambda: gv.FiniteClass([[1, 2, 3]], [[0.0], [1.0], [2.0]]),
    "finite-zero": lambda: gv.FiniteClass([[0, 0], [0, 0]], [[0.0], [1.0]]),
    "finite-one-point": lambda: gv.FiniteClass([[1], [-1]], [[0.0]]),
    "finite-weight-zero": lambda: gv.FiniteClass([[1, 2, 3], [3, 2, 1]], [[0.0], [1.0], [2.0]], [0.5, 0.5, 0.0]),
    "restriction-one": lambda: gv.Parities(5).restrict([3]),
    "restriction-repeated": lambda: gv.Parities(5).restrict([0, 1, 1, 7]),
    "restriction-sparse": lambda: restricted(gv.SparseParities(1000, 5), 8),
    "restriction-biased": lambda: restricted(gv.BiasedParities(6, 0.3, normalised=False), 9),
    "restriction-modular": lambda: gv.ModularMultiples(13, units=False).restrict([1, 12, 5]),
    "restriction-cosine": lambda: restricted(gv.LinearPeriodic(4, 2.0), 9),
    "restriction-sampled": lambda: restricted(gv.SampledClass(halfspace, gv.Hypercube(3), labels="signs"), 9),
    "restriction-network": lambda: restricted(gv.RandomNetworks(4, (3,), "tanh"), 9),
    "sampled": lambda: gv.SampledClass(halfspace, gv.Gaussian(3), labels="signs"),
    "plain": lambda: PlainParities(4),
    "plain-tasks": lambda: PlainTasks(4),
    "ten-lines": lambda: TenLineParities(4),
    "plain-large": lambda: PlainParities(13),
}  # fmt: skip


@pytest.mark.parametrize("name", LIBRARY)
def test_every_class_passes_its_own(name: str):
    H = LIBRARY[name]()
    report = check_hypothesis_class(H, rng=3)
    report.raise_if_failed()
    assert len(report) == len(CHECKS)
    # of tasks: inputs, size, sample as far as no values are asked for, and examples
    assert sum(result.status == "passed" for result in report) >= (3 if hasattr(H, "draw") else 7)


@pytest.mark.large
@pytest.mark.parametrize(("dim", "known"), [(3, False), (12, True)])
def test_waves_with_jumps_pass_with_and_without_a_covariance(dim: int, known: bool):
    report = check_hypothesis_class(gv.LinearPeriodic(dim, 3.0, "square"))
    report.raise_if_failed()
    assert {result.name: result.status for result in report}["covariance"] == ("passed" if known else "not applicable")


@pytest.mark.parametrize("seed", range(20))
def test_no_false_alarm_at_any_seed(seed: int):
    # 20 seeds of two sampled classes: at 1e-6 for each of some 15 checks, a false alarm has probability 1e-3.
    for H in (TenLineParities(13), finite_class(seed, signs=False)):
        check_hypothesis_class(H, rng=seed).raise_if_failed()


# --- planted defects: one for every check, by overriding one member of a correct class -----------------------


def parities(dim: int = 4, **members: object) -> PlainParities:
    """The correct class with some members replaced."""
    return type("Defective", (PlainParities,), members)(dim)


def ten_lines(dim: int, **members: object) -> TenLineParities:
    return type("Defective", (TenLineParities,), members)(dim)


def sparse(**members: object) -> gv.SparseParities:
    return type("Defective", (gv.SparseParities,), members)(6, 2)


def cosines(**members: object) -> gv.LinearPeriodic:
    return type("Defective", (gv.LinearPeriodic,), members)(3, 1.0)


def planted(**members: object) -> gv.PlantedParities:
    return type("Defective", (gv.PlantedParities,), members)(5, 3)


class Cube:
    """The cube {-1, +1}^dim as a plain object, with some members replaced."""

    def __init__(self, dim: int = 4, **members: object) -> None:
        cube = gv.Hypercube(dim)
        self.dim, self.n_points = dim, cube.n_points
        self.sample, self.points, self.weights = cube.sample, cube.points, cube.weights
        self.__dict__.update(members)


def on(inputs: Cube) -> PlainParities:
    H = PlainParities(inputs.dim)
    H.inputs = inputs
    return H


def counter():
    """A function that returns 1, 2, 3, ..."""
    calls = []

    def count() -> int:
        calls.append(0)
        return len(calls)

    return count


def half_sampled(self, m, rng):
    members = PlainParities.sample(self, m, rng)
    members[:, 0] = False
    return members


def batch_dependent(self, members, x):
    return PlainParities.evaluate(self, members, x) * (1.0 if len(x) != 1 else -1.0)


def member_dependent(self, members, x):
    return PlainParities.evaluate(self, members, x) * (1.0 if len(members) != 1 else -1.0)


def mutating(self, members, x):
    values = PlainParities.evaluate(self, members, x)
    x[:] = 1.0
    return values


def rotated(self, members, x):
    """The last member turned halfway towards the first, in a class that claims to be orthonormal."""
    values = PlainParities.evaluate(self, members, x)
    last = members.all(axis=1)
    values[last] = (values[last] + 1.0) / 2**0.5
    return values


def uncentred(self, x, x2):
    return (x[:, None] == x2).all(axis=2).astype(float)


COUNT = counter()
CUBE = gv.Hypercube(4)

# check -> (defect, what else fails with it because it cannot but)
DEFECTS = {
    "inputs": (lambda: on(Cube(sample=lambda n, rng: np.full((n, 3), 1.0))), set()),
    "inputs: seed": (lambda: on(Cube(sample=lambda n, rng: CUBE.sample(n, np.random.default_rng()))), set()),
    "inputs: constant": (lambda: on(Cube(8, sample=lambda n, rng: np.ones((n, 8)))), {"input-sampling"}),
    "inputs: missing": (lambda: on(type("Half", (), {"dim": 4})()), set()),
    "input-points": (lambda: on(Cube(weights=lambda i, j: np.full(j - i, 1 / 15))), set()),
    "input-points: blocks": (lambda: on(Cube(points=lambda i, j: CUBE.points(0, j - i))), set()),
    "input-points: negative": (
        lambda: on(Cube(weights=lambda i, j: np.where(np.arange(i, j) < 2, [3 / 16, -1 / 16] * 8, 1 / 16)[: j - i]
                        if i == 0 else np.full(j - i, 1 / 16))),
        set(),
    ),
    "input-sampling": (
        lambda: on(Cube(sample=lambda n, rng: np.where(rng.random((n, 4)) < 0.7, 1.0, -1.0))),
        set(),
    ),
    "input-sampling: support": (
        lambda: on(Cube(sample=lambda n, rng: rng.normal(size=(n, 4)))), {"covariance-positive"}),
    "size": (lambda: parities(size=15), {"log2-operator-norm"}),
    "size: fraction": (lambda: ten_lines(4, __init__=lambda self, dim: vars(self).update(
        inputs=gv.Hypercube(dim), log2_size=3.3)), set()),
    "size: len": (lambda: parities(__len__=lambda self: 15), set()),
    "size: negative": (lambda: parities(log2_size=-1.0, __init__=lambda self, dim: vars(self).update(
        inputs=gv.Hypercube(dim))), {"log2-operator-norm"}),
    "sample": (lambda: parities(sample=lambda self, m, rng: np.random.default_rng().random((m, 4)) < 0.5), set()),
    "sample: zero": (lambda: parities(sample=lambda self, m, rng: rng.random((max(m, 1), 4)) < 0.5), {"evaluate"}),
    "sample: constant": (lambda: parities(sample=lambda self, m, rng: np.arange(4 * m).reshape(m, 4) % 3 == 0),
                         {"sample-uniform"}),
    "evaluate": (lambda: parities(evaluate=lambda self, v, x: PlainParities.evaluate(self, v, x).T), set()),
    "evaluate: dtype": (
        lambda: parities(evaluate=lambda self, v, x: PlainParities.evaluate(self, v, x).astype(np.float32)), set()),
    "evaluate: nan": (
        lambda: parities(evaluate=lambda self, v, x: PlainParities.evaluate(self, v, x) / (x[:, 0] > 0)),
        set()),
    "evaluate: raises": (lambda: parities(evaluate=lambda self, v, x: 1 / 0), set()),
    "evaluate-batch": (lambda: parities(evaluate=batch_dependent), set()),
    "evaluate-batch: members": (lambda: parities(evaluate=member_dependent), set()),
    "evaluate-pure": (lambda: parities(evaluate=mutating), set()),
    "evaluate-pure: repeats": (
        lambda: ten_lines(4, evaluate=lambda self, v, x: PlainParities.evaluate(self, v, x) * (-1) ** COUNT()),
        {"sample", "evaluate-batch", "covariance"}),
    "members": (lambda: parities(members=lambda self: PlainParities.members(self)[:-1]), set()),
    "members: others": (lambda: parities(members=lambda self: PlainParities.members(self)[[0, *range(15)]]), set()),
    "sample-uniform": (lambda: parities(sample=half_sampled), set()),
    "labels": (lambda: parities(evaluate=lambda self, v, x: 0.5 * PlainParities.evaluate(self, v, x)),
               {"mean", "covariance", "operator-norm", "operator-norm-uncentred", "orthonormal", "project", "gram",
                "inner-products"}),
    "labels: unknown": (lambda: parities(labels="bits"), set()),
    "examples": (lambda: type("D", (PlainTasks,), {"draw": lambda self, v, n, rng: PlainTasks.draw(
        self, v, n, np.random.default_rng())})(4), set()),
    "examples: labels": (lambda: type("D", (PlainTasks,), {"draw": lambda self, v, n, rng: (
        self.inputs.sample(len(v) * n, rng).reshape(len(v), n, -1), np.zeros((len(v), n)))})(4), set()),
    "tabulated": (lambda: planted(probabilities=lambda self, v, x: np.full((len(v), len(x)), 1 / len(x))), set()),
    "tabulated: sum": (lambda: planted(probabilities=lambda self, v, x: np.full((len(v), len(x)), 0.5)), set()),
    "tabulated: negative": (
        lambda: planted(probabilities=lambda self, v, x: np.tile([3 / 32, -1 / 32], (len(v), 16))), set()),
    "tabulated: targets": (
        lambda: planted(targets=lambda self, v, x: -gv.PlantedParities.targets(self, v, x)), set()),
    "mean": (lambda: parities(mean=lambda self, x: np.zeros(len(x))), set()),
    "mean: sampled": (lambda: parities(13, mean=lambda self, x: np.zeros(len(x))), set()),
    "covariance": (lambda: parities(covariance=uncentred), set()),
    "covariance: sampled": (
        lambda: ten_lines(13, covariance=uncentred), set()),
    "covariance-batch": (
        lambda: parities(covariance=lambda self, x, x2: TenLineParities.covariance(self, x, x2) + (len(x2) == 1)),
        set()),
    "covariance-symmetric": (
        lambda: ten_lines(13, covariance=lambda self, x, x2: TenLineParities.covariance(self, x, x2)
                          + 1e-3 * (x[:, :1] - x2[:, 0])), set()),
    "covariance-positive": (
        lambda: ten_lines(13, covariance=lambda self, x, x2: TenLineParities.covariance(self, x, x2)
                          - 1e-3 * np.exp(-((x[:, None] - x2) ** 2).sum(axis=2))), set()),
    "null-functions": (lambda: sparse(null_functions=lambda self, x: x[:, :1] * x[:, 1:2]), set()),
    "null-functions: sampled": (lambda: cosines(null_functions=lambda self, x: np.cos(x[:, :1])), set()),
    "null-functions: batch": (lambda: sparse(null_functions=lambda self, x: np.ones((len(x), 1)) * len(x)), set()),
    "null-functions: shape": (lambda: sparse(null_functions=lambda self, x: np.ones(len(x))), set()),
    "operator-norm": (lambda: parities(operator_norm=lambda self, centred=True: 0.1 if centred else 1 / 16),
                      {"log2-operator-norm"}),
    "operator-norm: covariance": (lambda: ten_lines(6, operator_norm=lambda self, centred=True: 1 / 65), set()),
    "operator-norm-uncentred": (lambda: parities(operator_norm=lambda self, centred=True: 1 / 16 if centred else 0.1),
                                {"log2-operator-norm"}),
    "operator-norm-uncentred: sampled": (
        lambda: ten_lines(13, operator_norm=lambda self, centred=True: 2.0**-13 if centred else 2.0**-14), set()),
    "operator-norm: argument": (lambda: parities(operator_norm=lambda self, centered=True: 1 / 16),
                                {"operator-norm-uncentred", "log2-operator-norm"}),
    "log2-operator-norm": (lambda: parities(log2_operator_norm=lambda self, centred=True: -3.9), set()),
    "orthonormal": (lambda: parities(evaluate=rotated, labels="real"),
                    {"mean", "covariance", "operator-norm", "operator-norm-uncentred", "project", "gram",
                     "inner-products"}),
    "orthonormal: sampled": (
        lambda: ten_lines(13, is_orthonormal=True, labels="real", covariance=None,
                          evaluate=lambda self, v, x: TenLineParities.evaluate(self, v, x) * 0.8 + 0.6), set()),
    "orthonormal: norm": (
        lambda: ten_lines(13, is_orthonormal=True, labels="real", covariance=None,
                          evaluate=lambda self, v, x: TenLineParities.evaluate(self, v, x) * 0.8), set()),
    "orthonormal: says both": (lambda: parities(orthonormality=("failed", "no")), set()),
    "orthonormal: words": (lambda: parities(orthonormality="proved"), set()),
    "project": (lambda: parities(project=lambda self, f: PlainParities.project(self, f)[::-1].copy()), set()),
    "project: shape": (lambda: parities(project=lambda self, f: PlainParities.project(self, f).T), set()),
    "gram": (lambda: parities(gram=lambda self: 2 * np.eye(16)), set()),
    "inner-products": (
        lambda: parities(inner_products=lambda self, v, v2: np.zeros((len(v), len(v2)))), set()),
    "inner-products: sampled": (
        lambda: parities(13, inner_products=lambda self, v, v2: np.full((len(v), len(v2)), 0.3)), set()),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_caught_by_its_check_alone(name: str):
    build, consequences = DEFECTS[name]
    report = check_hypothesis_class(build(), rng=1)
    failed = {result.name for result in report.failures}
    check = name.split(":")[0]
    assert check in failed, report
    assert failed <= {check, *consequences}, report
    with pytest.raises(AssertionError, match=check):
        report.raise_if_failed()


def test_every_check_has_a_planted_defect():
    checks = {str(check) for check in hypothesis_class_checks(gv.Parities(2))}
    assert {name.split(":")[0] for name in DEFECTS} == checks
    assert len(checks) == len(CHECKS)


@pytest.mark.parametrize("factor", [0.5, 2000.0])
def test_operator_norm_of_an_infinite_class_is_held_between_rayleigh_quotient_and_trace(factor: float):
    H = gv.LinearPeriodic(5, 2.0)
    norm = H.operator_norm()
    H.operator_norm = lambda centred=True: factor * norm
    assert "operator-norm" in {result.name for result in check_hypothesis_class(H).failures}


def test_operator_norm_of_a_large_finite_class_is_at_least_the_trace_over_its_size():
    H = ten_lines(13, operator_norm=lambda self, centred=True: 2.0**-14)
    assert [r.name for r in check_hypothesis_class(H).failures] == ["operator-norm"]


def test_samples_that_miss_what_is_rare_say_so_instead_of_failing_a_correct_class():
    # E h_S^2 = 1 is that of inputs which 4,096 samples do not meet: the sampled mean is 1e-11 or so.
    results = {r.name: r for r in check_hypothesis_class(gv.BiasedParities(13, 0.99))}
    assert {r.status for r in results.values()} == {"passed", "not applicable"}
    assert "a few rare" in results["orthonormal"].message
    assert "a few rare inputs make the trace" in results["operator-norm"].message
    # and members of size 0.8 that are everywhere are still found out ("orthonormal: norm" above)


def test_a_class_of_functions_that_are_one_and_the_same_is_not_orthonormal():
    broken = type("Claims", (gv.FiniteClass,), {"is_orthonormal": True, "orthonormality": ("proved", "no")})
    report = check_hypothesis_class(broken([[1, 1], [1, 1]], [[0.0], [1.0]]))
    assert [r.name for r in report.failures] == ["orthonormal"]
    assert "not orthogonal: E h h' is 1" in report.failures[0].message


def test_an_object_that_is_no_class_at_all_gets_a_report():
    report = check_hypothesis_class(object())
    assert {r.name for r in report.failures} == {"inputs", "size"}
    assert "must have `inputs`" in report.failures[0].message


def test_a_class_that_does_not_know_here_is_not_wrong():
    def silent(self, x, x2):
        raise gv.NotApplicableError("not at this radius")

    report = check_hypothesis_class(parities(covariance=silent))
    assert report.passed
    reasons = {r.name: r.message for r in report.not_applicable}
    assert reasons["covariance"] == "`covariance`: not at this radius"


def test_what_is_not_offered_is_reported_with_the_reason():
    report = check_hypothesis_class(TenLineParities(4))
    reasons = {r.name: r.message for r in report.not_applicable}
    assert reasons["gram"] == "no `gram` is offered"
    assert reasons["orthonormal"] == "the class does not say that it is orthonormal"


def test_what_rests_on_a_failed_check_says_so():
    report = check_hypothesis_class(parities(members=lambda self: PlainParities.members(self)[:-1]))
    reasons = {r.name: r.message for r in report.not_applicable}
    assert reasons["project"].startswith("rests on the check 'members', which fails: `members()` must list |H| = 16")


def test_same_seed_same_report():
    H = gv.LinearPeriodic(3, 1.0)
    assert check_hypothesis_class(H, rng=5) == check_hypothesis_class(H, rng=5)
    assert check_hypothesis_class(H, rng=5) != check_hypothesis_class(H, rng=6)


def test_the_plain_class_works_everywhere():
    H, model = TenLineParities(5), gv.MLP.random([5, 3, 1], rng=0)
    exact = gv.bound_check(gv.Parities(5), model).variance.value
    found = gv.bound_check(H, model, rtol=0, max_samples=4096, rng=0).variance
    assert found.interval[0] <= exact <= found.interval[1]
    full = gv.bound_check(PlainParities(5), model)
    assert full.variance.exact
    assert math.isclose(full.variance.value, exact, rel_tol=1e-12)
    assert full.verdict == "holds"
    assert full.bound_name == "theorem-1"
