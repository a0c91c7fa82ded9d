"""The size of a sample from a pilot: it doubles until it resolves, and keeps to its share of the budget."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from gradvar.estimation.pilot import planned_size, run_pilot
from gradvar.estimation.settings import Settings


class Known(NamedTuple):
    """An estimate of a value with a variance of one over the size, beside what stays."""

    value: float
    resolved: bool = True
    floor: float = 0.0

    def variance_at(self, n: int) -> float:
        return 1 / n + self.floor


def settings(rtol: float = 0.1, max_samples: int = 2**16) -> Settings:
    return Settings.checked(rtol, 0.95, max_samples, 0, None, False)


def sizes(pilot: Known, chosen: Settings) -> tuple[list[int], int]:
    """The sizes of the pilot, and the one planned."""
    seen: list[int] = []
    n = planned_size(lambda n: (seen.append(n), pilot)[1], chosen, 64)
    return seen, n


@pytest.mark.parametrize(
    ("value", "pilots", "planned"),
    [
        # half width 1.96/sqrt(n): below a quarter of 1 from 62 on, below .8 * .1 of it from 601 on
        (1.0, [64], 1024),
        (0.5, [64, 128, 256], 4096),
        (0.1, [64 * 2**k for k in range(8)], 2**16),
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
    assert sizes(Known(0.0, floor=0.01), settings()) == ([64, 128, 256, 512], 512)


def test_a_pilot_alone_says_whether_it_resolved():
    pilot, resolved = run_pilot(lambda n: Known(1.0), settings(), 64)
    assert (pilot.value, resolved) == (1.0, True)
    assert run_pilot(lambda n: Known(0.0), settings(max_samples=256), 64) == (Known(0.0), False)
    assert run_pilot(lambda n: Known(0.0), settings(rtol=0.0), 64) == (Known(0.0), False)
    assert run_pilot(lambda n: Known(1.0), settings(max_samples=255), 64) is None
