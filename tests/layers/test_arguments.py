# SPDX-License-Identifier: Apache-2.0
"""Wrong arguments of layers: a ValueError that names the layer and what came."""

import numpy as np
import pytest

from pronghorn import Input, initializers, layers, losses, optimizers

WRONG = [
    (lambda: layers.Conv2D(0, 3), "`filters`.*got 0"),
    (lambda: layers.Conv2D(-4, 3), "`filters`.*got -4"),
    (lambda: layers.Conv2D(2**61, 3), "`filters`"),
    (lambda: layers.Conv2D(2.5, 3), "`filters`.*2.5"),
    (lambda: layers.Conv2D(4, 0), "`kernel_size`.*got 0"),
    (lambda: layers.Conv2D(4, (3, 3, 3)), "`kernel_size`"),
    (lambda: layers.Conv2D(4, "33"), "`kernel_size`"),
    (lambda: layers.Conv2D(4, 3, strides=0), "`strides`.*got 0"),
    (lambda: layers.Conv2D(4, 3, strides=(1, -1)), "`strides`.*got -1"),
    (lambda: layers.Conv2D(4, 3, dilation_rate=0), "`dilation_rate`.*got 0"),
    (lambda: layers.Conv2D(4, 3, groups=0), "`groups`.*got 0"),
    (lambda: layers.Conv2D(4, 3, groups=3), "filters=4, groups=3"),
    (lambda: layers.Conv2D(4, 3, strides=2, dilation_rate=2), "strides or dilation"),
    (lambda: layers.Conv2D(4, 3, padding="full"), "valid, same.*'full'"),
    (lambda: layers.Conv2D(4, 3, activation="rleu"), "linear.*relu.*tanh"),
    (lambda: layers.Conv2D(4, 3, kernel_initializer="xavier"), "'xavier'.*GlorotNorm"),
    (lambda: layers.Conv2D(4, 3, data_format="channels_middle"), "channels_last"),
    (lambda: layers.Conv2D(4, 3, kernel_regularizer="l5"), "'l5'"),
    (lambda: layers.Conv2D(4, 3, bias_constraint=3), "constraint"),
    (lambda: layers.Conv2D(4, 3, activity_regularizer=2), "regularizer"),
    (lambda: layers.Conv2D(4, 3, stride=2), "Conv2D: {'stride': 2}"),
    (lambda: layers.Conv2D(4, 3, name="a/b"), "`name`.*'a/b'"),
    (lambda: layers.Conv2D(4, 3, dtype="float16"), "float32.*float16"),
    (lambda: layers.MaxPooling2D(strides=0), "`strides`.*got 0"),
    (lambda: layers.MaxPooling2D(0), "`pool_size`.*got 0"),
    (lambda: layers.AveragePooling2D(2, padding="causal"), "'causal'"),
    (lambda: layers.Dense(0), "`units`.*got 0"),
    (lambda: layers.Dense(True), "`units`.*True"),
    (lambda: layers.Dropout(1.5), "`rate`.*1.5"),
    (lambda: layers.Dropout(float("nan")), "`rate`.*nan"),
    (lambda: layers.ReLU(negative_slope=-1), "`negative_slope`.*-1"),
    (lambda: layers.Softmax(axis="x"), "`axis`"),
    (lambda: layers.Activation(3), "activation"),
    (lambda: Input((0, 3)), "positive integers"),
    (lambda: Input((3, "a")), "positive integers"),
    (Input, "`shape` or `batch_shape`"),
    (lambda: initializers.VarianceScaling(0), "scale"),
    (lambda: initializers.VarianceScaling(mode="fan"), "fan_in"),
    (lambda: losses.MeanSquaredError(reduction="max"), "`reduction`.*'max'"),
    (lambda: losses.SparseCategoricalCrossentropy(ignore_class="a"), "`ignore_class`"),
    (lambda: losses.get("msee"), "'msee'.*MeanSquaredError"),
    (lambda: optimizers.get("adma"), "'adma'.*adam"),
    (lambda: optimizers.SGD(-1), "`learning_rate`.*-1"),
    (lambda: optimizers.Adam(float("nan")), "`learning_rate`.*nan"),
    (lambda: optimizers.Adam("fast"), "`learning_rate`.*'fast'"),
    (lambda: optimizers.SGD(momentum=2), "`momentum`.*2"),
    (lambda: optimizers.SGD(clipnorm=-1.0), "`clipnorm`"),
    (lambda: optimizers.Adam(weight_decay=-0.1), "`weight_decay`"),
    (lambda: optimizers.Adam(use_ema=True), "`use_ema`"),
    (lambda: optimizers.Adam(beta_1=1.0), "beta_1"),
    (lambda: optimizers.Adam(lr=1.0), "lr"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_wrong_argument(make, message):
    with pytest.raises(ValueError, match=message):
        make()


WRONG_SHAPES = [
    (layers.Conv2D(4, 3), (None, 8, 8), "4 axes"),
    (layers.Conv2D(4, 3, groups=2), (None, 8, 8, 5), "5 channels"),
    (layers.Conv2D(4, 7), (None, 4, 4, 1), "Conv2D"),
    (layers.Conv2D(4, 3), (None, 8, 8, None), "known"),
    (layers.MaxPooling2D(9), (None, 4, 4, 1), "MaxPooling2D"),
    (layers.AveragePooling2D(), (None, 8), "AveragePooling2D"),
    (layers.GlobalAveragePooling2D(), (None, 8, 3), "GlobalAveragePooling2D"),
    (layers.Conv2D(4, 3), (None, 2**31, 2**31, 3), "Conv2D.*63 bits"),
    (layers.Dense(3), (None,), "axes"),
    (layers.Dense(3), (None, None), "known"),
]


@pytest.mark.parametrize(("layer", "shape", "message"), WRONG_SHAPES)
def test_wrong_input_shape_leaves_the_layer_as_it_was(layer, shape, message):
    built = layer.built
    with pytest.raises(ValueError, match=message):
        layer(Input(batch_shape=shape))
    with pytest.raises(ValueError, match=message):
        layer.compute_output_shape(shape)
    assert layer.built == built
    assert layer.weights == []
    assert layer.nodes == []


def test_gigantic_weights_are_refused():
    with pytest.raises((ValueError, MemoryError)):
        layers.Dense(2**31 - 1)(Input((2**31 - 1,)))


@pytest.mark.parametrize(
    "x",
    [
        np.array(["a"]),
        np.array([None]),
        np.ones((2, 3), complex),
        np.array(["2020-01-01"], "datetime64[D]"),
        3.0,
        [[1, 2], [3]],
    ],
    ids=str,
)
def test_what_is_no_number_is_refused(x):
    with pytest.raises(ValueError, match=r"Layer 'dense.*input"):
        layers.Dense(2)(x)
