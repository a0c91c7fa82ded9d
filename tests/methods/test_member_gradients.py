"""Gradients of sampled members: by loops over inputs, for any parts and tiles, kept or not."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.estimation.tiles import ordered_map
from gradvar.kernels import sign_products
from gradvar.methods.monte_carlo import member_gradients, member_sums, member_tiles
from gradvar.methods.monte_carlo.member_gradients import MemberGradients
from gradvar.methods.monte_carlo.member_sums import Sums, groups, sums_of

SEED = 5
M = 13


class Recorded:
    """The class given, which remembers the members and inputs that were drawn."""

    def __init__(self, H, finite: bool) -> None:
        self.H, self.inputs, self.log2_size, self.labels, self.dim = H, self, H.log2_size, H.labels, H.inputs.dim
        self.n_points = H.inputs.n_points if finite else None
        self.x: list[np.ndarray] = []
        self.drawn = None

    def sample(self, n, rng):
        if n == M:
            self.drawn = self.H.sample(n, rng)
            return self.drawn
        self.x.append(self.H.inputs.sample(n, rng))
        return self.x[-1]

    def points(self, start, stop):
        self.x.append(self.H.inputs.points(start, stop))
        return self.x[-1]

    def weights(self, start, stop):
        return self.H.inputs.weights(start, stop)

    def evaluate(self, members, x):
        return self.H.evaluate(members, x)


def nets(dim: int) -> dict[str, object]:
    two = gv.MLP.random([dim, 7, 1], rng=0)
    return {
        "linear": gv.Linear(np.arange(1.0, dim + 1)),
        "two layers": two,
        "wide": gv.MLP.random([dim, dim + 4, 1], rng=2),
        "narrow to wide": gv.MLP.random([dim, 4, 11, 1], rng=1),
        "no factors": gv.from_function(two.predict, two.gradient, two.n_parameters),
    }


CLASSES = {
    "signs": gv.SparseParities(9, 2),
    "real": gv.LinearPeriodic(9, radius=2.0),
}


def all_sums(gradients: MemberGradients, executor=None) -> Sums:
    """The sums over all parts."""
    found = []
    for number, part in enumerate(gradients.parts):
        tasks = [(block, number) for block in range(gradients.n_blocks)]
        held = np.array([block for block, _ in ordered_map(gradients, tasks, executor)])
        assert held.size <= member_gradients._HELD
        for group in groups(part, len(held)):
            found.extend(sums_of(held, part, gradients, group))
    return Sums.total(found)


def by_definition(recorded: Recorded, model, x: np.ndarray, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Inner products of blocks, and means over pairs of blocks in each half, by members."""
    values = recorded.evaluate(recorded.drawn, x)
    s = -model.gradient(x)
    size, deviations = len(x) // blocks, values - values.mean(axis=0)
    # c[a, b] = the mean over the inputs i of block b of (h_a(x_i) - mean_h) s(x_i)
    terms = deviations[:, :, None] * s
    c = terms.reshape(M, blocks, size, -1).mean(axis=2)
    kernel = np.einsum("abq,acq->bc", c, c)
    halves = []
    for half in (range(blocks // 2), range(blocks // 2, blocks)):
        pairs = list(itertools.permutations(half, 2))
        halves.append([np.mean([c[a, b] @ c[a, b2] for b, b2 in pairs]) for a in range(M)])
    return kernel, np.array(halves)


@pytest.mark.parametrize(("rows", "tables"), [(16, 256), (5, 1), (16, 60)])
@pytest.mark.parametrize("numbers", [2**24, 8 * 100 * 5, 8 * 37, 8 * 4])
@pytest.mark.parametrize("name", nets(9))
@pytest.mark.parametrize("labels", CLASSES)
def test_gradients_are_their_definition(
    labels: str, name: str, numbers: int, rows: int, tables: int, monkeypatch: pytest.MonkeyPatch
):
    tabulated, add = [], sign_products.add_sign_products
    monkeypatch.setattr(sign_products, "add_sign_products", lambda *args: (tabulated.append(1), add(*args))[1])
    monkeypatch.setattr(member_tiles, "_TABLES", tables)
    # a few members, a few columns and a few inputs at a time, which divide nothing
    monkeypatch.setattr(member_gradients, "_BLOCKS", 8)
    monkeypatch.setattr(member_gradients, "_HELD", numbers)
    for module in (member_sums, member_tiles):
        monkeypatch.setattr(module, "IN_CACHE", 8 * 8 * 11)
    monkeypatch.setattr(member_sums, "_GROUP", 8 * 250)
    monkeypatch.setattr(member_gradients, "rows_per_tile", lambda size, largest: rows)
    recorded, model = Recorded(CLASSES[labels], finite=False), nets(9)[name]
    gradients = MemberGradients(gv.Problem(recorded, model), SEED, 7, M, None, 8 * 12, False)
    recorded.x.clear()
    with ThreadPoolExecutor(1) as pool:
        found = all_sums(gradients, pool)
    x = np.concatenate(recorded.x)
    assert x.shape == (8 * 12, 9)
    kernel, by_member = by_definition(recorded, model, x, 8)
    assert_allclose(found.kernel, kernel, rtol=1e-11, atol=1e-13 * np.abs(kernel).max())
    assert_allclose(found.by_member, by_member, rtol=1e-9, atol=1e-12 * np.abs(kernel).max())
    assert found.by_projection.shape == (2, 0)
    # Sums of signs are by tables where there are enough of them: for all factors, or that of a wide first layer.
    if labels == "real" or tables == 256:
        assert not tabulated
    elif tables == 1 or (name == "wide" and numbers == 2**24):
        assert tabulated


@pytest.mark.parametrize("tables", [256, 1])
@pytest.mark.parametrize("numbers", [2**24, 64 * 100 * 5, 64 * 37])
@pytest.mark.parametrize("name", nets(7))
def test_all_inputs_are_their_definition(name: str, numbers: int, tables: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(member_tiles, "_TABLES", tables)
    monkeypatch.setattr(member_gradients, "_HELD", numbers)
    for module in (member_sums, member_tiles):
        monkeypatch.setattr(module, "IN_CACHE", 8 * 64 * 11)
    H, model = gv.SparseParities(7, 1), nets(7)[name]
    recorded = Recorded(H, finite=True)
    found = all_sums(MemberGradients(gv.Problem(recorded, model), SEED, 7, M, None, 128, True))
    x = H.inputs.points(0, 128)
    values = H.evaluate(recorded.drawn, x)
    squares = [((((row - values.mean(axis=0)) / 128) @ model.gradient(x)) ** 2).sum() for row in values]
    assert_allclose(found.by_member, [squares, squares], rtol=1e-11)


def test_more_blocks_than_inputs_fill():
    # 100 points in 64 blocks of two: the last 14 blocks are empty
    rng = np.random.default_rng(0)
    x, p = rng.standard_normal((100, 3)), rng.dirichlet(np.ones(100))
    H = gv.FiniteClass(rng.standard_normal((M, 100)), x, p)
    gradients = MemberGradients(gv.Problem(H, gv.Linear(np.ones(3))), SEED, 7, M, None, 100, True)
    tasks = [(block, 0) for block in range(64)]
    parts, norms = zip(*ordered_map(gradients, tasks), strict=True)
    assert [len(norm) for norm in norms] == [2] * 50 + [0] * 14
    values = H.evaluate(gradients.members, x)
    expected = -((values - values.mean(axis=0)) * p) @ x
    assert_allclose(sum(parts).reshape(M, 3), expected, rtol=1e-11, atol=1e-13)


def test_norms_come_once_and_are_those_of_the_problem(monkeypatch: pytest.MonkeyPatch):
    recorded, model = Recorded(gv.SparseParities(9, 2), finite=False), nets(9)["narrow to wide"]
    problem = gv.Problem(recorded, model, "hinge")
    monkeypatch.setattr(member_gradients, "_HELD", 64 * model.n_parameters * 5)
    gradients = MemberGradients(problem, SEED, 7, M, None, 640, False)
    assert [(part.first, part.last) for part in gradients.parts] == [(0, 5), (5, 10), (10, 13)]
    recorded.x.clear()
    _, norms = gradients((3, 0))
    assert_allclose(norms, problem.norms(recorded.x[0]), rtol=1e-12)
    assert gradients((3, 1))[1].shape == (0, 2)


@pytest.mark.parametrize("most", [1, 2, 5, 7, 12, 30, 1000])
def test_groups_of_cells_hold_every_component_once(most: int):
    shapes = [(3, 7), (1, 30), (1, 1), (4, 4)]
    count = [np.zeros(shape, dtype=int) for shape in shapes]
    for cells in member_gradients.packed(shapes, most):
        assert 0 < sum(cell.size for cell in cells) <= most
        for cell in cells:
            count[cell.factor][cell.rows, cell.columns] += 1
    assert all((counted == 1).all() for counted in count)


@pytest.mark.parametrize("held", [1, 64 * 4, 64 * 200, 64 * 1000, 2**24])
def test_parts_hold_every_component_of_every_member_once(held: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(member_gradients, "_HELD", held)
    model = gv.MLP.random([9, 7, 1], rng=0)
    gradients = MemberGradients(gv.Problem(CLASSES["signs"], model), SEED, 7, M, None, 640, False)
    count = np.zeros((M, model.n_parameters), dtype=int)
    for part in gradients.parts:
        assert part.members * part.components <= max(held // 64, 4)
        for cell in part.cells:
            start = 0 if cell.factor == 0 else model.n_parameters - 8
            width = gradients.problem.signal_factors(np.ones((1, 9)))[cell.factor]
            number = np.arange(width[0].shape[1] * width[1].shape[1]).reshape(min(a.shape[1] for a in width), -1)
            count[part.first : part.last, start + number[cell.rows, cell.columns].ravel()] += 1
    assert (count == 1).all()


def test_what_is_kept_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch):
    H, model = gv.SparseParities(12, 2), gv.MLP.random([12, 6, 1], rng=0)
    monkeypatch.setattr(member_gradients, "_HELD", 64 * model.n_parameters * 4)
    made: list[int] = []
    tile = MemberGradients._tile
    monkeypatch.setattr(MemberGradients, "_tile", lambda self, *key: (made.append(1), tile(self, *key))[1])

    def sums(nbytes: int, workers: int) -> Sums:
        made.clear()
        monkeypatch.setattr(member_gradients, "_KEPT_BYTES", nbytes)
        with ThreadPoolExecutor(workers) as pool:
            return all_sums(MemberGradients(gv.Problem(H, model), SEED, 7, M, None, 2048, False), pool)

    kept = sums(2**27, 2)
    assert len(made) == 64
    for nbytes in (0, 100_000):
        for workers in (1, 3):
            for one, other in zip(sums(nbytes, workers)[1:], kept[1:], strict=True):
                assert_array_equal(one, other)
            assert len(made) > 64
    assert len(made) < 64 * math.ceil(M / 4)


def test_signs_take_a_byte_and_other_labels_are_as_they_were():
    model = gv.Linear(np.ones(9))
    for labels, kind in (("signs", np.int8), ("real", np.float64)):
        H = CLASSES[labels]
        gradients = MemberGradients(gv.Problem(H, model), SEED, 7, M, None, 640, False)
        tile = gradients._tile(0, 0)
        assert tile.values.dtype == kind
    huge = gv.FiniteClass([[1e90, 128.0], [0.5, -1.0]], [[0.0], [1.0]])
    gradients = MemberGradients(gv.Problem(huge, gv.Linear([1.0])), SEED, 7, 4, None, 2, True)
    assert_array_equal(gradients._tile(1, 0).values, huge.evaluate(gradients.members, [[1.0]]))
    assert_array_equal(gradients._tile(0, 0).values, huge.evaluate(gradients.members, [[0.0]]))


@pytest.mark.parametrize("numbers", [64 * 30, 64 * 9 * 4, 64 * 4])
def test_projections_in_parts_are_those_of_one(numbers: int, monkeypatch: pytest.MonkeyPatch):
    problem = gv.Problem(gv.SparseParities(12, 2), gv.MLP.random([12, 6, 1], rng=0))

    def sums() -> Sums:
        return all_sums(MemberGradients(problem, SEED, 7, M, 25, 640, False))

    whole = sums()
    assert whole.by_projection.shape == (2, 25)
    monkeypatch.setattr(member_gradients, "_HELD", numbers)
    for one, other in zip(sums()[1:], whole[1:], strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12 * np.abs(whole.kernel).max())
    assert_allclose(whole.by_projection.sum(axis=1), whole.by_member.sum(axis=1))
