"""What a class of a user's claims is looked at before anything is computed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradvar as gv
from gradvar.classes.members.claims import look_at_class


class Dictators:
    """h_i(x) = x_i, i < m, by the methods that a user would write; each defect is one line of a subclass."""

    labels = "signs"

    def __init__(self, m=32, inputs=None, log2_size=None):
        self.m, self.inputs = m, inputs or gv.Hypercube(max(m, 6))
        self.log2_size = math.log2(m) if log2_size is None else log2_size

    def members(self):
        return np.arange(self.m)

    def sample(self, m, rng):
        return rng.integers(self.m, size=m)

    def evaluate(self, members, x):
        return np.where(x.T[members] > 0, 1.0, -1.0)


class ZeroOne(Dictators):
    def evaluate(self, members, x):
        return (x.T[members] > 0).astype(float)


class LastMemberWrong(Dictators):
    def evaluate(self, members, x):
        return super().evaluate(members, x) * np.where(members == self.m - 1, 0.5, 1.0)[:, None]


class WrongWhereAllAreMinusOne(Dictators):
    def evaluate(self, members, x):
        return np.where((x < 0).all(axis=1), 0.0, super().evaluate(members, x))


class WrongWhereLarge(Dictators):
    def evaluate(self, members, x):
        return np.where(x[:, 0] > 2, 0.0, super().evaluate(members, x))


class Complex(Dictators):
    labels = "real"

    def evaluate(self, members, x):
        return super().evaluate(members, x) * 1j


class Transposed(Dictators):
    def evaluate(self, members, x):
        return super().evaluate(members, x).T


class Infinite(Dictators):
    labels = "real"

    def evaluate(self, members, x):
        return super().evaluate(members, x) * np.where(members == 3, np.inf, 1.0)[:, None]


class Sampled(Dictators):
    """The members cannot be listed."""

    members = None


class Sized(Dictators):
    size = 33


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (ZeroOne(), gv.LabelError, r"`H.labels` say \"signs\", .*got 0 of .* for the member 0 at x = \["),
        (LastMemberWrong(), gv.LabelError, r"got (-)?0.5 of .* for the member 31 at x"),
        (LastMemberWrong(5000, gv.Hypercube(5000)), gv.LabelError, r"for the member 4999 at x"),
        (WrongWhereAllAreMinusOne(), gv.LabelError, r"got 0 of .* at x = \[-1., -1., -1.,"),
        (WrongWhereAllAreMinusOne(70, gv.Hypercube(70)), gv.LabelError, r"got 0 of .* at x = \[-1., -1., -1.,"),
        (WrongWhereLarge(6, gv.Gaussian(6)), gv.LabelError, "got 0 of"),
        (Complex(), TypeError, "must return real numbers, got dtype complex128"),
        (Transposed(6), gv.ShapeError, r"must return shape \(6, 64\) for 6 members and 64 inputs, got \(64, 6\)"),
        (Infinite(), gv.NonFiniteError, "must be finite, got (-)?inf of .* for the member 3"),
        (Dictators(32, log2_size=32), ValueError, r"`log2_size` .* is 32, but of 1,024 members drawn .* only 32 are"),
        (Dictators(32, log2_size=16), ValueError, r"`log2_size` .* 2\^16 members, but `members\(\)` are 32"),
        (Dictators(32, log2_size=4.9), ValueError, r"2\^4.9 members, but `members\(\)` are 32"),
        (Sized(), ValueError, r"2\^5 members, but `size` is 33"),
    ],
)
def test_a_claim_that_a_look_refutes_is_an_error_that_says_where(wrong, error, message: str):
    with pytest.raises(error, match=message):
        look_at_class(wrong)
    with pytest.raises(error, match=message):  # before anything is computed
        gv.bound_check(wrong, gv.Linear(np.ones(wrong.inputs.dim)))


class Halfspaces:
    """sign<w, x> with signs w, 0 where <w, x> is: a null set."""

    labels, log2_size = "signs", 20.0

    def __init__(self, dim=20):
        self.inputs = gv.Gaussian(dim)

    def sample(self, m, rng):
        return 2 * rng.integers(2, size=(m, self.inputs.dim)) - 1

    def evaluate(self, members, x):
        return np.sign(members @ x.T)


class Objects(Dictators):
    """Members are functions in a list."""

    def members(self):
        return [lambda x, i=i: np.sign(x[:, i]) for i in range(self.m)]

    def sample(self, m, rng):
        listed = self.members()
        return [listed[i] for i in rng.integers(self.m, size=m)]

    def evaluate(self, members, x):
        return [h(x) for h in members]


class Unlisted(Dictators):
    def members(self):
        raise gv.NotApplicableError("not listed")


class Tuples(Sampled):
    """Members are described by two arrays."""

    def sample(self, m, rng):
        return rng.integers(self.m, size=m), np.ones(m)

    def evaluate(self, members, x):
        return super().evaluate(members[0], x) * members[1][:, None]


class NullPoint(Dictators):
    """Nothing is known where the probability is 0."""

    def __init__(self):
        super().__init__(2, gv.FinitePoints([[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]], [0.5, 0.5, 0.0]))

    def evaluate(self, members, x):
        return np.where(x.T[members] == 0, np.nan, x.T[members])


@pytest.mark.parametrize("m", [1, 2, 32, 1500])
@pytest.mark.parametrize("kind", [Dictators, Sampled, Objects, Unlisted, Tuples])
def test_right_classes_pass(kind, m: int):
    look_at_class(kind(m))


@pytest.mark.parametrize("right", [Halfspaces(), NullPoint(), Dictators(6, gv.Gaussian(6))])
def test_null_sets_are_not_looked_at(right):
    look_at_class(right)


def test_members_of_a_users_class_are_looked_at_and_classes_of_the_library_are_not():
    class Listed(gv.classes.FiniteClass):
        def evaluate(self, members, x):
            return super().evaluate(members, x) * 0.5

    wrong = Listed([[1, -1], [1, 1]], [[0.0], [1.0]])
    for one in (wrong, wrong.restrict([0])):
        with pytest.raises(gv.LabelError):
            look_at_class(one)

    def forbidden(members, x):
        raise AssertionError

    ours = gv.Parities(4)
    ours.evaluate = forbidden
    look_at_class(ours)


def test_the_look_is_cheap_at_any_dimension():
    look_at_class(Dictators(2, gv.Hypercube(10**5)))
