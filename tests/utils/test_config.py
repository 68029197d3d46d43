# SPDX-License-Identifier: Apache-2.0
"""Settings: the number of threads, and Keras's constants."""

import numpy as np
import pytest

import pronghorn


def test_number_of_threads():
    before = pronghorn.config.num_threads()
    assert before >= 1
    try:
        for n in (3, np.int64(2)):
            pronghorn.config.set_num_threads(n)
            assert pronghorn.config.num_threads() == n
    finally:
        pronghorn.config.set_num_threads(before)


@pytest.mark.parametrize(
    ("n", "error"),
    [(0, ValueError), (-2, ValueError), (True, ValueError), (1.5, TypeError)],
)
def test_wrong_numbers_of_threads_are_refused(n, error):
    before = pronghorn.config.num_threads()
    with pytest.raises(error, match="set_num_threads: expected"):
        pronghorn.config.set_num_threads(n)
    assert pronghorn.config.num_threads() == before


def test_constants():
    assert pronghorn.config.image_data_format() == "channels_last"
    assert pronghorn.config.floatx() == "float32"
    assert pronghorn.config.epsilon() == 1e-7
