# SPDX-License-Identifier: Apache-2.0
"""`model.summary()` character for character as Keras prints it."""

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras")


def lenet(api):
    layers = api.layers
    return api.Sequential(
        [
            layers.Input((32, 32, 1)),
            layers.Conv2D(6, 3, activation="relu", name="c1"),
            layers.AveragePooling2D(2, name="p1"),
            layers.Conv2D(16, 3, activation="relu", name="c2"),
            layers.MaxPooling2D(2, name="p2"),
            layers.Dropout(0.5, name="a_dropout_with_a_name_that_is_far_too_long"),
            layers.Flatten(name="f"),
            layers.Dense(10, name="d"),
        ],
        name="lenet",
    )


def unbuilt(api):
    return api.Sequential([api.layers.Conv2D(4, 3, name="c")], name="unbuilt")


def nested(api):
    layers = api.layers
    inner = [layers.Input((8, 8, 3)), layers.Conv2D(4, 3, name="c")]
    return api.Sequential(
        [
            layers.Input((8, 8, 3)),
            api.Sequential(inner, name="inner"),
            layers.GlobalAveragePooling2D(name="g"),
        ],
        name="outer",
    )


def chain(api):
    image = api.Input((8, 8, 3), name="image")
    x = api.layers.Conv2D(4, 3, name="c")(image)
    return api.Model(image, api.layers.Softmax(name="s")(x), name="chain")


def branched(api):
    layers = api.layers
    image = api.Input((8, 8, 3), name="image")
    left = layers.Conv2D(4, 3, name="left_with_a_long_name")(image)
    right = layers.Conv2D(4, 3, name="right")(image)
    shared = layers.Dense(5, name="shared")
    one = shared(layers.Flatten(name="flatten_left")(left))
    two = shared(layers.Flatten(name="flatten_right")(right))
    return api.Model(image, [one, layers.ReLU(name="relu")(two)], name="branched")


def two_outputs_of_a_chain(api):
    image = api.Input((6,), name="image")
    x = api.layers.Dense(4, name="x")(image)
    y = api.layers.Dense(3, name="y")(x)
    return api.Model(image, [x, y], name="two_outputs")


def frozen(api):
    model = lenet(api)
    model.layers[0].trainable = False
    return model


def trained(api):
    model = nested(api)
    model.compile("adam", "mean_squared_error")
    model.fit(np.zeros((4, 8, 8, 3)), np.zeros((4, 4)), verbose=0)
    return model


@pytest.mark.parametrize("columns", [60, 80, 150])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"line_length": 55},
        {"show_trainable": True, "expand_nested": True},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "make",
    [
        lenet,
        unbuilt,
        nested,
        chain,
        branched,
        two_outputs_of_a_chain,
        frozen,
        trained,
    ],
)
def test_summary(make, arguments, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    ours, theirs = [], []
    make(pronghorn).summary(print_fn=ours.append, **arguments)
    make(keras).summary(print_fn=theirs.append, **arguments)
    assert "".join(ours) == "".join(theirs)
