# SPDX-License-Identifier: Apache-2.0
"""After a plan is built a step allocates nothing, and calls do not leak."""

import ctypes
import gc
from pathlib import Path

import numpy as np
import pytest

import pronghorn
from pronghorn import layers
from pronghorn._native import core as _core
from pronghorn.testing.running import with_threads


def model_of(kind):
    if kind == "lenet":
        body = [
            layers.Input((28, 28, 1)),
            layers.Conv2D(6, 5, activation="tanh"),
            layers.AveragePooling2D(),
            layers.Conv2D(16, 5, activation="tanh"),
            layers.MaxPooling2D(),
        ]
    else:
        body = [
            layers.Input((12, 12, 3)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(40, 3, strides=2),
            layers.ReLU(6.0),
            layers.Dropout(0.3),
        ]
    head = [layers.Flatten(), layers.Dense(200, "relu"), layers.Dense(10, "softmax")]
    model = pronghorn.Sequential([*body, *head])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data_of(model, rows):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, *model.input_shape[1:])).astype(np.float32)
    return x, rng.integers(0, 10, rows)


@pytest.mark.parametrize("batch_size", [1, 20, 32])
@pytest.mark.parametrize("kind", ["lenet", "wide"])
def test_no_tensor_memory_after_the_first_epoch(kind, batch_size):
    model = model_of(kind)
    x, y = data_of(model, 4 * batch_size)

    def epoch():
        model.fit(x, y, batch_size=batch_size, verbose=0)
        model.evaluate(x, y, batch_size=batch_size, verbose=0)
        model.predict(x, batch_size=batch_size, verbose=0)

    epoch()
    before = _core.allocation_count()
    for _ in range(3):
        epoch()
    assert _core.allocation_count() == before


class MallInfo(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd",
        "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]  # fmt: skip


def heap_bytes():
    """Bytes that malloc has handed out, in the main arena and by mmap."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = MallInfo
    info = libc.mallinfo2()
    return info.uordblks + info.hblkhd


def plan_and_feeds(kind, batch, training):
    """A plan of a small network, without Python's layers around it."""
    graph = _core.Graph(batch, training)
    x = graph.input((12, 12, 3))
    labels = graph.input((), "int32")
    rule = _core.Optimizer("adam", {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7})
    rng = np.random.default_rng(1)

    def parameter(*shape):
        buffer = _core.Buffer(shape)
        buffer.array[...] = rng.normal(size=shape) * 0.1
        slots = [_core.Buffer(shape) for _ in range(rule.slots)]
        return graph.parameter(buffer, training, slots)

    channels = 6 if kind == "lanes" else 32
    x = graph.add("conv2d", [x, parameter(3, 3, 3, channels), parameter(channels)], {})
    x = graph.add("activation", [x], {"kind": "relu"})
    x = graph.add("max_pool2d", [x], {})
    x = graph.add("flatten", [x], {})
    x = graph.add("dense", [x, parameter(25 * channels, 10), parameter(10)], {})
    loss = graph.add(
        "sparse_categorical_crossentropy", [x, labels], {"from_logits": True}
    )
    plan = graph.compile(
        losses=[(loss, -1, "sum_over_batch_size", 1.0)],
        optimizer=rule if training else None,
    )
    images = rng.normal(size=(8 * batch, 12, 12, 3)).astype(np.float32)
    return plan, [images, rng.integers(0, 10, 8 * batch).astype(np.int32)]


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33 or newer"
)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["lanes", "rows"])
@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_leaves_the_heap_as_it_was(kind, batch, training, threads):
    plan, feeds = plan_and_feeds(kind, batch, training)
    order = np.arange(8 * batch)
    rates = np.full(8 if training else 0, 1e-3)

    def many(count):
        for _ in range(count):
            plan.run(feeds, order, [], rates)

    with with_threads(threads):
        many(3)
        gc.collect()
        grown = []
        for _ in range(3):
            before = heap_bytes()
            many(100)
            grown.append(heap_bytes() - before)
        # A leak would show in every round of 100 calls of 8 steps. Python itself keeps
        # a little, and BLAS takes a buffer when two threads first meet inside of it.
        assert min(grown) < 4096


def resident_kilobytes():
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4


def test_many_calls_do_not_grow_the_process():
    model = model_of("lenet")
    x, y = data_of(model, 40)

    def calls(count):
        for _ in range(count):
            model.fit(x, y, batch_size=20, verbose=0)
            model.predict(x[:33], verbose=0)

    calls(30)
    gc.collect()
    before = resident_kilobytes()
    calls(100)
    gc.collect()
    assert resident_kilobytes() - before < 1024
