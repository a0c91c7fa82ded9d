"""An estimate where a number is expected."""

import math
import operator
from fractions import Fraction

import numpy as np
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


def test_it_multiplies_beyond_float64():
    assert 8 * QUARTER == 2
    assert QUARTER * 8 == 2
    assert TINY * gv.Estimate.exactly(Scaled(5.0, 0.0, 5001), "m", "g") == 30
    assert TINY * 0.0 == 0
    assert math.isnan(UNKNOWN * 2)
    assert math.isnan(QUARTER * UNKNOWN)


def test_mantissas_of_any_size_multiply_and_divide():
    large, small = (gv.Estimate.exactly(Scaled(x, 0.0, -i), "m", "g") for x, i in ((1e300, 1000), (1e-300, -1000)))
    assert large * small == pytest.approx(1.0, rel=1e-15)
    assert large * large == 1e300 * 2.0**-1000 * 1e300 * 2.0**-1000
    assert large / 1e300 == 2.0**-1000
    assert large / 1e-8 == pytest.approx(1e300 * 2.0**-1000 * 1e8, rel=1e-15)
    assert (1e-300 / small) == 2.0**-1000


def test_it_adds_and_subtracts():
    assert QUARTER + 1 == 1 + QUARTER == 1.25
    assert QUARTER - 1 == -0.75
    assert 1 - QUARTER == 0.75
    assert QUARTER - QUARTER == 0
    assert sum([QUARTER, QUARTER]) == 0.5
    assert math.isnan(UNKNOWN - QUARTER)
    assert math.isnan(1 + UNKNOWN)


@pytest.mark.parametrize("number", [np.float64(2), np.int64(2), np.float32(2), Fraction(2), True + True])
def test_numbers_of_any_kind_stand_on_either_side(number):
    found = QUARTER * number, number * QUARTER, QUARTER + number, number + QUARTER, number - QUARTER, number / QUARTER
    assert found == (0.5, 0.5, 2.25, 2.25, 1.75, 8)
    assert {type(value) for value in found} == {float}


@pytest.mark.parametrize("compute", [operator.mul, operator.add, operator.sub, operator.truediv])
@pytest.mark.parametrize("other", ["2", None, [2.0]])
def test_what_is_no_number_is_refused(compute, other):
    with pytest.raises(TypeError):
        compute(QUARTER, other)
    with pytest.raises(TypeError):
        compute(other, QUARTER)


def test_equality_and_hash_are_those_of_results():
    assert QUARTER != 0.25
    assert gv.Estimate.exactly(Scaled(0.25), "m", "g") == QUARTER
    assert len({QUARTER, TINY, gv.Estimate.exactly(Scaled(0.25), "m", "g")}) == 2
    with pytest.raises(TypeError):
        QUARTER < "0.3"  # noqa: B015
