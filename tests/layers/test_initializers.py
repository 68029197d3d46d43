# SPDX-License-Identifier: Apache-2.0
"""Initializers: Keras's formulas, as limits and moments of many values."""

import math

import numpy as np
import pytest

from pronghorn import Variable, initializers, regularizers, utils

SHAPE = (3, 5, 40, 60)  # a kernel: fan in 600, fan out 900
FANS = {"glorot": 2 / 1500, "he": 2 / 600, "lecun": 1 / 600}


@pytest.fixture(autouse=True)
def _seeded():
    utils.set_random_seed(0)  # the bounds are some three standard deviations


@pytest.mark.parametrize("family", FANS)
def test_uniform_fills_its_limits(family):
    values = initializers.get(f"{family}_uniform")(SHAPE)
    limit = math.sqrt(3 * FANS[family])
    assert values.dtype == np.float32
    assert values.shape == SHAPE
    assert 0.999 * limit < values.max() <= limit
    assert -limit <= values.min() < -0.999 * limit
    assert abs(values.mean()) < 0.01 * limit


@pytest.mark.parametrize("family", FANS)
def test_normal_has_its_deviation_and_is_cut_off(family):
    values = initializers.get(f"{family}_normal")(SHAPE)
    stddev = math.sqrt(FANS[family])
    assert abs(values.std() / stddev - 1) < 0.01
    assert abs(values).max() <= 2 * stddev / 0.87962566103423978 * 1.000001


def test_dense_kernels_and_vectors():
    values = initializers.HeUniform(seed=1)((50, 3000))
    assert abs(abs(values).max() / math.sqrt(6 / 50) - 1) < 0.001
    values = initializers.HeUniform(seed=1)((50,))
    assert abs(values).max() <= math.sqrt(6 / 50)


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5), (3, 3, 2, 11), (2, 3, 60)])
def test_orthogonal_rows_or_columns(shape):
    matrix = initializers.get("orthogonal")(shape).reshape(-1, shape[-1])
    short = matrix if len(matrix) <= shape[-1] else matrix.T
    np.testing.assert_allclose(short @ short.T, np.eye(len(short)), atol=1e-6)
    scaled = initializers.Orthogonal(gain=3.0, seed=2)(shape)
    np.testing.assert_allclose(
        scaled, 3 * initializers.Orthogonal(seed=2)(shape), rtol=1e-6
    )


def test_orthogonal_signs_are_even():
    first = [initializers.Orthogonal()((3, 3))[0, 0] for _ in range(400)]
    assert abs(np.mean(first)) < 0.1


def test_identity():
    assert (initializers.Identity(0.5)((3, 4)) == 0.5 * np.eye(3, 4)).all()


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2)])
def test_identity_is_a_matrix(shape):
    with pytest.raises(ValueError, match="Identity: expected the shape of a matrix"):
        initializers.Identity()(shape)


def test_orthogonal_vectors_are_refused():
    with pytest.raises(ValueError, match="Orthogonal: expected at least two axes"):
        initializers.Orthogonal()((3,))


def test_other_names():
    assert initializers.he_normal is initializers.HeNormal
    assert regularizers.l2(0.5).l2 == 0.5
    assert regularizers.l1_l2(l1=0.1).l1 == 0.1


def test_plain_distributions():
    assert abs(initializers.RandomNormal(1.0, 0.5)((9999,)).std() - 0.5) < 0.02
    uniform = initializers.RandomUniform(2.0, 3.0)((9999,))
    assert 2 <= uniform.min() < 2.01
    assert 2.99 < uniform.max() <= 3
    cut = initializers.TruncatedNormal(1.0, 0.1)((9999,))
    assert abs(cut - 1).max() <= 0.2000001
    assert abs(cut.std() - 0.088) < 0.004
    assert (initializers.Constant(2.5)((3, 2)) == 2.5).all()
    assert (initializers.get("ones")((2,)) == 1).all()
    assert (initializers.get("zeros")((2,)) == 0).all()
    normal = initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")(SHAPE)
    assert abs(normal.std() / math.sqrt(2 / 900) - 1) < 0.01


def test_seeds():
    make = initializers.GlorotUniform
    np.testing.assert_array_equal(make(seed=5)((4, 4)), make(seed=5)((4, 4)))
    assert (make(seed=5)((4, 4)) != make(seed=6)((4, 4))).any()
    assert (make()((4, 4)) != make()((4, 4))).any()
    one = make()
    np.testing.assert_array_equal(one((4, 4)), one((4, 4)))  # as in Keras
    utils.set_random_seed(3)
    first = make()((4, 4))
    utils.set_random_seed(3)
    np.testing.assert_array_equal(make()((4, 4)), first)


@pytest.mark.parametrize("name", ["GlorotUniform", "HeNormal", "VarianceScaling"])
def test_config_round_trip(name):
    initializer = initializers.get({"class_name": name, "config": {"seed": 4}})
    copy = initializers.get(initializers.serialize(initializer))
    np.testing.assert_array_equal(copy((3, 4)), initializer((3, 4)))


def test_any_callable_will_do():
    from pronghorn import layers  # noqa: PLC0415

    layer = layers.Dense(2, kernel_initializer=lambda shape: np.full(shape, 3))
    np.testing.assert_array_equal(layer([[1.0, 1.0]]), [[6.0, 6.0]])


def test_a_weight_draws_the_values_of_a_call():
    for one in (
        initializers.GlorotUniform(seed=3),
        initializers.HeNormal(seed=3),
        initializers.RandomUniform(-1, 2, seed=3),
        initializers.RandomNormal(1, 2, seed=3),
        initializers.TruncatedNormal(1, 2, seed=3),
        initializers.VarianceScaling(2, "fan_avg", "untruncated_normal", seed=3),
        initializers.Orthogonal(seed=3),
    ):
        weight = Variable(one, (40, 30))
        np.testing.assert_array_equal(weight.value, one((40, 30)))


def test_a_call_of_ones_own_is_called():
    class Half(initializers.GlorotUniform):
        def __call__(self, shape, dtype=None):
            return super().__call__(shape, dtype) / 2

    half, whole = Half(seed=3), initializers.GlorotUniform(seed=3)
    weight = Variable(half, (5, 4))
    np.testing.assert_array_equal(weight.value, whole((5, 4)) / 2)
