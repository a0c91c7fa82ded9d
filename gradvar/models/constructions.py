r"""Networks that compute a hard function exactly, by hand-made weights.

That a network can express a function says nothing about whether gradients find it: the gradient variance at these very
weights obeys the same bound as anywhere else (arXiv 1703.07950, Section 2). Inputs are x in {-1, +1}^dim, the target
is the parity prod_{i in S} x_i; all weights are dyadic, so that every prediction is exact in floating point.

>>> import gradvar as gv
>>> model = parity_one_hidden_layer(5)
>>> bool((model.predict(gv.Hypercube(5).points(0, 32)) == gv.Hypercube(5).points(0, 32).prod(axis=1)).all())
True
>>> gv.bound_check(gv.Parities(5), model).verdict
'holds'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np

from ..core.arguments import integer, sequence
from .mlp import MLP
from .recurrent import Recurrent

Subset = Sequence[SupportsIndex] | None


def parity_one_hidden_layer(dim: SupportsIndex, subset: Subset = None) -> MLP:
    """Return prod_{i in S} x_i as one hidden layer of 3 (floor(k/2) + 1) relu units, k = |S|.

    With c the number of -1 among the x_i, a hat of height 1/2 stands at every even number 2j = 0, 2, ..., k:

        p(x) = -1 + 4 sum_j ( relu(c - 2j + 1/2) - 2 relu(c - 2j) + relu(c - 2j - 1/2) ).

    Parameters
    ----------
    dim : int
        Input coordinates, >= 1.
    subset : sequence of int, optional
        S, numbers of coordinates from 0; None is all of them.

    Raises
    ------
    ValueError, TypeError
        A dimension or a coordinate out of range.

    Examples
    --------
    >>> parity_one_hidden_layer(3).predict([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
    array([-1.,  1.])
    """
    dim, chosen = _subset(dim, subset)
    even = np.arange(0, chosen.size + 1, 2)
    peaks = (even[:, None] - np.array([0.5, 0.0, -0.5])).ravel()
    weights = np.zeros((peaks.size, dim))
    weights[:, chosen] = -0.5  # c = (k - sum_i x_i)/2
    output = np.tile([4.0, -8.0, 4.0], even.size)
    return MLP([weights, output[None]], [chosen.size / 2 - peaks, [-1.0]], "relu")


def parity_deep_xor(dim: SupportsIndex, subset: Subset = None) -> MLP:
    """Return prod_{i in S} x_i as k = |S| hidden relu layers of at most k + 1 units: XOR, bit by bit.

    The first layer has the bits relu((1 - x_i)/2). Each further one takes one bit b into the running parity s and hands
    the other bits through: s XOR b = |s - b| = relu(s - b) + relu(b - s). p(x) = 1 - 2 s.

    Parameters
    ----------
    dim : int
        Input coordinates, >= 1.
    subset : sequence of int, optional
        S, numbers of coordinates from 0; None is all of them.

    Raises
    ------
    ValueError, TypeError
        A dimension or a coordinate out of range.

    Examples
    --------
    >>> parity_deep_xor(3).predict([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
    array([-1.,  1.])
    """
    dim, chosen = _subset(dim, subset)
    k = chosen.size
    bits = np.zeros((k, dim))
    bits[np.arange(k), chosen] = -0.5
    weights, biases = [bits], [np.full(k, 0.5)]
    parity = np.array([1.0])  # the running parity as a sum of units: one, then two
    for left in range(k - 1, 0, -1):
        combine = np.zeros((left + 1, parity.size + left))
        combine[0] = np.concatenate([parity, [-1.0], np.zeros(left - 1)])
        combine[1] = -combine[0]
        combine[2:, parity.size + 1 :] = np.eye(left - 1)
        weights.append(combine)
        biases.append(np.zeros(left + 1))
        parity = np.ones(2)
    return MLP([*weights, -2 * parity[None]], [*biases, [1.0]], "relu")


def parity_recurrent(dim: SupportsIndex) -> Recurrent:
    """Return prod_i x_i as a recurrent network of two relu units, whatever the dimension.

    The state holds the parity s = h_1 + h_2 of the bits b = (1 - x_t)/2 read so far:

        h_1 = relu(b - s),      h_2 = relu(s - b),      p(x) = 1 - 2 s.

    It treats every position alike and so has no parity of a subset.

    Parameters
    ----------
    dim : int
        Input coordinates, >= 1, one a step.

    Raises
    ------
    ValueError, TypeError
        A dimension out of range.

    Examples
    --------
    >>> parity_recurrent(3).predict([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
    array([-1.,  1.])
    """
    return Recurrent(
        [[-1.0, -1.0], [1.0, 1.0]],
        [[-0.5], [0.5]],
        [-2.0, -2.0],
        [0.5, -0.5],
        1.0,
        length=integer("dim", dim, 1),
        activation="relu",
    )


def sawtooth(k: SupportsIndex) -> MLP:
    """Return the k-fold composition of the tent map f on one input: 2^(k-1) teeth on [0, 1].

    f(z) = relu(2 relu(z) - 4 relu(z - 1/2)) rises from 0 at 0 to 1 at 1/2 and falls to 0 at 1, and is 0 outside
    (Telgarsky 2015, arXiv 1509.08101). k hidden layers of two units and one of one unit; a network of few layers needs
    exponentially many units for it.

    Parameters
    ----------
    k : int
        Number of compositions, >= 1.

    Raises
    ------
    ValueError, TypeError
        A number out of range.

    Examples
    --------
    >>> sawtooth(2).predict([[0.0], [0.25], [0.5], [0.75], [1.0]])
    array([0., 1., 0., 1., 0.])
    """
    k = integer("k", k, 1)
    fold = np.array([2.0, -4.0])
    twice = np.stack([fold, fold])
    weights = [np.ones((2, 1)), *[twice] * (k - 1), fold[None], np.ones((1, 1))]
    return MLP(weights, [*[np.array([0.0, -0.5])] * k, [0.0], [0.0]], "relu")


def _subset(dim: SupportsIndex, subset: Subset) -> tuple[int, np.ndarray[tuple[int, ...], np.dtype[np.intp]]]:
    dim = integer("dim", dim, 1)
    if subset is None:
        return dim, np.arange(dim)
    accepted = f"a sequence of different coordinates from 0 to {dim - 1}"
    chosen = [integer(f"subset[{i}]", s, 0, dim - 1) for i, s in enumerate(sequence("subset", subset, accepted))]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"`subset` must be {accepted}, at least one, got {chosen}")
    return dim, np.array(chosen)
