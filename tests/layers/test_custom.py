# SPDX-License-Identifier: Apache-2.0
"""Layers of one's own, written with `call`: what they compute, own and promise."""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, Variable, activations, ops
from pronghorn.layers import (
    Conv2D,
    Dense,
    Dropout,
    Lambda,
    Layer,
    TimeDistributed,
)
from pronghorn.testing import arrays, check_layer

X = arrays.normal(1, 5, 4).astype(np.float32)


class Scale(Layer):
    """A weight per channel, and a bias shared by all."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1],), "ones", name="w")
        self.b = self.add_weight((), "zeros", name="b")

    def call(self, inputs):
        return self.factor * self.w * inputs + ops.tanh(self.b)


class Block(Layer):
    """Inner layers in attributes, in lists and in dicts."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.stack = []
        self.gates = []
        for _ in range(2):
            self.stack.append(Dense(units, activation="relu"))
            self.gates.append(Dense(units))
        self.ends = {"last": Dense(2)}
        self.drop = Dropout(0.5)

    def call(self, inputs, training=None):
        x = inputs
        for layer, gate in zip(self.stack, self.gates, strict=True):
            x = layer(x) * ops.sigmoid(gate(x))
        x = self.drop(x, training=training)
        return self.ends["last"](x)


class Power(Layer):
    def call(self, inputs):
        return ops.custom_op(lambda x: x**3, lambda dy, x: 3 * x**2 * dy)(inputs)


@pytest.mark.parametrize(
    ("cls", "kwargs", "shape", "out", "parameters"),
    [
        (Scale, {"factor": 2.0}, (6, 3), (6, 3), 4),
        (Block, {"units": 3}, (4,), (2,), 2 * (15 + 12) + 8),
        (Power, {}, (5, 2), (5, 2), 0),
        (TimeDistributed, {"layer": Conv2D(2, 3)}, (3, 5, 5, 1), (3, 3, 3, 2), 20),
        (TimeDistributed, {"layer": Dense(2)}, (9, 5), (9, 2), 12),
    ],
)
def test_layer(cls, kwargs, shape, out, parameters):
    if cls is TimeDistributed:  # check_layer makes several of them
        inner = kwargs["layer"]

        class Each(TimeDistributed):
            def __init__(self, **config):
                config.pop("layer", None)
                super().__init__(type(inner).from_config(inner.get_config()), **config)

            def get_config(self):
                return {k: v for k, v in super().get_config().items() if k != "layer"}

            @classmethod
            def from_config(cls, config):
                return cls(**config)

        cls, kwargs = Each, {}
    check_layer(cls, kwargs, input_shape=shape, output_shape=out, parameters=parameters)


def test_a_wrong_gradient_is_found():
    class Wrong(Layer):
        def call(self, inputs):
            return ops.custom_op(lambda x: x**3, lambda dy, x: 2 * x**2 * dy)(inputs)

    with pytest.raises(AssertionError, match="gradient by input 0 is off by"):
        check_layer(Wrong, input_shape=(5,))


def test_weights_in_the_order_of_assignment():
    block = Block(3)
    block(X)
    names = [layer.name for layer in block.sublayers()]
    stack, gates = block.stack, block.gates
    expected = [stack[0], gates[0], stack[1], gates[1], block.ends["last"], block.drop]
    assert names == [layer.name for layer in expected]
    block.trainable = False
    assert block.trainable_weights == []
    assert not stack[1].trainable


def test_variables_are_weights():
    class Own(Layer):
        def __init__(self):
            super().__init__()
            self.a = Variable(np.ones(4), name="a")
            self.still = Variable(np.ones(4), trainable=False)

        def call(self, inputs):
            return inputs * self.a + self.still

    layer = Own()
    layer(X)
    assert layer.weights == [layer.a, layer.still]
    assert layer.trainable_weights == [layer.a]


def test_assignment_before_init():
    class Early(Layer):
        def __init__(self):
            self.inner = Dense(2)
            super().__init__()

    with pytest.raises(RuntimeError, match="super"):
        Early()


def test_several_inputs_and_arguments():
    class Mix(Layer):
        def build(self, query_shape, value_shape):
            self.w = self.add_weight((query_shape[-1], value_shape[-1]), "ones")

        def call(self, query, value, power=1, training=None):
            return [ops.matmul(query, self.w) * value**power, query]

    y = arrays.normal(2, 5, 3).astype(np.float32)
    layer = Mix()
    first, second = layer(X, y, power=2)
    np.testing.assert_allclose(first, X.sum(1, keepdims=True) * y**2, rtol=1e-4)
    np.testing.assert_array_equal(second, X)
    a, b = Input((4,)), Input((3,))
    model = Model([a, b], layer(a, value=b, power=2))
    np.testing.assert_array_equal(model.predict([X, y], verbose=0)[0], first)
    with pytest.raises(TypeError, match="power_"):
        layer(a, b, power_=1)


def test_training_reaches_call():
    class Mode(Layer):
        def call(self, inputs, training=False):
            return inputs * 0 + (1.0 if training else 2.0)

    layer = Mode()
    assert layer(X)[0, 0] == 2
    assert layer(X, training=True)[0, 0] == 1
    image = Input((4,))
    for fixed, expected in ((None, 1), (False, 2)):
        model = Model(image, layer(image, training=fixed))
        model.compile("sgd", "mae")
        loss = model.train_on_batch(X, np.zeros((5, 4)))
        assert loss == expected


def test_subclass_of_a_layer_of_ours():
    class Twice(Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    layer = Twice(3, kernel_initializer="ones")
    np.testing.assert_allclose(
        layer(X), 2 * np.repeat(X.sum(1, keepdims=True), 3, 1), rtol=1e-4, atol=1e-6
    )


def test_functions_as_activations():
    layer = Dense(3, activation=lambda x: ops.square(x) + 1)
    plain = Dense(3)
    plain(X)
    layer(X)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(X), plain(X) ** 2 + 1, rtol=1e-5)
    image = Input((4,))
    model = Model(image, activations.elu(activations.relu(image)))
    np.testing.assert_array_equal(model(X), np.maximum(X, 0))

    class Own(Layer):
        activation = staticmethod(activations.get("silu"))

        def call(self, inputs):
            return self.activation(inputs)

    np.testing.assert_allclose(Own()(X), X / (1 + np.exp(-X)), rtol=1e-4, atol=1e-6)


def test_failed_build_leaves_inner_layers_as_they_were():
    class Outer(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Dense(3)

        def call(self, inputs):
            return self.inner(inputs) + ops.zeros((7, 7))

    layer = Outer()
    with pytest.raises(ValueError, match=r"batch|7"):
        layer(X)
    assert layer.inner.weights == []


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda layer, x: 3.0, "expected `call` to return a tensor"),
        (lambda layer, x: {"y": x}, "expected `call` to return a tensor"),
        (lambda layer, x: layer.w * 2, "computed from its input"),
    ],
)
def test_wrong_results_of_call(result, message):
    class Wrong(Layer):
        def build(self, input_shape):
            self.w = self.add_weight((4,))

        def call(self, inputs):
            return result(self, inputs)

    with pytest.raises(ValueError, match=message):
        Wrong()(X)


def test_layer_without_call():
    class Empty(Layer):
        pass

    with pytest.raises(NotImplementedError, match="neither `call` nor `lower`"):
        Empty()(X)


def test_lambda():
    layer = Lambda(lambda x, by: x * by, arguments={"by": 3})
    np.testing.assert_array_equal(layer(X), X * 3)
    assert Sequential([Input((4,)), layer]).output_shape == (None, 4)
    with pytest.raises(ValueError, match="no configuration"):
        layer.get_config()


def test_time_distributed_config_and_errors():
    layer = TimeDistributed(Dense(3, name="inner"))
    copy = TimeDistributed.from_config(layer.get_config())
    assert copy.layer.units == 3
    with pytest.raises(ValueError, match=r"\(batch, steps, ...\), got \(None, 5\)"):
        TimeDistributed(Dense(1))(Input((5,)))


def test_time_distributed_over_any_number_of_steps():
    model = Sequential([Input((None, 6, 5, 2)), TimeDistributed(Conv2D(4, 3))])
    assert model.output_shape == (None, None, 4, 3, 4)
    for steps in (1, 3, 2):
        x = np.random.default_rng(steps).normal(size=(7, steps, 6, 5, 2))
        each = [model.layers[0].layer(x[:, step]) for step in range(steps)]
        expected = np.stack(each, axis=1)
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-6)
