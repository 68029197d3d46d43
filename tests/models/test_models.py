# SPDX-License-Identifier: Apache-2.0
"""Sequential and functional models: building, graphs, calls."""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, layers


def stack():
    return [layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(2)]


X = np.random.default_rng(1).normal(size=(4, 6, 5, 2)).astype(np.float32)


def test_lenet_of_the_lectures_has_81194_parameters():
    model = Sequential()
    model.add(layers.Conv2D(6, 3, activation="relu", input_shape=(32, 32, 1)))
    model.add(layers.AveragePooling2D())
    model.add(layers.Conv2D(16, 3, activation="relu"))
    model.add(layers.AveragePooling2D())
    model.add(layers.Flatten())
    for units in (120, 84, 10):
        model.add(layers.Dense(units))
    counts = [layer.count_params() for layer in model.layers]
    assert [count for count in counts if count] == [60, 880, 69240, 10164, 850]
    assert model.count_params() == 81194


def test_all_ways_to_give_the_input_shape_agree():
    models = [
        Sequential([Input(X.shape[1:]), *stack()]),
        Sequential([layers.InputLayer(X.shape[1:]), *stack()]),
        Sequential([layers.Conv2D(3, 3, input_shape=X.shape[1:]), *stack()[1:]]),
        Sequential(stack()),
        Sequential(stack()),
    ]
    models[-1].build((None, *X.shape[1:]))
    assert [model.built for model in models] == [True, True, True, False, True]
    results = []
    for model in models:
        model(X)
        model.set_weights([np.full(w.shape, 0.1) for w in model.weights])
        results.append(model.predict(X, verbose=0))
        assert len(model.layers) == 3
        assert model.input_shape == (None, *X.shape[1:])
        assert model.output_shape == (None, 2)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_add_and_pop():
    model = Sequential([Input((4,)), layers.Dense(3)])
    kernel = model.get_weights()[0]
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    assert model.pop().units == 2
    assert model.output_shape == (None, 3)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    model.pop()
    with pytest.raises(ValueError, match="there are none"):
        model.pop()


def test_a_layer_that_does_not_fit_is_not_added():
    model = Sequential([Input((8, 8, 1)), layers.Conv2D(3, 3)])
    with pytest.raises(ValueError, match="Conv2D"):
        model.add(layers.Conv2D(3, 7))
    assert len(model.layers) == 1
    assert model.predict(np.zeros((1, 8, 8, 1)), verbose=0).shape == (1, 6, 6, 3)


def test_a_failed_build_builds_nothing():
    model = Sequential([layers.Conv2D(3, 3), layers.Dense(2), layers.Conv2D(3, 9)])
    with pytest.raises(ValueError, match="Conv2D"):
        model.build((None, 8, 8, 1))
    assert not model.built
    assert [layer.weights for layer in model.layers] == [[], [], []]
    assert all(layer.nodes == [] for layer in model.layers)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sequential([3]), "expected a layer, got 3"),
        (lambda: Sequential([layers.Dense]), "expected a layer"),
        (
            lambda: Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")]),
            "different names",
        ),
        (lambda: Sequential([layers.Dense(1), Input((3,))]), "first"),
        (lambda: Sequential().build((None, 3)), "none to build"),
        (lambda: Model(3, 4), "symbolic tensors"),
        (lambda: Model(Input((3,)), layers.Dense(1)(Input((3,)))), "disconnected"),
        (lambda: Sequential([layers.Dense(1)]).summary and Model([], []), "none"),
    ],
)
def test_wrong_models(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_get_layer():
    model = Sequential([Input((4,)), layers.Dense(3, name="a"), layers.Dense(2)])
    assert model.get_layer("a") is model.layers[0]
    assert model.get_layer(index=1) is model.layers[1]
    for wrong in ({"name": "b"}, {"index": 5}, {}, {"name": "a", "index": 0}):
        with pytest.raises(ValueError, match="get_layer"):
            model.get_layer(**wrong)


def test_functional_model_with_shared_layer_and_feature_maps():
    x = Input((4,), name="x")
    dense = layers.Dense(4, activation="tanh")
    once = dense(x)
    twice = dense(once)
    model = Model(inputs=x, outputs=[once, twice])
    assert type(model).__name__ == "Functional"
    assert isinstance(model, Model)
    assert len(model.weights) == 2
    values = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    first, second = model.predict(values, verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(first, np.tanh(values @ kernel + bias), rtol=1e-5)
    np.testing.assert_allclose(second, np.tanh(first @ kernel + bias), rtol=1e-5)
    inner = Model(once, twice)  # from the middle of another model
    np.testing.assert_allclose(inner.predict(first, verbose=0), second, rtol=1e-6)


def test_models_are_layers():
    inner = Sequential([Input((4,)), layers.Dense(3, name="in")], name="inner")
    outer = Sequential([Input((4,)), inner, layers.Dense(2)])
    assert len(outer.weights) == 4
    assert outer.layers[0] is inner
    values = np.ones((2, 4), np.float32)
    expected = outer.layers[1](inner(values))
    np.testing.assert_allclose(outer(values), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="inner"):
        inner(Input((5,)))


def test_training_false_freezes_dropout_in_a_nested_model():
    inner = Sequential([Input((50,)), layers.Dropout(0.5)])
    x = Input((50,))
    frozen, free = Model(x, inner(x, training=False)), Model(x, inner(x))
    ones = np.ones((2, 50), np.float32)
    assert (frozen(ones, training=True) == 1).all()
    assert (free(ones, training=True) == 0).any()
    assert (free(ones) == 1).all()


def test_input_of_open_size():
    x = Input((None, None, 1))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(x))
    model = Model(x, y)
    for size in (5, 9):
        assert model.predict(np.ones((2, size, size + 1, 1)), verbose=0).shape == (2, 3)
    with pytest.raises(ValueError, match="Conv2D"):
        model.predict(np.ones((2, 2, 2, 1)), verbose=0)


def test_deep_graphs_do_not_exhaust_the_stack():
    x = tensor = Input((2,))
    for _ in range(1500):
        tensor = layers.Activation("relu")(tensor)
    assert len(Model(x, tensor).layers) == 1501
