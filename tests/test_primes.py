"""Primes, their factors and primitive roots against the definitions."""

from __future__ import annotations

import math

import pytest

from gradvar.core.primes import prime, prime_factors, primitive_root

SMALL = [n for n in range(2, 400) if all(n % d for d in range(2, n))]


def test_factors_are_the_primes_that_divide():
    for number in range(1, 400):
        assert prime_factors(number) == [q for q in SMALL if number % q == 0]


def test_primes_pass_and_composites_name_a_factor():
    for number in range(2, 400):
        if number in SMALL:
            assert prime("p", number) == number
        else:
            with pytest.raises(ValueError, match=rf"`p` must be a prime, got {number} = \d+ \* \d+$"):
                prime("p", number)
    assert prime("p", 2**31 - 1) == 2**31 - 1
    with pytest.raises(ValueError, match=r"got 2147117569 = 46337 \* 46337"):
        prime("p", 46337**2)
    for number in (1, 0, -7, 2**31):
        with pytest.raises(ValueError, match="`p` must be an integer from 2 to 2147483647"):
            prime("p", number)
    for wrong in (7.0, "7", True):
        with pytest.raises(TypeError, match="`p` must be an integer"):
            prime("p", wrong)


def test_the_powers_of_the_smallest_primitive_root_are_all_units():
    for p in SMALL:
        orders = [next(k for k in range(1, p) if pow(r, k, p) == 1) for r in range(1, p)]
        assert primitive_root(p) == orders.index(p - 1) + 1
    # 2^31 - 1: its smallest primitive root is 7
    assert primitive_root(2**31 - 1) == 7
    assert math.prod(prime_factors(2**31 - 2)) == 2 * 3 * 7 * 11 * 31 * 151 * 331
