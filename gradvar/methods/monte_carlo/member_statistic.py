r"""U from the gradients of sampled members, and the three things that make it err.

With the sums over members of <c_a^b, c_a^b'> for blocks b, b' of inputs (`member_sums.py`),

    U = 1/(m-1) sum_a <c_a, c_a>^,      <c_a, c_a>^ = mean over b != b' of <c_a^b, c_a^b'>.

Three things are random, and each is in the interval: the inputs, by Hoeffding's decomposition over the blocks with
members and projections held fixed (so that what is due to inputs together with members or projections is part of
it); the members, and the projections, by their main effects (`main_effects.py`), from <c_a, c_a>^ by one half of the
blocks and by the other. Where few members carry U, these errors are skewed, and so is the interval.

**Members whose shares are alike.** Where labels are centred at the mean of M members, of which the first m are summed
over, and y_a is E_x[h_a s] less its mean over the class, of mean square V, then at all inputs

    U (M-1)/M = A + Q,    A = 1/m sum_a ||y_a||^2,    Q = (1 - m/M)^2 ||y' - y''||^2 - ||y'||^2,

y' the mean of the first m and y'' that of the others. The main effects are the randomness of A. That of Q is of second
order and one-sided, and all there is where the ||y_a|| are equal: m ||y'||^2 is like sum_i lambda_i z_i^2 with normal
z_i and lambda_i >= 0 that sum to V, which exceeds q V, q the quantile of a chi-square of one degree of freedom, no more
often than V z^2 does (for q >= 1.54: Szekely and Bakirov, 2003). So -V q/m <= Q <= (1 - m/M) V q/m at either level, and
the ends of the interval of A move apart by the values V that this allows. The second moment has no Q.

U is a U-statistic of order two in the members, with the kernel ||c_a - c_b||^2/2: its projections are (||y||^2 -
V)/2, its remainder is -<y, y'>. So to second order (Helmers, 1991), beside what the skewness of ||y||^2 does, both
ends at the quantile z lie lower than U -+ z sigma by

    (z^2 + 1) rho/m,      rho = ||E (||y||^2 - V) y||^2 / Var ||y||^2 <= V,

rho = V where members differ along one direction. The lower end allows for that, be the main effects small or large:
it is lower by V z^2/m, and the rest is (M-1)/M. The upper end stays: its allowance for Q matters where main effects
are small, and adds to their distance in squares.

**Few members that carry U.** A member that is rarely drawn and has a large share may have been met too often or too
seldom. Both ends are at least as far as those of a plain mean of the shares, which are quantiles of a gamma
distribution with one share more or less (`estimation/mean.py`), for the moments that the main effects have. Three
have to carry it. To resolve nothing where less than many do would do harm: the samples that are left are those that
met none of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ...core.arguments import Array
from ...core.errors import NonFiniteError
from ...core.numbers import ROUNDING
from ...estimation.main_effects import NONE, MainEffects
from ...estimation.mean import Mean
from ...estimation.u_statistic import Moments, moments, plain_interval
from ...problem import Moment
from .member_gradients import MemberGradients
from .member_sums import Sums

_FEWEST_BLOCKS, _FEWEST_MEMBERS, _FEWEST_CARRIERS = 8, 32, 3
"""No interval is drawn from fewer blocks or members, or where fewer members carry the sum, (sum |t|)^2 / sum t^2."""
_FEWEST_INPUTS, _MANY_INPUTS = 5, 100
"""None is drawn where fewer inputs carry the spread of ||s||^2; from many on, one more or less hardly counts."""
_WORST_OF_FEW = 1.54
"""Beyond it, of all quadratic forms in normal numbers with one mean, that of rank one has the largest quantiles."""


class MemberStatistic(NamedTuple):
    """U, the variances that inputs, members and projections give it, and what it rests on.

    Attributes
    ----------
    value : float
        U.
    blocks : Moments or None
        U over blocks of inputs; None where all inputs were taken.
    members, projections : MainEffects
        What these add.
    n, m : int
        Inputs and members.
    q : int or None
        Projections, if there are any.
    centred_at : int
        M, the members at whose mean the labels are centred; 0 where they are not.
    effective_members : float
        (sum |t|)^2 / sum t^2 over the terms t_a of U.
    shares : Mean
        The members' shares, as values of a plain mean with the moments of the main effects.
    inputs_that_carry : float
        The effective number of inputs that carry the spread of ||s||^2; inf where it has none, or all were taken.
    """

    value: float
    blocks: Moments | None
    members: MainEffects
    projections: MainEffects
    n: int
    m: int
    q: int | None
    centred_at: int
    effective_members: float
    shares: Mean
    inputs_that_carry: float

    @classmethod
    def of(cls, sums: Sums, gradients: MemberGradients, signal: Array) -> MemberStatistic:
        """From the sums over some of the members, each the mean of what it adds to U, and over some blocks.

        `signal` has ||s||^2 at the inputs of these blocks.
        """
        m, blocks, all_m = sums.by_member.shape[1], sums.kernel.shape[0], gradients.m
        if not (np.isfinite(sums.kernel).all() and np.isfinite(sums.by_member).all()):
            raise NonFiniteError(
                "the members' gradients or their squares overflow float64; rescale the labels or the weights"
            )
        # Members are centred at the mean of all M, of which m stand for the rest: M/m 1/(M-1) sum_a. Where they are
        # not centred, 1/m sum_a.
        centred = gradients.problem.moment is Moment.VARIANCE
        scale = (all_m / m) / (all_m - 1) if centred else 1 / m
        by_member = sums.by_member * scale
        terms = by_member.mean(axis=0)
        squares, members = float((terms**2).sum()), MainEffects.of(by_member)
        of_blocks = None
        if not gradients.enumerated:
            kernel = sums.kernel * scale
            np.fill_diagonal(kernel, 0.0)
            # E[h_ij h_jk h_ki] over triples of different blocks
            triangles = float(np.vdot(kernel @ kernel, kernel)) / (blocks * (blocks - 1) * (blocks - 2))
            of_blocks = moments(kernel.sum(axis=1), float((kernel**2).sum()), triangles)
        value = math.fsum(terms) if of_blocks is None else of_blocks.value
        return cls(
            value=value,
            blocks=of_blocks,
            members=members,
            projections=MainEffects.of(sums.by_projection * scale) if sums.by_projection.size else NONE,
            n=gradients.n if gradients.enumerated else gradients.size * blocks,
            m=m,
            q=sums.by_projection.shape[1] or None,
            centred_at=all_m if centred else 0,
            effective_members=float(np.abs(terms).sum()) ** 2 / squares if squares > 0 else 0.0,
            shares=_shares(terms, value, members.and_of(NONE)),
            inputs_that_carry=math.inf if gradients.enumerated else Mean.of(signal).effective or math.inf,
        )

    @property
    def inputs(self) -> float:
        """The variance due to inputs."""
        return 0.0 if self.blocks is None else self.blocks.balanced_variance

    @property
    def others(self) -> MainEffects:
        """The effects of members and projections together."""
        return self.members.and_of(self.projections)

    @property
    def variance(self) -> float:
        """The variance of U, but for that of Q."""
        return self.inputs + self.others.variance

    @property
    def second_order(self) -> float:
        """The variance of Q, 2 sum_i lambda_i^2/(m (m-1)), or more."""
        return 2 * max(self.value, 0.0) ** 2 / (self.m * (self.m - 1)) if self.centred_at else 0.0

    @property
    def of_members(self) -> float:
        """The variance that the members give U; it falls with their number."""
        return max(self.members.variance, 0.0) + self.second_order

    @property
    def resolved(self) -> bool:
        """Whether an interval can be drawn."""
        enough = self.m >= _FEWEST_MEMBERS and (self.blocks is None or self.blocks.n >= _FEWEST_BLOCKS)
        return enough and self.effective_members >= _FEWEST_CARRIERS and self.inputs_that_carry >= _FEWEST_INPUTS

    @property
    def zeta(self) -> tuple[float, float]:
        """Hoeffding's zetas of single inputs rather than of blocks."""
        if self.blocks is None:
            return 0.0, 0.0
        size = self.n // self.blocks.n
        return max(self.blocks.zeta1, 0.0) * size, self.blocks.zeta2 * size**2

    @property
    def floor(self) -> float:
        """The variance that more inputs leave as it is."""
        return self.others.variance + self.second_order

    def with_members(self, m: int) -> MemberStatistic:
        """Return what so many members would give, of which each is met as often."""
        times = self.m / m
        effects = MainEffects(*(effect * times**power for power, effect in enumerate(self.members, 1)))
        # U is the sum of m shares
        shares = self.shares.at(m)._replace(unit=self.shares.unit * times)
        return self._replace(m=m, centred_at=m if self.centred_at else 0, members=effects, shares=shares)

    def variance_at(self, n: int) -> float:
        """Return the variance of U at n inputs."""
        zeta1, zeta2 = self.zeta
        return 4 * zeta1 / n + 2 * zeta2 / n**2 + self.floor

    def interval(self, confidence: float) -> tuple[float, float]:
        """The score interval over blocks, with Student's quantile: variances from few units are uncertain."""
        low, high = self._of_main_effects(confidence)
        if self.shares.squares > 0:
            tail = 0.5 - confidence / 2
            low = min(low, self.m * self.shares.lower(tail))
            high = max(high, self.m * self.shares.upper(1 - tail))
        if not self.centred_at:
            return low, high
        from scipy.special import ndtri

        # A = U (M-1)/M - Q, with -V q/m <= Q <= (1 - m/M) V q/m
        scale = 1 - 1 / self.centred_at
        reach = max(float(ndtri(0.75 + confidence / 4)) ** 2, _WORST_OF_FEW) / self.m
        of_error = float(ndtri(0.5 + confidence / 2)) ** 2 / self.m
        low -= max(self.value, 0.0) * of_error
        if low > 0:
            low *= scale / (1 + (1 - self.m / self.centred_at) * reach)
        if high > 0:
            of_mean = max(self.value, 0.0) * reach / (1 - reach) if reach < 1 else math.inf
            high = scale * (self.value + math.hypot(high - self.value, of_mean))
        return low, high

    def _of_main_effects(self, confidence: float) -> tuple[float, float]:
        from scipy.special import stdtrit

        others, variance = self.others, self.variance
        # Welch and Satterthwaite: half the variance of the estimated variance.
        curvature = others.uncertainty / 2 + (0.0 if self.blocks is None else self.inputs**2 / (self.blocks.n - 1))
        quantile = float(stdtrit(variance**2 / curvature if curvature > 0 else 1.0, 0.5 + confidence / 2))
        if self.blocks is not None:
            low, high = self.blocks.interval(quantile, others)
            # Where inputs that matter are few, the one that matters most may be met once too seldom, or too often.
            more = self.blocks.reach if self.inputs_that_carry < _MANY_INPUTS else 0.0
            return low - more, high + more
        skewness = others.third / variance**1.5 if variance > 0 else 0.0
        return plain_interval(self.value, math.sqrt(variance), skewness, quantile)


def _shares(terms: Array, value: float, effects: MainEffects) -> Mean:
    """The terms t_a of U as values of a mean, their spread, skewness and kurtosis those of the main effects."""
    m, unit = terms.size, math.ldexp(1.0, math.frexp(float(np.abs(terms).max()))[1])
    deviations = terms / unit - math.fsum(terms / unit) / m
    spread = math.fsum(deviations**2) * m / max(m - 1, 1)
    squares = effects.variance / unit / unit
    if np.abs(deviations).max() <= ROUNDING:
        squares = 0.0
    # the root takes the noise of the inputs out of the terms
    root = math.sqrt(min(squares / spread, 1.0)) if squares > 0 else 0.0
    lowest, highest = float(deviations.min()) * root, float(deviations.max()) * root
    # a third cumulant beyond these is noise of the inputs
    cubes = min(max(effects.third / unit / unit / unit, squares * lowest), squares * highest)
    fourths = effects.uncertainty / unit / unit / unit / unit + squares**2 / m
    average = max(value / unit, 0.0) / m
    shares = Mean(m, unit, average, squares, cubes, fourths, lowest, highest, math.inf)
    # No share is known to be the largest: one more deviates (1 + kappa^(-1/2)) times as far as any that was met.
    return shares._replace(most=average + highest * (1 + shares.effective**-0.5)) if squares > 0 else shares
