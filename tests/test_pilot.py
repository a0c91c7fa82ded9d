"""The size of a sample from a pilot: it doubles until it resolves, and keeps to its share of the budget."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from gradvar.estimation.pilot import planned_size, run_pilot
from gradvar.estimation.settings import MAX_WORK, Settings


class Known(NamedTuple):
    """An estimate of a value with a variance of one over the size, beside what stays."""

    value: float
    resolved: bool = True
    floor: float = 0.0

    def variance_at(self, n: int) -> float:
        return 1 / n + self.floor


def settings(rtol: float = 0.1, max_samples: int | None = 2**16) -> Settings:
    return Settings.checked(rtol, 0.95, max_samples, 0, None, False)


def sizes(pilot: Known, chosen: Settings, each: float = 0.0) -> tuple[list[int], int]:
    """The sizes of the pilot, and the one planned, where n samples take each n^2 multiplications."""
    seen: list[int] = []
    n = planned_size(lambda n: (seen.append(n), pilot)[1], chosen, 64, lambda n: each * n * n)
    return seen, n


@pytest.mark.parametrize(
    ("value", "pilots", "planned"),
    [
        # half width 1.96/sqrt(n): below a quarter of 1 from 62 on, below .8 * .1 of it from 601 on,
        # and sizes are multiples of 32
        (1.0, [64], 608),
        (0.5, [64, 128, 256], 2432),
        (0.1, [64 * 2**k for k in range(8)], 60032),
    ],
)
def test_a_pilot_doubles_until_it_resolves_a_quarter_of_the_value(value: float, pilots: list[int], planned: int):
    assert sizes(Known(value), settings()) == (pilots, planned)


def test_nothing_is_looked_at_where_the_budget_is_to_be_spent_or_is_small():
    assert sizes(Known(1.0), settings(rtol=0.0)) == ([], 2**16)
    assert sizes(Known(1.0), settings(max_samples=255)) == ([], 255)
    assert sizes(Known(1.0), settings(max_samples=256)) == ([64], 256)


@pytest.mark.parametrize("pilot", [Known(0.0), Known(-1.0), Known(1.0, resolved=False)])
def test_what_a_pilot_cannot_resolve_takes_a_quarter_of_the_budget_and_then_all_of_it(pilot: Known):
    assert sizes(pilot, settings(max_samples=1024)) == ([64, 128, 256], 1024)


def test_a_looser_goal_is_enough_for_the_pilot():
    assert sizes(Known(1.0), settings(rtol=1.0)) == ([64], 64)


def test_samples_are_not_added_where_they_hardly_lower_the_error():
    # 1/n is below a quarter of what stays from 400 on
    assert sizes(Known(0.0, floor=0.01), settings()) == ([64, 128, 256, 512], 416)


def test_a_pilot_alone_says_whether_it_resolved():
    pilot, n, resolved = run_pilot(lambda n: Known(1.0), settings(), 64)
    assert (pilot.value, n, resolved) == (1.0, 64, True)
    assert run_pilot(lambda n: Known(0.0), settings(max_samples=256), 64) == (Known(0.0), 64, False)
    assert run_pilot(lambda n: Known(0.0), settings(rtol=0.0), 64) == (Known(0.0), 64, False)
    assert run_pilot(lambda n: Known(1.0), settings(max_samples=255), 64) is None


@pytest.mark.parametrize("value", [1.0, 0.3, 0.1, 0.02, 0.0, -1.0])
@pytest.mark.parametrize("each", [1.0, 33.0, 1e3, 1e6])
def test_pilot_and_sample_take_no_more_than_there_is_by_default_and_a_step_more_would(value: float, each: float):
    pilots, n = sizes(Known(value), settings(max_samples=None), each)
    # A longer pilot goes on with the shorter one.
    assert each * pilots[-1] ** 2 <= MAX_WORK / 4 or pilots == [64]
    assert each * n * n <= max(MAX_WORK, each * 64**2)
    asked = (0.08 * value / 1.96) ** 2
    if value > 0 and 1 / n > asked:  # rtol is out of reach: all is spent, unless that would not resolve it either
        spent = each * (n + 32) ** 2 > 0.75 * MAX_WORK or n == 2**16
        assert spent or (n == pilots[-1] and (each / (0.75 * MAX_WORK)) ** 0.5 > 0.9 * (value / 1.96) ** 2)
    elif value > 0:
        assert n == 64 or 1 / (n - 32) > 0.99 * asked  # sizes grow in steps, and stop at the goal


def test_a_pilot_that_resolves_nothing_is_followed_by_no_more_than_its_like():
    assert sizes(Known(0.0), settings(max_samples=None), 1e3) == ([64, 128, 256, 512, 1024], 1024)
    assert sizes(Known(1.0, resolved=False), settings(max_samples=None), 1e3) == ([64, 128, 256, 512, 1024], 1024)


@pytest.mark.parametrize("value", [1.0, 0.3, 0.0])
def test_samples_that_were_asked_for_by_number_or_by_rtol_0_are_drawn_whatever_they_cost(value: float):
    assert settings(max_samples=None).max_samples == 2**16
    assert sizes(Known(value), settings(rtol=0.0, max_samples=None), 1e9) == ([], 2**16)
    assert sizes(Known(value), settings(max_samples=2**16), 1e9) == sizes(Known(value), settings(max_samples=2**16))
