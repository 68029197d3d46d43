# SPDX-License-Identifier: Apache-2.0
"""One seed for everything random."""

import random as python_random

import numpy as np

from pronghorn import random


def set_random_seed(seed: int) -> None:
    """Seeds Python's, NumPy's and pronghorn's random numbers.

    With the same seed a program gives the same bits again, for any number of threads.

    Args:
        seed: An integer from 0 to 2**32 - 1.
    """
    if not isinstance(seed, int):
        raise ValueError(
            f"set_random_seed: expected an integer, got {seed!r} of type "
            f"{type(seed).__name__}"
        )
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"set_random_seed: expected an integer from 0 to 2**32 - 1, got {seed}"
        )
    python_random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 the legacy generator is what users call
    random.set_seed(seed)
