"""The check of the adapters that a function of a batch is a function of each example."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...core.arguments import Array

ROWS = 4


def distinct_rows(x: Array) -> Array:
    """A few rows of x that differ from each other, spread over it, at most `ROWS`."""
    some = x[:: max(1, len(x) // (16 * ROWS))]
    first = np.sort(np.unique(some, axis=0, return_index=True)[1])
    return some[first[:: max(1, -(-len(first) // ROWS))]]


def check_examples(predict: Callable[[Array], Array], x: Array, tolerance: float, owner: str, remedy: str) -> None:
    """Raise a ValueError unless predictions repeat themselves and do not depend on the rest of the batch.

    Parameters
    ----------
    predict : callable
        Takes inputs (n, dim) and returns (n,).
    x : ndarray, shape (n, dim)
        Distinct inputs.
    tolerance : float
        The absolute difference that rounding explains.
    owner, remedy : str
        What predicts, and what to do about it, for the message.
    """
    together = predict(x)
    again = predict(x)
    alone = np.concatenate([predict(x[i : i + 1]) for i in range(x.shape[0])])
    for other, fault in (
        (again, "its prediction at the same input changes from call to call ({} and {}), as with active dropout"),
        (alone, "its prediction at an input depends on the other inputs of the batch ({} among others, {} alone)"),
    ):
        with np.errstate(invalid="ignore"):
            wrong = np.abs(other - together) > tolerance  # False where one is not finite: not for this check to say
        if wrong.any():
            row = int(np.argmax(wrong))
            said = fault.format(f"{together[row]:.12g}", f"{other[row]:.12g}")
            raise ValueError(f"{owner} must be a function of one example, but {said}; {remedy}")
