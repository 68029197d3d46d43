# SPDX-License-Identifier: Apache-2.0
"""Models that are classes of one's own: built by data, trained, saved."""

import h5py
import numpy as np
import pytest

from pronghorn import Model, Sequential, layers, ops
from pronghorn.testing import arrays

X = arrays.normal(1, 24, 6, 6, 2).astype(np.float32)
Y = arrays.normal(2, 24, 3).astype(np.float32)


class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convs = [layers.Conv2D(2, 3, padding="same") for _ in range(2)]

    def call(self, inputs):
        x = inputs
        for conv in self.convs:
            x = ops.relu(conv(x)) + inputs
        return x


class Net(Model):
    def __init__(self):
        super().__init__()
        self.zed = Block()
        self.drop = layers.Dropout(0.3)
        self.flat = layers.Flatten()
        self.heads = [layers.Dense(5, activation="tanh"), layers.Dense(3)]

    def call(self, inputs, training=False):
        x = self.drop(self.flat(self.zed(inputs)), training=training)
        for head in self.heads:
            x = head(x)
        return x


def test_fit_builds_and_learns():
    model = Net()
    assert not model.built
    with pytest.raises(AttributeError, match="no inputs and outputs"):
        _ = model.inputs
    model.compile("adam", "mse")
    losses = model.fit(X, Y, epochs=30, batch_size=7, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.predict(X, verbose=0).shape == (24, 3)
    np.testing.assert_allclose(
        model(X), model.predict(X, verbose=0), rtol=1e-4, atol=1e-5
    )
    assert [layer.name for layer in model.layers] == [
        one.name for one in (model.zed, model.drop, model.flat, *model.heads)
    ]


def test_build_by_shape_then_load(tmp_path):
    model = Net()
    model.build((None, 6, 6, 2))
    path = tmp_path / "net.weights.h5"
    model.save_weights(path)
    with h5py.File(path) as file:
        names = set()
        file.visit(names.add)
    assert "layers/block/convs/conv2d_1/vars/0" in names
    assert "heads/dense_1/vars/1" in names
    assert not any(name.startswith("zed") for name in names)
    other = Net()
    other.build((None, 6, 6, 2))
    other.load_weights(path)
    np.testing.assert_array_equal(model(X), other(X))


def test_summary_of_a_subclass():
    lines = []
    model = Net()
    model.summary(print_fn=lines.append)
    assert "?" in lines[0]
    model.build((None, 6, 6, 2))
    model.summary(print_fn=lines.append, show_macs=True)
    assert "(None, 72)" in lines[1]
    assert f"{2 * 36 * 36 + 72 * 5 + 15:,}" in lines[1]


def test_several_inputs_by_name_and_outputs():
    class Two(Model):
        def __init__(self):
            super().__init__()
            self.a = layers.Dense(2)
            self.b = layers.Dense(1)

        def call(self, inputs):
            x = self.a(inputs["x"])
            return x, self.b(ops.concatenate([x, inputs["y"]], axis=-1))

    data = {"x": arrays.normal(1, 9, 4), "y": arrays.normal(2, 9, 3)}
    targets = [np.zeros((9, 2)), np.zeros((9, 1))]
    model = Two()
    model.compile("sgd", "mse", loss_weights=[1.0, 0.5])
    logs = model.fit(data, targets, epochs=2, verbose=0).history
    assert set(logs) == {"loss", "output_1_loss", "output_2_loss"}
    first, second = model.predict(data, verbose=0)
    assert first.shape == (9, 2)
    assert second.shape == (9, 1)


def test_as_a_layer_of_another_model():
    inner = Net()
    model = Sequential([layers.Input((6, 6, 2)), inner, layers.Dense(1)])
    assert model.output_shape == (None, 1)
    np.testing.assert_allclose(
        model.predict(X, verbose=0),
        model.layers[1](inner.predict(X, verbose=0)),
        rtol=1e-4,
        atol=1e-5,
    )


def test_functional_in_a_class():
    class Classic(Model):
        def __init__(self):
            image = layers.Input((4,))
            super().__init__(image, layers.Dense(3)(image))

    model = Classic()
    assert model.count_params() == 15
    assert model.predict(np.zeros((2, 4)), verbose=0).shape == (2, 3)


def test_images_of_several_sizes():
    class Any(Model):
        def __init__(self):
            super().__init__()
            self.conv = layers.Conv2D(3, 3)

        def call(self, inputs):
            return ops.mean(self.conv(inputs), axis=(1, 2))

    model = Any()
    for size in (6, 9):
        assert model.predict(np.zeros((2, size, size, 1)), verbose=0).shape == (2, 3)
