# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C during fit and predict: KeyboardInterrupt within a second, model usable."""

import signal
import subprocess
import sys
import textwrap
import time

import pytest

PROGRAM = """
import signal, sys, time
import numpy as np
import pronghorn
from pronghorn import layers

model = pronghorn.Sequential([
    layers.Input({shape}),
    {body}
    layers.Flatten(),
    layers.Dense(10, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy")
rng = np.random.default_rng(0)
x = rng.normal(size=({rows}, *{shape})).astype(np.float32)
y = rng.integers(0, 10, len(x))
model.fit(x[:16], y[:16], verbose=0)
# Jobs in the background of a shell begin with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
handler = signal.getsignal(signal.SIGINT)
print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
else:
    print("finished", flush=True)
assert signal.getsignal(signal.SIGINT) is handler
assert all(np.isfinite(w).all() for w in model.get_weights())
y = (y + 1) % 10  # something new to learn
before = model.evaluate(x[:16], y[:16], verbose=0)
model.fit(x[:16], y[:16], epochs=10, verbose=0)
after = model.evaluate(x[:16], y[:16], verbose=0)
assert after < before, (before, after)
assert model.predict(x[:5], verbose=0).shape == (5, 10)
print("usable", flush=True)
"""

SMALL = (
    "(28, 28, 1)",
    'layers.Conv2D(6, 5, activation="relu"), layers.MaxPooling2D(),',
)
LARGE = (
    "(64, 64, 3)",
    'layers.Conv2D(64, 3, activation="relu"), layers.Conv2D(64, 3),',
)
FIT = "model.fit(x, y, epochs=1_000_000, verbose=0)"
PREDICT = "[model.predict(x, verbose=0) for _ in range(1_000_000)]"


@pytest.mark.parametrize("delay", [0.05, 0.4, 1.1])
@pytest.mark.parametrize("call", [FIT, PREDICT], ids=["fit", "predict"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_interrupt(size, call, delay):
    shape, body = size
    program = textwrap.dedent(PROGRAM).format(
        shape=shape, body=body, rows=512, call=call
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        time.sleep(delay)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - begin < 1.0
        # communicate() would lose a line that readline() has buffered already.
        assert process.stdout.read() == "usable\n", process.stderr.read()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
