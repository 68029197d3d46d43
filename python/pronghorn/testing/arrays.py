# SPDX-License-Identifier: Apache-2.0
"""Arrays for check_op: drawn from a seed, float32, away from kinks where it matters.

Finite differences are wrong where a function bends (the zero of a ReLU, two equal
values under a max pool), so `spread` keeps values apart and off zero.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def normal(seed: int, *shape: int) -> NDArray[np.float32]:
    """Standard normal numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def spread(seed: int, *shape: int, scale: float = 1.0) -> NDArray[np.float32]:
    """In every image, the same evenly spaced values of (-scale, scale), shuffled."""
    rng = np.random.default_rng(seed)
    count = int(np.prod(shape[1:]))
    values = (np.arange(count) + 0.5 - count // 2) * (2 * scale / count)
    images = [rng.permutation(values) for _ in range(shape[0])]
    return np.array(images, np.float32).reshape(shape)


def integers(seed: int, *shape: int) -> NDArray[np.float32]:
    """Whole numbers from -3 to 3: float32 sums of their products are exact."""
    drawn = np.random.default_rng(seed).integers(-3, 4, shape)
    return np.asarray(drawn, np.float32)


def probabilities(seed: int, *shape: int) -> NDArray[np.float32]:
    """Positive rows that sum to one."""
    drawn = np.random.default_rng(seed).uniform(0.05, 1, shape)
    return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True), np.float32)


def labels(seed: int, classes: int, *shape: int) -> NDArray[np.int32]:
    """Class numbers."""
    return np.random.default_rng(seed).integers(0, classes, shape).astype(np.int32)


def one_hot(seed: int, *shape: int) -> NDArray[np.float32]:
    """Rows with a single one."""
    table: NDArray[Any] = np.eye(shape[-1], dtype=np.float32)
    return np.asarray(table[labels(seed, shape[-1], *shape[:-1])])
