"""Primes: the moduli p of the groups Z_p^*, their factors and their primitive roots."""

from __future__ import annotations

from typing import SupportsIndex

from .arguments import integer

MAX_MODULUS = 2**31 - 1
"""Products of two residues fit in an int64."""


def prime(name: str, value: SupportsIndex) -> int:
    """Return `value` as a prime <= MAX_MODULUS, or raise an error that names it and a factor. Costs value^1/2."""
    p = integer(name, value, 2, MAX_MODULUS)
    factor = prime_factors(p)[0]
    if factor != p:
        raise ValueError(f"`{name}` must be a prime, got {p} = {factor} * {p // factor}")
    return p


def prime_factors(number: int) -> list[int]:
    """Return the primes that divide `number` >= 1, increasing, by trial division.

    Examples
    --------
    >>> prime_factors(3000)
    [2, 3, 5]
    """
    factors, rest, candidate = [], number, 2
    while candidate * candidate <= rest:
        if rest % candidate == 0:
            factors.append(candidate)
            while rest % candidate == 0:
                rest //= candidate
        candidate += 1 if candidate == 2 else 2
    return factors + [rest] * (rest > 1)


def primitive_root(p: int) -> int:
    """Return the smallest r >= 1 whose powers are all of Z_p^*, p prime.

    Examples
    --------
    >>> [primitive_root(p) for p in (2, 3, 7, 41)]
    [1, 2, 3, 6]
    """
    orders = [(p - 1) // q for q in prime_factors(p - 1)]
    return next(r for r in range(1, p) if all(pow(r, order, p) != 1 for order in orders))
