# SPDX-License-Identifier: Apache-2.0
"""fork: children of a process that has trained train too, with the parent's bits."""

import os
import signal
import subprocess
import sys
import textwrap

PRELUDE = """
import os, sys, threading
import numpy as np
import pronghorn
from pronghorn import layers

def make(seed=3):
    pronghorn.utils.set_random_seed(seed)
    model = pronghorn.Sequential([
        layers.Input((28, 28, 1)),
        layers.Conv2D(6, 5, activation="tanh"),
        layers.AveragePooling2D(),
        layers.Conv2D(16, 5, activation="relu"),
        layers.Flatten(),
        layers.Dense(120, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model

rng = np.random.default_rng(0)
x = rng.normal(size=(96, 28, 28, 1)).astype(np.float32)
y = rng.integers(0, 10, 96)

def train():
    model = make()
    model.fit(x, y, epochs=2, verbose=0)
    return b"".join(w.tobytes() for w in model.get_weights())

pronghorn.config.set_num_threads(2)
expected = train()

def child():
    pid = os.fork()
    if pid == 0:
        os._exit(0 if train() == expected else 3)
    return pid
"""


def run(program, timeout=120):
    """Runs the program; a hanging child is killed with its whole group."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PRELUDE + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 0, out
    return out


def test_children_train_one_after_the_other():
    run("""
        for _ in range(20):
            assert os.waitpid(child(), 0)[1] == 0
            assert train() == expected
    """)


def test_children_train_at_once_and_have_children():
    run("""
        def grandchild():
            pid = os.fork()
            if pid == 0:
                good = train() == expected and os.waitpid(child(), 0)[1] == 0
                os._exit(0 if good else 4)
            return pid

        children = [grandchild() for _ in range(4)]
        assert train() == expected
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    """)


def test_fork_while_other_threads_predict():
    run("""
        model = make()
        wanted = model.predict(x, verbose=0)
        stop, wrong = threading.Event(), []

        def predict():
            while not stop.is_set():
                if model.predict(x, verbose=0).tobytes() != wanted.tobytes():
                    wrong.append(1)

        threads = [threading.Thread(target=predict) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                assert os.waitpid(child(), 0)[1] == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not wrong
        assert train() == expected
    """)


def test_multiprocessing_pool():
    run("""
        import multiprocessing

        def work(number):
            return train() == expected

        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(work, range(6)) == [True] * 6
    """)
