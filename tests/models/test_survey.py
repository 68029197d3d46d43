# SPDX-License-Identifier: Apache-2.0
"""Multiply-accumulates and receptive fields in `summary`."""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, gradients, layers, ops
from pronghorn.models.survey import Survey


def text(model, **kwargs):
    lines = []
    model.summary(print_fn=lines.append, **kwargs)
    return lines[0]


def test_the_example_of_the_course():
    model = Sequential([Input((32, 32, 3)), layers.Conv2D(10, 5, padding="same")])
    shown = text(model, show_macs=True, show_receptive_field=True)
    assert "760" in shown
    assert "768,000" in shown
    assert "5 x 5" in shown
    assert "Total MACs: 768,000" in shown


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (layers.Dense(7), (5,), 35),
        (layers.Dense(7), (4, 5), 140),
        (layers.Conv2D(6, 3, strides=2, groups=2), (9, 9, 4), 16 * 9 * 2 * 6),
        (layers.MaxPooling2D(2), (8, 8, 3), 0),
        (layers.Lambda(lambda x: x @ ops.transpose(x, (0, 2, 1))), (4, 5), 80),
        (layers.TimeDistributed(layers.Conv2D(2, 3)), (3, 5, 5, 1), 3 * 9 * 18),
    ],
)
def test_macs(layer, shape, macs):
    model = Sequential([Input(shape), layer])
    assert Survey(model).macs_of(layer) == f"{macs:,}"


def test_shared_and_nested_layers_add_up():
    image = Input((8, 8, 2))
    conv = layers.Conv2D(2, 3, padding="same")
    inner = Model(image, conv(image))
    other = Input((8, 8, 2))
    model = Model(other, inner(inner(other)))
    survey = Survey(model)
    assert survey.macs_of(inner) == survey.macs_of(conv) == f"{2 * 64 * 36:,}"
    assert survey.field_of(inner) == "5 x 5"


def stacks():
    conv, pool = layers.Conv2D, layers.MaxPooling2D
    yield [conv(1, 3), conv(1, 5), pool(2), conv(1, (3, 1), strides=2), conv(1, 2)]
    yield [conv(1, 3, dilation_rate=2), pool(3, strides=2), conv(1, 3)]
    yield [layers.AveragePooling2D((2, 3)), conv(1, 1), conv(1, 2)]


@pytest.mark.parametrize("stack", list(stacks()))
def test_field_is_the_support_of_the_gradient(stack):
    for layer in stack:
        if isinstance(layer, layers.Conv2D):
            layer.kernel_initializer = layers.Conv2D(
                1, 1, kernel_initializer="ones"
            ).kernel_initializer
    stack = [
        layers.AveragePooling2D(one.pool_size, one.strides)
        if isinstance(one, layers.MaxPooling2D)
        else one
        for one in stack
    ]  # a maximum passes its gradient to one pixel only
    model = Sequential([Input((41, 41, 1)), *stack])
    height, width = model.output_shape[1:3]
    gradient = gradients(
        model,
        np.zeros((1, 41, 41, 1)),
        loss=lambda y: y[:, height // 2, width // 2, 0],
    )
    rows, columns = np.nonzero(gradient[0, :, :, 0])
    size = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert Survey(model).field_of(stack[-1]) == f"{size[0]} x {size[1]}"


def test_branches_see_what_the_wider_one_sees():
    image = Input((16, 16, 1))
    x = layers.Conv2D(1, 3, padding="same")(image)
    y = layers.Conv2D(1, 7, padding="same")(image)
    both = ops.add(x, y)
    model = Model(image, layers.GlobalAveragePooling2D()(both))
    survey = Survey(model)
    assert survey.field_of(both.node.layer) == "7 x 7"
    assert survey.field_of(model.layers[-1]) == "all"


def test_open_sizes():
    model = Sequential([Input((None, None, 1)), layers.Conv2D(2, 3)])
    shown = text(model, show_macs=True, show_receptive_field=True)
    assert "3 x 3" in shown
    assert "?" in shown
