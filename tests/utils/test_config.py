# SPDX-License-Identifier: Apache-2.0
"""Settings: the number of threads, convolutions, and Keras's constants."""

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


@pytest.fixture
def unset_conv_algorithm(monkeypatch):
    monkeypatch.delenv("PRONGHORN_CONV", raising=False)
    monkeypatch.setattr(pronghorn.config, "_conv_algorithm", None)
    return monkeypatch


def test_conv_algorithm(unset_conv_algorithm):
    unset_conv_algorithm.setenv("PRONGHORN_CONV", "im2col")
    assert pronghorn.config.conv_algorithm() == "im2col"
    pronghorn.config.set_conv_algorithm("direct")
    assert pronghorn.config.conv_algorithm() == "direct"


def test_conv_algorithm_by_default(unset_conv_algorithm):
    assert pronghorn.config.conv_algorithm() == "auto"


def test_wrong_conv_algorithms_are_refused(unset_conv_algorithm):
    with pytest.raises(ValueError, match=r"set_conv_algorithm: expected one of.*'fft'"):
        pronghorn.config.set_conv_algorithm("fft")
    unset_conv_algorithm.setenv("PRONGHORN_CONV", "fft")
    with pytest.raises(ValueError, match=r"PRONGHORN_CONV: expected one of.*'fft'"):
        pronghorn.config.conv_algorithm()


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_models_follow_the_conv_algorithm(unset_conv_algorithm, kernel_size):
    pronghorn.utils.set_random_seed(1)
    layer = pronghorn.layers.Conv2D(32, kernel_size)
    model = pronghorn.Sequential([pronghorn.Input((22, 22, 32)), layer])
    x = np.random.default_rng(1).normal(size=(1, 22, 22, 32)).astype(np.float32)
    found = {}
    for name in ("auto", "winograd", "direct", "im2col", "auto"):
        pronghorn.config.set_conv_algorithm(name)
        y = model.predict_on_batch(x)
        found.setdefault(name, y)
        np.testing.assert_array_equal(found[name], y)
        np.testing.assert_allclose(layer(x), y, rtol=0, atol=0)
    np.testing.assert_array_equal(found["auto"], found["winograd"])
    assert not np.array_equal(found["winograd"], found["direct"])
    np.testing.assert_allclose(found["winograd"], found["direct"], rtol=0, atol=1e-4)


def test_constants():
    assert pronghorn.config.image_data_format() == "channels_last"
    assert pronghorn.config.floatx() == "float32"
    assert pronghorn.config.epsilon() == 1e-7
