"""Estimates: where samples resolve nothing, whatever they were given, the interval is the whole line."""

import dataclasses
import math
import pickle

import gradvar as gv

GIVEN = gv.Estimate(
    mantissa=0.5,
    mantissa_interval=(0.25, 0.75),
    mantissa_error=0.125,
    mantissa_upper=0.625,
    mantissa_resolution=0.1,
    method="monte-carlo",
    guarantee="unbiased",
    confidence=0.95,
    zeta=(1.0, 2.0),
)


def test_an_estimate_from_samples_is_not_exact_and_is_as_it_was_given():
    assert not GIVEN.exact
    assert (GIVEN.interval, GIVEN.standard_error, GIVEN.upper, GIVEN.resolution) == ((0.25, 0.75), 0.125, 0.625, 0.1)
    assert GIVEN.zeta == (1.0, 2.0)


def test_unresolved_it_has_the_whole_line():
    found = dataclasses.replace(GIVEN, resolved=False)
    assert found.value == 0.5
    assert found.interval == (-math.inf, math.inf)
    assert found.standard_error == found.upper == found.resolution == math.inf
    assert found.zeta is None
    assert found.to_dict()["value"] is None
    assert pickle.loads(pickle.dumps(found)) == found.scaled(3).scaled(-3) == found
