# SPDX-License-Identifier: Apache-2.0
"""dropout: random, but a function of seed, step and place alone; gradients use the mask
of their forward pass."""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing.running import isas, with_threads


def plan_for(shape, rate, seed, isa, outputs):
    """Dropout of an input, and a loss whose gradient at every output is 1."""
    graph = _core.Graph(shape[0], True, isa)
    x = graph.input(shape[1:], "float32", True)
    y = graph.add("dropout", [x], {"rate": rate, "seed": seed})
    error = graph.add("mean_absolute_error", [y, graph.input(shape[1:])], {})
    loss = (error, -1, "sum_over_batch_size", float(np.prod(shape)))
    return graph.compile(outputs=[y] if outputs else [], losses=[loss])


def feeds_of(shape):
    return [np.ones(shape, np.float32), np.full(shape, -1, np.float32)]


def dropped(shape, rate, seed=1, iteration=0, isa="", threads=1):
    plan = plan_for(shape, rate, seed, isa, True)
    y = np.full(shape, np.nan, np.float32)
    with with_threads(threads):
        plan.run(feeds_of(shape), np.arange(shape[0]), [y], iteration=iteration)
    return y


def gradient(shape, rate, seed, isa):
    plan = plan_for(shape, rate, seed, isa, False)
    return plan.gradients(feeds_of(shape), np.arange(shape[0]))[0]


SHAPES = [(1, 1), (3, 7), (17, 33), (16, 5, 6, 3), (33, 100)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.9])
def test_keeps_and_scales_and_so_does_the_gradient(shape, rate):
    kept = np.float32(1) / np.float32(1 - rate)
    for isa in isas():
        y = dropped(shape, rate, isa=isa)
        assert np.isin(y, [0, kept]).all() or np.abs(y[y > 0] / kept - 1).max() < 3e-7
        np.testing.assert_array_equal(gradient(shape, rate, 1, isa), y)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_share_of_zeros(rate):
    shape = (64, 50, 50)
    y = dropped(shape, rate)
    count = y.size
    spread = 5 * np.sqrt(rate * (1 - rate) / count)
    assert abs((y == 0).mean() - rate) < spread
    # Neighbours, rows and images are independent of each other.
    zero = (y == 0).astype(float) - rate
    for axis in range(3):
        pairs = np.take(zero, range(1, shape[axis]), axis) * np.take(
            zero, range(shape[axis] - 1), axis
        )
        assert abs(pairs.mean()) < 5 * rate * (1 - rate) / np.sqrt(pairs.size)


@pytest.mark.parametrize("shape", SHAPES)
def test_same_bits_everywhere(shape):
    expected = dropped(shape, 0.4)
    for isa in isas():
        for threads in (1, 2, 3, 8):
            y = dropped(shape, 0.4, isa=isa, threads=threads)
            np.testing.assert_array_equal(y, expected)


def test_seeds_and_steps_differ():
    draws = [
        dropped((8, 100), 0.5, seed, step) for seed in (0, 1, 7) for step in (0, 1, 2)
    ]
    masks = {y.tobytes() for y in draws}
    assert len(masks) == len(draws)
    for i, a in enumerate(draws):
        for b in draws[i + 1 :]:
            assert 0.4 < ((a == 0) == (b == 0)).mean() < 0.6
