# SPDX-License-Identifier: Apache-2.0
"""set_random_seed reaches all generators."""

import random

import numpy as np
import pytest

import pronghorn
from pronghorn import layers


def draw():
    model = pronghorn.Sequential([layers.Input((4,)), layers.Dense(3)])
    return random.random(), np.random.rand(), model.get_weights()[0]  # noqa: NPY002


def test_the_same_seed_gives_the_same_numbers():
    pronghorn.utils.set_random_seed(3)
    first = draw()
    pronghorn.utils.set_random_seed(3)
    second = draw()
    pronghorn.utils.set_random_seed(4)
    third = draw()
    assert first[:2] == second[:2]
    np.testing.assert_array_equal(first[2], second[2])
    assert first[0] != third[0]
    assert first[1] != third[1]
    assert (first[2] != third[2]).any()


@pytest.mark.parametrize("seed", [1.0, "1", None, -1, 2**32])
def test_wrong_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="expected an integer"):
        pronghorn.utils.set_random_seed(seed)
