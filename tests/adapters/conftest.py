"""What every test of the adapters keeps: the precision of the process, which JAX holds as global state."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def precision_of_the_process_is_left_alone() -> Iterator[None]:
    """A test file that sets JAX's precision for good changes what the others see: any order of tests, same results."""
    assert not jax.config.jax_enable_x64, "set for the whole process by an earlier test or at the import of a test file"
    yield
    assert not jax.config.jax_enable_x64, "left behind by this test"
