# SPDX-License-Identifier: Apache-2.0
"""Functional models: any graph, parts that are frozen, open sizes, configurations."""

import json

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, layers, ops
from pronghorn.models import clone_model, model_from_json
from pronghorn.optimizers import SGD
from pronghorn.testing import arrays

X = arrays.normal(1, 8, 6, 6, 2).astype(np.float32)


def shared_and_nested():
    """Two inputs, a shared layer, a nested model, operations, two outputs."""
    a, b = Input((6, 6, 2), name="a"), Input((6, 6, 2), name="b")
    conv = layers.Conv2D(3, 3, padding="same", activation="tanh", name="shared")
    inner_in = Input((6, 6, 3))
    inner = Model(inner_in, layers.MaxPooling2D(2)(inner_in) * 2.0, name="inner")
    x = ops.maximum(conv(a), conv(b))
    y = inner(x)[:, 1:, ::2]
    z = ops.concatenate([layers.Flatten()(y), layers.Flatten()(x)], axis=-1)
    return Model([a, b], [layers.Dense(2, name="head")(z), x], name="both")


def test_graph_of_calls_computes_what_it_says():
    model = shared_and_nested()
    y = arrays.normal(2, 8, 6, 6, 2).astype(np.float32)
    head, x = model.predict([X, y], verbose=0)
    conv, dense = model.get_layer("shared"), model.get_layer("head")
    expected = np.maximum(conv(X), conv(y))
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-6)
    pooled = 2 * expected.reshape(8, 3, 2, 3, 2, 3).max((2, 4))[:, 1:, ::2]
    flat = np.concatenate([pooled.reshape(8, -1), expected.reshape(8, -1)], -1)
    np.testing.assert_allclose(head, dense(flat), rtol=1e-4, atol=1e-5)
    named = model.predict({"b": y, "a": X}, verbose=0)
    np.testing.assert_array_equal(named[0], head)


def test_operations_are_no_layers():
    model = shared_and_nested()
    kinds = {type(layer).__name__ for layer in model.layers}
    assert not kinds & {"Maximum", "GetItem", "Concatenate"}
    lines = []
    model.summary(print_fn=lines.append)
    assert "(Maximum)" in lines[0]


def test_configuration_makes_an_equal_model():
    model = shared_and_nested()
    text = model.to_json()
    copy = model_from_json(text)
    assert json.loads(copy.to_json()) == json.loads(text)
    copy.set_weights(model.get_weights())
    for one, other in zip(model([X, X]), copy([X, X]), strict=True):
        np.testing.assert_array_equal(one, other)
    clone = clone_model(model)
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]


def test_configuration_of_a_sequential():
    model = Sequential([Input((4,)), layers.Dense(3, "relu"), layers.Dropout(0.5)])
    copy = Sequential.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    assert copy.output_shape == (None, 3)
    unbuilt = clone_model(Sequential([layers.Dense(2)]))
    assert not unbuilt.built


def test_configuration_with_classes_of_ones_own():
    class Own(layers.Layer):
        def __init__(self, power=1, **kwargs):
            super().__init__(**kwargs)
            self.power = power

        def call(self, inputs):
            return inputs**self.power

    model = Sequential([Input((4,)), Own(power=3)])
    assert clone_model(model).layers[0].power == 3
    with pytest.raises(ValueError, match="custom_objects"):
        model_from_json(model.to_json())
    assert model_from_json(model.to_json(), {"Own": Own}).layers[0].power == 3


def test_a_function_has_no_configuration():
    image = Input((4,))
    with pytest.raises(ValueError, match="no configuration"):
        Model(image, ops.custom_op(abs, lambda dy, x: dy)(image)).to_json()


def test_feature_maps_inside_of_a_model():
    model = Sequential(
        [Input((6, 6, 2)), layers.Conv2D(3, 3, name="c"), layers.Flatten()]
    )
    maps = Model(model.inputs, model.get_layer("c").output)
    np.testing.assert_array_equal(maps(X), model.get_layer("c")(X))
    tail = Model(model.get_layer("c").output, model.output)
    np.testing.assert_array_equal(tail(maps(X)), model(X))
    assert Model.from_config.__func__ is not None
    copy = model_from_json(tail.to_json())
    np.testing.assert_array_equal(copy(maps(X)), model(X))


def test_sizes_that_are_open():
    image = Input((None, None, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = ops.mean(x * ops.sigmoid(x), axis=(1, 2))
    model = Model(image, layers.Dense(2)(x))
    assert model.output_shape == (None, 2)
    model.compile(SGD(0.1), "mse")
    for size in ((8, 8), (11, 5)):
        images = arrays.normal(1, 4, *size, 3)
        first = model.train_on_batch(images, np.ones((4, 2)))
        assert model.test_on_batch(images, np.ones((4, 2))) < first
        assert model.predict(images, verbose=0).shape == (4, 2)


def stages(model, y):
    return [stage.stage for stage in model.profile(X, y, repeats=1)]


def encoder():
    return Sequential(
        [
            Input((6, 6, 2)),
            layers.Conv2D(3, 3, name="one"),
            layers.Conv2D(3, 3, name="two"),
            layers.Flatten(),
        ],
        name="encoder",
    )


def with_head(body):
    image = Input((6, 6, 2))
    model = Model(image, layers.Dense(2, name="head")(body(image)))
    model.compile("sgd", "mse")
    return model


def test_a_frozen_encoder_costs_no_backward_pass():
    body = encoder()
    model = with_head(body)
    y = np.zeros((8, 2))
    back = [
        name for name in stages(model, y) if "backward" in name or "gradient" in name
    ]
    assert any("one" in name for name in back)
    body.trainable = False
    assert not any(layer.trainable for layer in body.layers)
    model.compile("sgd", "mse")
    back = [
        name for name in stages(model, y) if "backward" in name or "gradient" in name
    ]
    assert back
    assert not any("one" in name or "two" in name for name in back), back
    before = body.get_weights()
    model.fit(X, y, verbose=0)
    for weight, old in zip(body.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert [w.path for w in model.trainable_weights] == ["head/kernel", "head/bias"]


def test_partly_frozen():
    body = encoder()
    model = with_head(body)
    body.get_layer("one").trainable = False
    model.compile("sgd", "mse")
    back = [
        n for n in stages(model, np.zeros((8, 2))) if "backward" in n or "gradient" in n
    ]
    assert any("two" in name for name in back)
    assert not any("one" in name for name in back)


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("outputs", [1, 2])
def test_input_is_given_back_as_it_came(listed, outputs):
    image = Input((4,))
    maps = [layers.Dense(units)(image) for units in (3, 5)][:outputs]
    model = Model([image] if listed else image, maps if outputs > 1 else maps[0])
    assert model.input_shape == (None, 4)
    if listed:
        assert model.input == [image]
    else:
        assert model.input is image
    assert model.output_shape == ([(None, 3), (None, 5)] if outputs > 1 else (None, 3))
    again = Model(model.input, layers.ReLU()(maps[-1]))
    assert again(np.zeros((2, 4), np.float32)).shape == (2, 5 if outputs > 1 else 3)
