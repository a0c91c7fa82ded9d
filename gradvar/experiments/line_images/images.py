"""Images of lines, and their labels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ...core.arguments import Array

SIDE = 28

Images: TypeAlias = npt.NDArray[np.float32]


def lines(angles: Array, lengths: Array, centres: Array) -> Images:
    """Draw a line in each image, ones on zeros: pixels at every unit of its length, those outside left out.

    Parameters
    ----------
    angles, lengths : ndarray, shape (n,)
        From the first axis of the image towards the second; in pixels.
    centres : ndarray, shape (n, 2)
        In pixels, from 0 to 28.

    Returns
    -------
    ndarray, shape (n, 28, 28)

    Examples
    --------
    >>> image = lines(np.array([np.pi / 2]), np.array([6.0]), np.array([[3.5, 10.5]]))[0]
    >>> [axis.tolist() for axis in np.nonzero(image)]
    [[3, 3, 3, 3, 3, 3, 3], [7, 8, 9, 10, 11, 12, 13]]
    """
    along = np.arange(-SIDE, SIDE + 1)
    direction = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    at = np.floor(centres[:, None] + along[:, None] * direction[:, None]).astype(np.int64)
    drawn = ((at >= 0) & (at < SIDE)).all(axis=2) & (np.abs(along) <= lengths[:, None] / 2)
    images = np.zeros((len(angles), SIDE, SIDE), dtype=np.float32)
    images[np.nonzero(drawn)[0], at[drawn][:, 0], at[drawn][:, 1]] = 1
    return images


def examples(n: int, k: int, rng: np.random.Generator) -> tuple[Images, Array]:
    """Draw n tuples of k images of lines, (n, k, 28, 28), and the labels of the images, (n, k)."""
    angles = rng.uniform(0, np.pi, n * k)
    images = lines(angles, rng.uniform(5, SIDE - 5, n * k), rng.uniform(0, SIDE, (n * k, 2)))
    return images.reshape(n, k, SIDE, SIDE), np.where(angles < np.pi / 2, 1.0, -1.0).reshape(n, k)
