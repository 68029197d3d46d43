# SPDX-License-Identifier: Apache-2.0
"""Convolutions of all kinds keep the promises of check_layer, and refuse nonsense."""

import numpy as np
import pytest

from pronghorn import layers
from pronghorn.testing import check_layer

# class, arguments, input, output, parameters
CASES = [
    ("Conv1D", {"filters": 6, "kernel_size": 3}, (12, 5), (10, 6), 96),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal",
                "dilation_rate": 2, "activation": "relu"}, (9, 3), (9, 4), 40),
    ("Conv1D", {"filters": 4, "kernel_size": 2, "padding": (2, 1), "strides": 2,
                "data_format": "channels_first"}, (3, 9), (4, 6), 28),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2,
                "padding": ((1, 2), (0, 3))}, (7, 6, 3), (4, 4, 4), 112),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": 1,
                "data_format": "channels_first", "activation": "softmax"},
     (3, 7, 6), (4, 7, 6), 112),
    ("Conv3D", {"filters": 4, "kernel_size": (2, 3, 1)}, (4, 5, 6, 3),
     (3, 3, 6, 4), 76),
    ("Conv3D", {"filters": 4, "kernel_size": 3, "padding": "same", "groups": 2,
                "data_format": "channels_first"}, (2, 3, 4, 5), (4, 3, 4, 5), 112),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, (5, 4),
     (11, 3), 39),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "strides": 2,
                         "activation": "relu"}, (4, 5, 6), (8, 10, 3), 75),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2,
                         "padding": "same", "output_padding": 1,
                         "data_format": "channels_first"},
     (6, 4, 5), (3, 8, 10), 165),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 4, "strides": 2,
                         "padding": ((1, 1), (1, 1))}, (4, 5, 2), (8, 10, 3), 99),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2},
     (2, 3, 2, 3), (4, 6, 4, 2), 50),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, (8, 5),
     (6, 10), 40),
    ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "strides": 2},
     (7, 6, 5), (4, 3, 5), 50),
    ("DepthwiseConv2D", {"kernel_size": 3, "data_format": "channels_first"},
     (4, 7, 6), (4, 5, 4), 40),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3}, (8, 5), (6, 4), 39),
    ("SeparableConv2D", {"filters": 4, "kernel_size": 3, "depth_multiplier": 2,
                         "padding": "same", "activation": "relu"},
     (6, 7, 3), (6, 7, 4), 82),
    ("LocallyConnected1D", {"filters": 4, "kernel_size": 3, "strides": 2}, (9, 2),
     (4, 4), 112),
    ("LocallyConnected2D", {"filters": 3, "kernel_size": 2}, (4, 5, 2),
     (3, 4, 3), 324),
    ("LocallyConnected2D", {"filters": 3, "kernel_size": (2, 3), "use_bias": False,
                            "data_format": "channels_first"}, (2, 4, 5),
     (3, 3, 3), 324),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(CASES)]
)
def test_layer(case):
    name, kwargs, input_shape, output_shape, parameters = case
    check_layer(
        getattr(layers, name),
        kwargs,
        input_shape=input_shape,
        output_shape=output_shape,
        parameters=parameters,
    )


WRONG = [
    ("Conv1D", {"filters": 2, "kernel_size": (3, 3)}, "kernel_size"),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "padding": "causal"}, "padding"),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "padding": ((1, -1), (0, 0))},
     "padding"),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "padding": (1, 2, 3)}, "padding"),
    ("Conv3D", {"filters": 3, "kernel_size": 3, "groups": 2}, "groups"),
    ("Conv3D", {"filters": 3, "kernel_size": 3, "strides": 2, "dilation_rate": 2},
     "strides"),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "output_padding": 1},
     "output_padding"),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 0},
     "depth_multiplier"),
    ("SeparableConv2D", {"filters": 0, "kernel_size": 3}, "filters"),
    ("LocallyConnected2D", {"filters": 2, "kernel_size": 3, "padding": "same"},
     "padding"),
    ("LocallyConnected1D", {"filters": 2, "kernel_size": 3, "implementation": 2},
     "implementation"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs", "complaint"), WRONG)
def test_wrong_arguments(name, kwargs, complaint):
    with pytest.raises(ValueError, match=rf"\({name}\).*{complaint}"):
        getattr(layers, name)(**kwargs)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv1D(2, 5), (1, 4, 3)),
        (layers.Conv3D(2, 3), (1, 4, 4, 3)),
        (layers.Conv2D(2, 3, groups=2), (1, 4, 4, 3)),
        (layers.DepthwiseConv2D(5), (1, 4, 4, 3)),
        (layers.LocallyConnected2D(2, 5), (1, 4, 4, 3)),
        (layers.Conv2DTranspose(2, 2, padding=9), (1, 4, 4, 3)),
    ],
)
def test_inputs_that_do_not_fit(layer, shape):
    with pytest.raises(ValueError, match=f"'{layer.name}'"):
        layer(np.ones(shape))


def test_causal_outputs_see_no_later_step():
    x = np.random.default_rng(0).normal(size=(1, 9, 2))
    layer = layers.Conv1D(3, 3, padding="causal", dilation_rate=2)
    y = layer(x)
    x[:, 5:] += 1
    changed = np.any(layer(x) != y, axis=(0, 2))
    assert changed.tolist() == [False] * 5 + [True] * 4


def test_transposing_is_the_gradient_of_convolving():
    """<conv(x), z> == <x, transpose(z)> for the same kernel."""
    rng = np.random.default_rng(0)
    forward = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)
    back = layers.Conv2DTranspose(3, 3, strides=2, padding="same", use_bias=False)
    x, z = rng.normal(size=(2, 8, 6, 3)), rng.normal(size=(2, 4, 3, 4))
    y = forward(x)
    back.build(z.shape)
    back.set_weights(forward.get_weights())
    assert np.vdot(y, z) == pytest.approx(np.vdot(x, back(z)), rel=1e-4)
