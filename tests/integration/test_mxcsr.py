# SPDX-License-Identifier: Apache-2.0
"""Steps flush denormals to zero, but only ours: the caller's mode stays as it was."""

import ctypes
import ctypes.util
import platform

import numpy as np
import pytest

import pronghorn
from pronghorn import layers
from pronghorn.testing.running import with_threads

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="MXCSR is a register of x86"
)

FLUSH_TO_ZERO, DENORMALS_ARE_ZERO, STICKY_FLAGS = 1 << 15, 1 << 6, 0x3F
LIBM = ctypes.CDLL(ctypes.util.find_library("m"))


class Environment(ctypes.Structure):
    """glibc's fenv_t."""

    _fields_ = [("x87", ctypes.c_uint8 * 28), ("mxcsr", ctypes.c_uint32)]


def environment():
    found = Environment()
    assert LIBM.fegetenv(ctypes.byref(found)) == 0
    return found


def read():
    """This thread's MXCSR, without what operations leave in it."""
    return environment().mxcsr & ~STICKY_FLAGS


def write(value):
    changed = environment()
    changed.mxcsr = value
    assert LIBM.fesetenv(ctypes.byref(changed)) == 0


def work(threads):
    model = pronghorn.Sequential(
        [
            layers.Input((12, 12, 1)),
            layers.Conv2D(6, 3, activation="tanh"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.full((40, 12, 12, 1), 1e-39, np.float32)
    with with_threads(threads):
        model.fit(x, np.zeros(40), verbose=0)
        model.predict(x, verbose=0)


def is_denormal_kept():
    return np.full(64, 1e-39, np.float32).sum() > 0


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("mode", [0, FLUSH_TO_ZERO, FLUSH_TO_ZERO | DENORMALS_ARE_ZERO])
def test_mode_is_the_callers(threads, mode):
    before = read()
    try:
        write((before & ~(FLUSH_TO_ZERO | DENORMALS_ARE_ZERO)) | mode)
        expected = read()
        assert is_denormal_kept() == (mode == 0)
        work(threads)
        assert read() == expected
    finally:
        write(before)


@pytest.mark.parametrize("threads", [1, 2])
def test_denormals_of_numpy_survive(threads):
    assert is_denormal_kept()
    work(threads)
    assert is_denormal_kept()


def test_mode_is_restored_after_an_error():
    before = read()
    model = pronghorn.Sequential([layers.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="shape"):
        model.predict(np.zeros((2, 4)), verbose=0)
    assert read() == before
