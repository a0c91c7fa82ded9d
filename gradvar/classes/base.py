"""Hypothesis classes: the methods that one must have, and those that it may have.

Any object with the members of `HypothesisClass` is a hypothesis class; subclassing is optional. What it may say
besides, each used where it is there:

- `labels`: "signs" when every member takes values in {-1, +1} only, else "real" (the default), and
  `label_evidence` = (status, evidence) where it is known rather than claimed, the status as in `Assumption`;
- `n_outputs`: K where it is more than 1: then `evaluate` returns values (m, n, K), or with `labels` "classes" class
  labels (m, n), integers 0..K-1, and the class is taken as one of real functions of (x, c) (`classes/outputs.py`);
- `prior` (|H|,): the probabilities of the members in the order of `members()` and `project`, by which `sample` draws,
  and with which `covariance`, `mean` and norms are meant; None, or not said, where they are equal;
- `second_moment`: E h^2 where it is the same for all members (else Theorem 1 takes 1);
- `covariance(x, x2)` (n, n2): the class covariance C_H(x, x') = Cov_h(h(x), h(x')), h uniform in H: what
  Monte Carlo needs; `covariance_work`: about how many multiplications a value takes, 16 where it is not said;
- `project(f)` (|H|, q) for f of shape (n_points, q): E_x[h(x) f(x)] for every member h, in one order: what
  enumeration needs;
- `mean(x)` (n,): the class mean E_h h(x);
- `null_functions(x)` (n, q): functions f with one and the same E_x[h(x) f(x)] for every member h, so that
  E_x'[C_H(x, x') f(x')] = 0: Monte Carlo takes them out of the signal;
- `members()` (|H|, ...): descriptions of all members, in the order of `project`; `sample(m, rng)` (m, ...): of m
  members drawn independently; `evaluate(members, x)` (m, n): their values; `value_work`: about how many
  multiplications one of these takes, 64 where it is not said;
- `inner_products(members, members2)` (m, m2): E_x[h(x) h'(x)];
- `operator_norm(centred=True)`: the largest eigenvalue of the (centred) Gram matrix E_x[h h'] over |H|;
- `log2_operator_norm(centred=True)`: its base-2 logarithm, where it may underflow;
- `gram()` (|H|, |H|): that matrix;
- `is_orthonormal` and `orthonormality` = (status, evidence), the status as in `Assumption`;
- `frobenius_norm()`: ||Gram||_F/|H|, where the class does not say `gram()`;
- `uncorrelated`: whether E_h[h(x) h(x')] = [x = x'], with a class mean that is zero but at one point at most, on
  finitely many inputs that are all different;
- `description`: the class in words, for reports.

A method that cannot answer for this class raises `NotApplicableError`, or `TooLargeError`: it counts as absent.

A class whose members come with inputs of their own is a task class: see `gradvar/tasks/base.py`.
"""

from __future__ import annotations

import math
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from ..core.arguments import Array
from .inputs import Inputs

Members = TypeVar("Members")


@runtime_checkable
class HypothesisClass(Protocol):
    """A set H of target functions with a distribution over it, the uniform one unless it has a `prior`.

    Attributes
    ----------
    inputs : Inputs
        The distribution of x.
    log2_size : float
        log2 |H|.
    """

    @property
    def inputs(self) -> Inputs:
        """The distribution of x."""

    @property
    def log2_size(self) -> float:
        """log2 |H|."""


@runtime_checkable
class KnowsCovariance(HypothesisClass, Protocol):
    """A class that says its covariance."""

    def covariance(self, x: Array, x2: Array) -> Array:
        """C_H(x, x'), shape (n, n2)."""


@runtime_checkable
class KnowsMean(HypothesisClass, Protocol):
    """A class that says its mean."""

    def mean(self, x: Array) -> Array:
        """m(x) = E_h h(x), shape (n,)."""


@runtime_checkable
class KnowsNullFunctions(HypothesisClass, Protocol):
    """A class that names functions that its covariance annihilates."""

    def null_functions(self, x: Array) -> Array:
        """Functions f with one E_x[h(x) f(x)] for all members h, shape (n, q); the constant one first."""


@runtime_checkable
class KnowsProjection(HypothesisClass, Protocol):
    """A class that projects functions on all its members at once."""

    def project(self, f: Array) -> Array:
        """E_x[h(x) f(x)] for every member, shape (|H|, q)."""


@runtime_checkable
class KnowsGram(HypothesisClass, Protocol):
    """A class that says its Gram matrix."""

    def gram(self) -> Array:
        """E_x[h_i(x) h_j(x)], shape (|H|, |H|)."""


@runtime_checkable
class KnowsOperatorNorm(HypothesisClass, Protocol):
    """A class that says its operator norm."""

    def operator_norm(self, centred: bool = True) -> float:
        """Largest eigenvalue of the (centred) Gram matrix over |H|."""


@runtime_checkable
class Samples(HypothesisClass, Protocol[Members]):
    """A class whose members can be drawn and evaluated."""

    def sample(self, m: int, rng: np.random.Generator) -> Members:
        """Return m independent members."""

    def evaluate(self, members: Members, x: Array) -> Array:
        """Return the values h(x), shape (m, n)."""


@runtime_checkable
class KnowsInnerProducts(Samples[Members], Protocol[Members]):
    """A class that says E_x[h h'] of its members."""

    def inner_products(self, members: Members, members2: Members) -> Array:
        """E_x[h h'], shape (m, m2)."""


def prior_of(hypotheses: object) -> Array | None:
    """The probabilities of the members, where they are not equal."""
    prior: Array | None = getattr(hypotheses, "prior", None)
    return prior


def log2_share(hypotheses: HypothesisClass) -> float:
    """log2 max_i pi_i, pi the probabilities of the members; -log2 |H| where they are equal."""
    prior = prior_of(hypotheses)
    return -hypotheses.log2_size if prior is None else math.log2(prior.max())


def value_work(hypotheses: object) -> float:
    """About how many multiplications a value h(x) takes."""
    return float(getattr(hypotheses, "value_work", 64.0))
