"""Numbers with an error and a power of two: sums, products and quotients far outside the range of float64."""

from __future__ import annotations

import math

import pytest

from gradvar.core.numbers import Scaled


def test_a_sum_of_numbers_of_all_sizes_is_in_units_of_the_largest():
    parts = [Scaled(3.0, 0.5, 5000), Scaled(1.0, 0.25, 5001), Scaled(1.0, 1.0, -5000), Scaled(0.0), Scaled(2.0)]
    total = Scaled.total(parts)
    assert total.mantissa * 2.0 ** (total.exponent - 5000) == 5.0
    assert total.error_at(5000) == 1.0
    assert Scaled.total([]) == Scaled(0.0)


def test_an_unknown_zero_is_not_a_zero():
    assert Scaled(0.0).relative_error == 0
    assert Scaled(0.0, 1e-300).relative_error == math.inf
    assert Scaled(-2.0, 0.5, 700).relative_error == 0.25


def test_products_with_powers_of_e_beyond_float64():
    found = Scaled(3.0, 0.3).times_exp(-5000.0)
    assert math.log(found.mantissa) + found.exponent * math.log(2) == pytest.approx(math.log(3) - 5000, rel=1e-14)
    assert found.relative_error == pytest.approx(0.1)


def test_quotients_by_integers_of_any_size():
    count = math.comb(5000, 2500)
    found = Scaled(1.0, 0.5).over(count)
    assert math.log2(found.mantissa) + found.exponent == pytest.approx(-math.log2(count), rel=1e-15)
    assert Scaled(1.0).over(7) == Scaled(1 / 7)


def test_an_error_in_other_units():
    assert Scaled(1.0, 3.0, 4).error_at(0) == 48
    assert Scaled(1.0, 3.0, -5000).error_at(0) == 0
    assert Scaled(1.0, 3.0, 5000).error_at(0) == math.inf
