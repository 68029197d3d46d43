# SPDX-License-Identifier: Apache-2.0
"""gaussian_noise, gaussian_dropout, alpha_dropout and masks shared along axes: what is
drawn has the right distribution and is a function of seed, step and place alone."""

import math

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import arrays
from pronghorn.testing.running import isas, with_threads

SHAPES = [(1, 1), (3, 7), (17, 33), (16, 5, 6, 3), (33, 100)]
OPS = {
    "gaussian_noise": {"stddev": 0.5},
    "gaussian_dropout": {"rate": 0.3},
    "alpha_dropout": {"rate": 0.3},
    "dropout": {"rate": 0.3, "noise_axes": [1]},
}
SELU_LIMIT = -1.7580993408473766


def plan_for(op, shape, attributes, isa, outputs):
    """An op on an input, and a loss whose gradient at every output is 1."""
    graph = _core.Graph(shape[0], True, isa)
    x = graph.input(shape[1:], "float32", True)
    y = graph.add(op, [x], attributes)
    error = graph.add("mean_absolute_error", [y, graph.input(shape[1:])], {})
    loss = (error, -1, "sum_over_batch_size", float(np.prod(shape)))
    return graph.compile(outputs=[y] if outputs else [], losses=[loss])


def drawn(op, x, attributes, iteration=0, isa="", threads=1):
    plan = plan_for(op, x.shape, attributes, isa, True)
    y = np.full(x.shape, np.nan, np.float32)
    low = np.full(x.shape, -3e38, np.float32)
    with with_threads(threads):
        plan.run([x, low], np.arange(len(x)), [y], iteration=iteration)
    return y


def gradient(op, x, attributes, isa=""):
    plan = plan_for(op, x.shape, attributes, isa, False)
    low = np.full(x.shape, -3e38, np.float32)
    return plan.gradients([x, low], np.arange(len(x)))[0]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("shape", SHAPES)
def test_same_bits_for_any_number_of_threads(op, shape):
    x = arrays.normal(1, *shape)
    first = drawn(op, x, OPS[op] | {"seed": 5})
    for isa in isas():
        expected = drawn(op, x, OPS[op] | {"seed": 5}, isa=isa)
        np.testing.assert_allclose(expected, first, rtol=1e-5, atol=1e-5)
        for threads in (2, 3, 8):
            y = drawn(op, x, OPS[op] | {"seed": 5}, isa=isa, threads=threads)
            np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("op", OPS)
def test_seeds_and_steps_differ(op):
    x = np.ones((8, 100), np.float32)
    if op == "dropout":
        x = np.ones((64, 3), np.float32)
    draws = [
        drawn(op, x, OPS[op] | {"seed": seed}, step).tobytes()
        for seed in (0, 1, 7)
        for step in (0, 1, 2)
    ]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_is_of_the_same_draw(op, shape):
    x = arrays.normal(2, *shape)
    attributes = OPS[op] | {"seed": 3}
    for isa in isas():
        # All of these are linear in x: the gradient of the sum is the difference.
        whole = drawn(op, x + 1, attributes, isa=isa) - drawn(
            op, x, attributes, isa=isa
        )
        found = gradient(op, x, attributes, isa)
        np.testing.assert_allclose(found, whole, atol=2e-5, err_msg=isa)


def normal_numbers(shape, seed=1):
    x = np.zeros(shape, np.float32)
    return drawn("gaussian_noise", x, {"stddev": 1.0, "seed": seed}).astype(np.float64)


def test_normal_numbers_are_normal():
    z = normal_numbers((64, 50, 50))
    count = z.size
    assert abs(z.mean()) < 5 / np.sqrt(count)
    assert abs((z**2).mean() - 1) < 5 * np.sqrt(2 / count)
    assert abs((z**3).mean()) < 5 * np.sqrt(15 / count)
    assert abs((z**4).mean() - 3) < 5 * np.sqrt(96 / count)
    # Kolmogorov's distance to the distribution.
    ordered = np.sort(z.ravel())[:: max(1, count // 5000)]
    expected = np.array([0.5 + 0.5 * math.erf(one / 2**0.5) for one in ordered])
    reached = np.searchsorted(np.sort(z.ravel()), ordered) / count
    assert np.abs(expected - reached).max() < 2 / np.sqrt(count)
    for axis in range(3):
        pairs = np.take(z, range(1, z.shape[axis]), axis) * np.take(
            z, range(z.shape[axis] - 1), axis
        )
        assert abs(pairs.mean()) < 5 / np.sqrt(pairs.size)


def test_normal_numbers_of_every_draw_are_finite():
    z = normal_numbers((512, 8192))
    assert np.isfinite(z).all()
    assert 4.5 < np.abs(z).max() < 5.6


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.8])
def test_gaussian_dropout_multiplies(rate):
    x = np.full((64, 2500), 2.0, np.float32)
    factor = drawn("gaussian_dropout", x, {"rate": rate, "seed": 2}) / 2
    deviation = np.sqrt(rate / (1 - rate))
    assert abs(factor.mean() - 1) <= 5 * deviation / np.sqrt(x.size)
    assert abs(factor.std() - deviation) <= 5 * deviation / np.sqrt(x.size)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.8])
def test_alpha_dropout_is_keras_formula(rate):
    x = arrays.normal(3, 64, 2500)
    y = drawn("alpha_dropout", x, {"rate": rate, "seed": 2})
    a = ((1 - rate) * (1 + rate * SELU_LIMIT**2)) ** -0.5
    b = -a * SELU_LIMIT * rate
    kept = np.abs(y - (a * x + b)) < 1e-5
    np.testing.assert_allclose(y[~kept], a * SELU_LIMIT + b, rtol=1e-5)
    spread = 5 * np.sqrt(rate * (1 - rate) / x.size)
    assert abs((~kept).mean() - rate) <= spread + 1e-5
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02


AXES = [
    ((17, 12), [1]),
    ((17, 12), [0]),
    ((17, 6, 5, 3), [1, 2]),
    ((17, 6, 5, 3), [-1]),
    ((17, 6, 5, 3), [2]),
    ((17, 6, 5, 3), [1, 3]),
    ((17, 6, 5, 3), [0, 1, 2]),
    ((17, 6, 5, 3), [1, 2, 3]),
    ((5, 2, 3, 4, 3, 2), [2, 4]),
]


@pytest.mark.parametrize("op", ["dropout", "alpha_dropout"])
@pytest.mark.parametrize(("shape", "axes"), AXES)
def test_noise_axes_drop_together(op, shape, axes):
    x = np.ones(shape, np.float32)
    for isa in isas():
        attributes = {"rate": 0.5, "seed": 4, "noise_axes": axes}
        y = drawn(op, x, attributes, isa=isa)
        one = y[tuple(slice(0, 1) if a in axes else slice(None) for a in range(y.ndim))]
        if -1 in axes:
            one = y[..., :1]
        np.testing.assert_array_equal(y, np.broadcast_to(one, y.shape))
        assert len(np.unique(y)) == 2
        slope = gradient(op, x, attributes, isa)
        np.testing.assert_array_equal(slope > 0, y > 0)
        # Along every other axis, positions drop on their own.
        for axis in range(y.ndim):
            if axis not in axes and axis - y.ndim not in axes:
                assert (np.diff(y, axis=axis) != 0).any()


def test_nan_that_is_dropped_is_gone():
    x = np.full((8, 6, 5), np.nan, np.float32)
    y = drawn("dropout", x, {"rate": 0.5, "seed": 4, "noise_axes": [1]})
    assert np.isnan(y).any()
    assert (y == 0).any()


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("dropout", {"rate": 1.5}),
        ("dropout", {"rate": 0.5, "noise_axes": [2]}),
        ("dropout", {"rate": 0.5, "noise_axes": [-3]}),
        ("alpha_dropout", {"rate": 1.0}),
        ("gaussian_dropout", {"rate": 1.0}),
        ("gaussian_noise", {"stddev": -1.0}),
        ("gaussian_noise", {"rate": 0.5}),
    ],
)
def test_errors(op, attributes):
    graph = _core.Graph(4, True)
    with pytest.raises(ValueError, match=rf"\[{op}\]"):
        graph.add(op, [graph.input([3])], attributes)
