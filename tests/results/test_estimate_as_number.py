"""An estimate where a number is expected."""

import math

import pytest

import gradvar as gv
from gradvar.core.numbers import Scaled

QUARTER = gv.Estimate.exactly(Scaled(0.25), "m", "g")
TINY = gv.Estimate.exactly(Scaled(3.0, 0.0, -5000), "m", "g")
UNKNOWN = gv.Estimate(mantissa=1.0, mantissa_interval=(0.0, 2.0), method="m", guarantee="g", resolved=False)


def test_it_is_the_number():
    assert float(QUARTER) == 0.25
    assert f"{QUARTER:.3f}" == "0.250"
    assert f"{QUARTER}" == str(QUARTER)
    assert math.isnan(float(UNKNOWN))


def test_it_is_ordered_as_a_number():
    assert 0.2 < QUARTER < 0.3
    assert QUARTER <= 0.25 <= QUARTER
    assert not QUARTER > 0.25
    assert TINY < QUARTER
    assert TINY > 0
    assert not gv.Estimate.exactly(Scaled(1.0, 0.0, -4000), "m", "g") <= TINY
    assert sorted([QUARTER, TINY]) == [TINY, QUARTER]
    assert not UNKNOWN < 10
    assert not UNKNOWN >= 10


def test_it_divides_beyond_float64():
    assert QUARTER / 2 == 0.125
    assert 1 / QUARTER == 4
    assert TINY / gv.Estimate.exactly(Scaled(1.0, 0.0, -5001), "m", "g") == 6.0
    assert math.isnan(UNKNOWN / 2)
    with pytest.raises(ZeroDivisionError):
        QUARTER / 0


def test_equality_and_hash_are_those_of_results():
    assert QUARTER != 0.25
    assert gv.Estimate.exactly(Scaled(0.25), "m", "g") == QUARTER
    assert len({QUARTER, TINY, gv.Estimate.exactly(Scaled(0.25), "m", "g")}) == 2
    with pytest.raises(TypeError):
        QUARTER < "0.3"  # noqa: B015
