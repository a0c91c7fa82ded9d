r"""The operator norm of a class of which members can only be drawn: an interval from a sample of them.

For a function f with E f^2 = 1 the variance over the class of E_x[h f] is at most lambda, the operator norm, with
equality at its top eigenfunction f*. (Uncentred: the second moment.) Of members drawn from the class, this gives

- an upper end: the largest eigenvalue of the covariance of m members is at least their sample variance in the direction
  f*, an unbiased estimate of lambda, so that lambda <= eigenvalue + z standard errors, the error taken at the upper end
  itself (its square grows with lambda, as a count's, where few members carry the direction); its unit is that of the
  sample's own top direction;
- a lower end: the top direction f of one half of the members is fixed when the other half is looked at, whose
  sample variance of E_x[h f] is unbiased for something that is at most lambda, so that lambda >= it - z standard
  errors.

Where inner products E_x[h h'] are known neither, both are taken over sampled inputs. The largest eigenvalue over n
inputs is still at least the variance in the direction f*, now a sample's of a function whose E f*^2 is a sample's too;
and the lower end learns f on one half of the inputs, and takes the two factors of each square from different quarters
of them, so that its noise cancels in the mean. The standard errors are those of both samples, of members and inputs.

Directions that no sampled member has seen cannot be told from none: the upper end is that of the class as sampled.
"""

from __future__ import annotations

import math
from typing import NamedTuple, SupportsFloat, SupportsIndex, TypeVar

import numpy as np
from scipy import special

from ..classes.base import KnowsInnerProducts, Samples
from ..classes.inputs.base import nodes
from ..core.arguments import Array, SeedLike, generator, integer, number, real
from ..core.errors import NotApplicableError
from ..estimation.tiles import single_threaded_blas

Members = TypeVar("Members")

_ENUMERATED = 2**14
_NOTHING = 1e-12


class GramSpectrum(NamedTuple):
    """The eigenvalues of the (centred) Gram matrix over |H| of a sample of members, and an interval for the largest.

    Attributes
    ----------
    interval : (float, float)
        Holds the operator norm with probability about `confidence`; wider than need be, as the largest eigenvalue of
        a sample is biased upwards.
    eigenvalues : ndarray
        Those of the sample, descending, biased upwards at the top: estimates, not bounds.
    n_inputs : int or None
        Inputs drawn; None where inner products are exact.
    """

    interval: tuple[float, float]
    eigenvalues: Array
    n_inputs: int | None


@single_threaded_blas()
def sampled_spectrum(
    hypotheses: Samples[Members],
    m: SupportsIndex = 1024,
    rng: SeedLike = None,
    *,
    n_inputs: SupportsIndex = 4096,
    centred: bool = True,
    confidence: SupportsFloat = 0.95,
) -> GramSpectrum:
    r"""Estimate the eigenvalues of the (centred) Gram matrix over |H|, with an interval for the largest one.

    Parameters
    ----------
    hypotheses : Samples
        Any object with `inputs`, `sample(m, rng)` and `evaluate(members, x)`. Its `inner_products(members, members2)`
        are taken where it has them; inputs of at most 2^14 points are enumerated.
    m : int
        Number of members, >= 8.
    rng : int, SeedSequence, Generator or None
        What everything is drawn with.
    n_inputs : int
        Number of inputs where they are drawn, >= 16.
    centred : bool
        Whether to take out the class mean, as Var(H, F, w) does.
    confidence : float
        Of the interval, below 1; the two ends share what is missing from 1.

    Returns
    -------
    GramSpectrum
        An estimate. Its interval is asymptotic in m and n_inputs, and on the wide side; of the order of E h^2/m above a
        norm that is smaller than this, as of an orthonormal class with more than m members.

    Notes
    -----
    Costs m n_inputs evaluations and m^2 n_inputs multiply-adds: about a second.

    Examples
    --------
    >>> import gradvar as gv
    >>> H = gv.RandomNetworks(10, (), "relu", weights="sphere")     # 0.025
    >>> low, high = sampled_spectrum(H, rng=0).interval
    >>> 0.02 < low < 0.025 < high < 0.033
    True
    """
    count, drawn = integer("m", m, 8), integer("n_inputs", n_inputs, 16)
    level = number("confidence", confidence, "a number between 0 and 1", lambda share: 0 < share < 1)
    z = float(special.ndtri(0.5 + 0.5 * level))
    source = generator(rng)
    split = count - count // 2
    learners, judges = hypotheses.sample(split, source), hypotheses.sample(count // 2, source)
    gram, exact = _known_gram(hypotheses, learners, judges), True
    if gram is None:
        x, weights, exact = nodes(hypotheses.inputs, _ENUMERATED, drawn, source)
        values = np.concatenate([real("H.evaluate", hypotheses.evaluate(h, x)) for h in (learners, judges)])
        gram = (values * weights) @ values.T if exact else None
    ends = _from_values(values, split, centred, z) if gram is None else _from_gram(gram, split, centred, z)
    low, high, eigenvalues = ends
    return GramSpectrum((max(low, 0.0), high), eigenvalues, None if exact else drawn)


def _known_gram(hypotheses: Samples[Members], learners: Members, judges: Members) -> Array | None:
    """E_x[h h'] of all members, the learners first; None where the class does not know its inner products."""
    if not isinstance(hypotheses, KnowsInnerProducts):
        return None
    try:
        within, between, rest = (
            real("H.inner_products", hypotheses.inner_products(left, right))
            for left, right in ((learners, learners), (learners, judges), (judges, judges))
        )
    except NotApplicableError:
        return None
    return np.block([[within, between], [between.T, rest]])


def _from_gram(gram: Array, split: int, centred: bool, z: float) -> tuple[float, float, Array]:
    """Both ends and the eigenvalues, from the inner products of all members; the first `split` are the learners."""
    eigenvalues, scores = _top(_without_mean(_without_mean(gram, centred).T, centred), centred)
    high = _upper_end(float(eigenvalues[0]), _second_moment(scores, scores, centred)[1], z)
    # f = sum_i v_i h_i, where centring makes sum_i v_i = 0.
    vector = _direction(_without_mean(_without_mean(gram[:split, :split], centred).T, centred))
    size = float(vector @ gram[:split, :split] @ vector)
    if size <= _NOTHING * float(np.trace(gram)):
        return 0.0, high, eigenvalues
    scores = gram[split:, :split] @ vector / math.sqrt(size)
    value, error = _second_moment(scores, scores, centred)
    return value - z * error, high, eigenvalues


def _from_values(values: Array, split: int, centred: bool, z: float) -> tuple[float, float, Array]:
    """Both ends and the eigenvalues, from the values of all members at sampled inputs."""
    n = values.shape[1]
    kept = _without_mean(values, centred)
    gram = kept @ kept.T / n
    eigenvalues, scores = _top(gram, centred)
    f = _direction(gram) @ kept
    power = float(f @ f) / n
    if power <= _NOTHING * float(np.trace(gram)):
        return 0.0, max(float(eigenvalues[0]), 0.0), eigenvalues
    # E f*^2 = 1 in the mean over inputs only, and so is the variance in the direction f*, twice as sensitive.
    by_inputs = float(eigenvalues[0]) * float(np.std(f * f)) / power / math.sqrt(n)
    high = _upper_end(float(eigenvalues[0]), math.hypot(_second_moment(scores, scores, centred)[1], by_inputs), z)

    half, quarter = n // 2, n // 4
    first = _without_mean(values[:split], centred)
    f = _direction(first[:, :half] @ first[:, :half].T) @ first
    parts = [slice(half, half + quarter), slice(half + quarter, half + 2 * quarter)]
    power = float(np.mean(f[half : half + 2 * quarter] ** 2))
    judges = _without_mean(values[split:], centred)
    a, b = (judges[:, part] @ f[part] / quarter for part in parts)
    value, error = (moment / power for moment in _second_moment(a, b, centred))
    square = error**2
    for part, other in zip(parts, (b, a), strict=True):
        # What each input adds to the numerator, less what it adds to E f^2.
        influence = f[part] * (other @ judges[:, part]) / _degrees(judges, centred) - 0.5 * value * f[part] ** 2
        square += float(np.var(influence)) / power**2 / quarter
    return value - z * math.sqrt(square), high, eigenvalues


def _upper_end(value: float, error: float, z: float) -> float:
    """The largest lambda with lambda - z sigma <= value; sigma^2 is proportional to lambda, and error^2 at `value`."""
    if value <= 0:
        return 0.0
    unit = z * z * error * error / value
    return value + 0.5 * unit + math.sqrt(value * unit + 0.25 * unit * unit)


def _without_mean(rows: Array, centred: bool) -> Array:
    return rows - rows.mean(axis=0) if centred else rows


def _degrees(rows: Array, centred: bool) -> int:
    m: int = rows.shape[0]
    return m - 1 if centred else m


def _top(gram: Array, centred: bool) -> tuple[Array, Array]:
    """Eigenvalues of the members' covariance, descending, and each member's coordinate in the top direction."""
    values, vectors = np.linalg.eigh(gram)
    largest = max(float(values[-1]), 0.0)
    return values[::-1] / _degrees(gram, centred), math.sqrt(largest) * vectors[:, -1]


def _direction(gram: Array) -> Array:
    return np.asarray(np.linalg.eigh(gram)[1][:, -1])


def _second_moment(a: Array, b: Array, centred: bool) -> tuple[float, float]:
    """An unbiased estimate of the covariance (second moment) of two coordinates over the members, and its error."""
    products = _without_mean(a, centred) * _without_mean(b, centred)
    return float(products.sum()) / _degrees(products, centred), float(np.std(products)) / math.sqrt(products.size)
