"""The digits that experiments learn from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array


def images_of_digits() -> tuple[Array, npt.NDArray[np.int64]]:
    """Return scikit-learn's 1797 images of 8 x 8 pixels from -1 to 1, and which digit each is."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("the digits are those of scikit-learn: pip install scikit-learn") from error
    found = load_digits()
    return np.asarray(found.data, dtype=np.float64) / 8 - 1, np.asarray(found.target, dtype=np.int64)
