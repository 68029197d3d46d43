# SPDX-License-Identifier: Apache-2.0
"""Layers: shapes, weights, names, configurations."""

import numpy as np
import pytest

from pronghorn import Input, Sequential, layers

X = np.random.default_rng(0).normal(size=(3, 7, 6, 4)).astype(np.float32)

LAYERS = [
    (lambda: layers.Conv2D(6, (3, 2), groups=2, activation="relu"), (3, 5, 5, 6)),
    (lambda: layers.Conv2D(5, 3, strides=(2, 1), padding="same"), (3, 4, 6, 5)),
    (lambda: layers.Conv2D(2, 2, dilation_rate=(3, 2), use_bias=False), (3, 4, 4, 2)),
    (layers.MaxPooling2D, (3, 3, 3, 4)),
    (lambda: layers.MaxPool2D(3, 1, padding="same"), (3, 7, 6, 4)),
    (lambda: layers.AveragePooling2D((2, 3), padding="SAME"), (3, 4, 2, 4)),
    (layers.GlobalAveragePooling2D, (3, 4)),
    (lambda: layers.GlobalAveragePooling2D(keepdims=True), (3, 1, 1, 4)),
    (layers.Flatten, (3, 168)),
    (lambda: layers.Dense(5, "tanh", kernel_initializer="he_normal"), (3, 7, 6, 5)),
    (lambda: layers.Activation("sigmoid"), (3, 7, 6, 4)),
    (lambda: layers.ReLU(6.0, 0.1, 0.5), (3, 7, 6, 4)),
    (lambda: layers.Softmax(axis=1), (3, 7, 6, 4)),
    (lambda: layers.Dropout(0.3, seed=1), (3, 7, 6, 4)),
]


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_shape_of_array_of_symbol_and_as_computed(make, shape):
    layer = make()
    assert layer.compute_output_shape((None, *X.shape[1:])) == (None, *shape[1:])
    assert layer.weights == []  # asking does not build
    assert layer(X).shape == shape
    assert layer(Input(X.shape[1:])).shape == (None, *shape[1:])
    assert layer.output_shape == (None, *shape[1:])
    assert layer.count_params() == sum(w.size for w in layer.get_weights())
    assert layer(X[:0]).shape == (0, *shape[1:])


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_config_makes_an_equal_layer(make, shape):
    layer = make()
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    first = layer(X)
    copy.build((None, *X.shape[1:]))
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(X), first)


def test_open_sizes_stay_open():
    image = Input((None, 20, 3))
    conv = layers.Conv2D(4, 3, strides=2)(image)
    assert conv.shape == (None, None, 9, 4)
    assert layers.GlobalAveragePooling2D()(conv).shape == (None, 4)
    assert layers.Flatten()(conv).shape == (None, None)


def test_conv_weights_are_in_keras_order():
    layer = layers.Conv2D(6, (3, 2), groups=2)
    layer(X)
    assert [w.name for w in layer.weights] == ["kernel", "bias"]
    assert [w.shape for w in layer.weights] == [(3, 2, 2, 6), (6,)]
    assert layer.kernel.path == f"{layer.name}/kernel"


def test_names_are_numbered_by_class():
    first, second = layers.AveragePooling2D(), layers.AveragePooling2D()
    assert first.name.startswith("average_pooling2d")
    assert second.name.startswith("average_pooling2d_")
    assert first.name != second.name
    assert layers.ReLU().name.startswith("re_lu")
    assert layers.Dense(1, name="mine").name == "mine"


def test_set_weights_is_all_or_nothing():
    layer = layers.Dense(3)
    layer(np.ones((1, 2)))
    before = layer.get_weights()
    for wrong in (
        [np.ones((2, 3))],
        [np.ones((2, 3)), np.ones(4)],
        [np.ones((2, 3)), np.array(["a"] * 3)],
    ):
        with pytest.raises(ValueError, match="expected"):
            layer.set_weights(wrong)
        for now, then in zip(layer.get_weights(), before, strict=True):
            np.testing.assert_array_equal(now, then)
    layer.set_weights([np.ones((2, 3)), np.zeros(3)])
    np.testing.assert_array_equal(layer([[1.0, 2.0]]), [[3.0, 3.0, 3.0]])


def test_get_weights_are_copies():
    layer = layers.Dense(3)
    layer(np.ones((1, 2)))
    layer.get_weights()[0][...] = 7
    assert not (layer.get_weights()[0] == 7).any()


def test_trainable_reaches_inner_layers():
    model = Sequential([Input((4,)), layers.Dense(3), layers.Dense(2)])
    assert len(model.trainable_weights) == 4
    model.layers[0].trainable = False
    assert [w.path for w in model.trainable_weights] == [
        w.path for w in model.layers[1].weights
    ]
    model.trainable = False
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == 4
    model.trainable = True
    assert len(model.trainable_weights) == 4


def test_unbuilt_layer_has_no_parameters_to_count():
    with pytest.raises(ValueError, match="not been built"):
        layers.Dense(3).count_params()
    assert layers.Flatten().count_params() == 0


def test_dropout_drops_in_training_only():
    x = np.ones((50, 40), np.float32)
    layer = layers.Dropout(0.25, seed=3)
    np.testing.assert_array_equal(layer(x), x)
    dropped = layer(x, training=True)
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 0.05
    np.testing.assert_array_equal(layer(x, training=True), dropped)


def test_input_shape_on_any_layer_builds_a_sequential():
    for first in (
        layers.Conv2D(2, 3, input_shape=(8, 8, 1)),
        layers.Flatten(batch_input_shape=(None, 4, 4)),
        layers.Dense(3, input_dim=7),
    ):
        assert Sequential([first]).built


def test_images_without_pixels_are_refused():
    with pytest.raises(ValueError, match=r"GlobalAveragePooling2D.*positive sizes"):
        layers.GlobalAveragePooling2D()(np.ones((2, 0, 0, 3)))
