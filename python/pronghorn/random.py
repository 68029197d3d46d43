# SPDX-License-Identifier: Apache-2.0
"""The generator behind everything random: initial weights, dropout, shuffling.

One generator of the process hands out seeds and permutations in the order in which
they are asked for. After `set_seed` a program draws the same numbers again.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

_generator: np.random.Generator | None = None


def set_seed(seed: int | None) -> None:
    """Starts the process's random numbers anew, from a seed or from anywhere."""
    global _generator  # noqa: PLW0603 the one generator of the process
    _generator = np.random.default_rng(seed)


def draw_seed() -> int:
    """A new seed, for an initializer or a layer that was given none."""
    return int(_get().integers(2**31))


def permutation(n: int) -> NDArray[np.int64]:
    """The numbers below `n` in random order."""
    return _get().permutation(n).astype(np.int64, copy=False)


def _get() -> np.random.Generator:
    """The generator, made at first use: NumPy's takes 15 ms to import."""
    if _generator is None:
        set_seed(None)
    return cast("np.random.Generator", _generator)
