# SPDX-License-Identifier: Apache-2.0
"""Pooling, upsampling and resizing layers, in both data formats."""

import numpy as np
import pytest

import pronghorn
from pronghorn import Sequential, layers
from pronghorn.testing import arrays, check_layer

FIRST = {"data_format": "channels_first"}

# class, arguments, input, output
CASES = [
    ("MaxPooling1D", {}, (7, 3), (3, 3)),
    ("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, (7, 3), (4, 3)),
    ("MaxPooling2D", {"pool_size": (3, 2), **FIRST}, (3, 7, 6), (3, 2, 3)),
    ("MaxPooling3D", {}, (4, 5, 6, 2), (2, 2, 3, 2)),
    ("MaxPooling3D", {"pool_size": (1, 2, 3), "strides": 1, "padding": "same"},
     (4, 3, 5, 2), (4, 3, 5, 2)),
    ("AveragePooling1D", {}, (7, 3), (3, 3)),
    ("AveragePooling1D", {"pool_size": (3,), "padding": "same", **FIRST},
     (2, 7), (2, 3)),
    ("AveragePooling2D", {"pool_size": 2, **FIRST}, (3, 7, 6), (3, 3, 3)),
    ("AveragePooling3D", {"padding": "same"}, (3, 5, 6, 2), (2, 3, 3, 2)),
    ("AveragePooling3D", FIRST, (2, 4, 5, 6), (2, 2, 2, 3)),
    ("GlobalMaxPooling1D", {}, (7, 3), (3,)),
    ("GlobalMaxPooling1D", {"keepdims": True, **FIRST}, (3, 7), (3, 1)),
    ("GlobalMaxPooling2D", {}, (5, 4, 3), (3,)),
    ("GlobalMaxPooling2D", {"keepdims": True}, (5, 4, 3), (1, 1, 3)),
    ("GlobalMaxPooling3D", {}, (5, 4, 2, 3), (3,)),
    ("GlobalMaxPooling3D", FIRST, (5, 4, 2, 3), (5,)),
    ("GlobalAveragePooling1D", {}, (7, 3), (3,)),
    ("GlobalAveragePooling1D", FIRST, (7, 3), (7,)),
    ("GlobalAveragePooling2D", {"keepdims": True, **FIRST}, (5, 4, 3), (5, 1, 1)),
    ("GlobalAveragePooling3D", {}, (5, 4, 2, 3), (3,)),
    ("GlobalAveragePooling3D", {"keepdims": True}, (5, 4, 2, 3), (1, 1, 1, 3)),
    ("AdaptiveMaxPooling1D", {"output_size": 4}, (7, 3), (4, 3)),
    ("AdaptiveMaxPooling2D", {"output_size": (2, 5)}, (7, 6, 3), (2, 5, 3)),
    ("AdaptiveMaxPooling3D", {"output_size": (2, 1, 3), **FIRST},
     (3, 4, 5, 6), (3, 2, 1, 3)),
    ("AdaptiveAveragePooling1D", {"output_size": (4,), **FIRST}, (3, 7), (3, 4)),
    ("AdaptiveAveragePooling2D", {"output_size": 3}, (7, 6, 3), (3, 3, 3)),
    ("AdaptiveAveragePooling3D", {"output_size": 2}, (4, 5, 3, 2), (2, 2, 2, 2)),
    ("UpSampling1D", {}, (4, 3), (8, 3)),
    ("UpSampling2D", {}, (4, 3, 2), (8, 6, 2)),
    ("UpSampling2D", {"size": (1, 3), "interpolation": "bicubic"},
     (4, 3, 2), (4, 9, 2)),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear", **FIRST},
     (2, 4, 3), (2, 8, 6)),
    ("UpSampling3D", {}, (2, 3, 2, 2), (4, 6, 4, 2)),
    ("UpSampling3D", {"size": (1, 2, 3), **FIRST}, (2, 2, 3, 2), (2, 2, 6, 6)),
    ("Resizing", {"height": 3, "width": 9}, (6, 5, 2), (3, 9, 2)),
    ("Resizing", {"height": 4, "width": 3, "interpolation": "lanczos3",
                  "pad_to_aspect_ratio": True, "fill_value": 2, "antialias": True},
     (6, 9, 2), (4, 3, 2)),
    ("Resizing", {"height": 4, "width": 3, "interpolation": "nearest",
                  "crop_to_aspect_ratio": True, **FIRST}, (2, 6, 9), (2, 4, 3)),
    ("Flatten", {"data_format": "channels_first"}, (2, 3, 4), (24,)),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(CASES)]
)
def test_layer(case):
    name, kwargs, input_shape, output_shape = case
    check_layer(
        getattr(layers, name),
        kwargs,
        input_shape=input_shape,
        output_shape=output_shape,
        parameters=0,
    )


FORMATS = [case for case in CASES if case[0] not in ("UpSampling1D", "Flatten")]


@pytest.mark.parametrize(
    "case", FORMATS, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(FORMATS)]
)
def test_formats_are_transposed(case):
    name, kwargs, shape, _ = case
    if kwargs.get("data_format") == "channels_first":
        shape = (*shape[1:], shape[0])
    make = getattr(layers, name)
    x = arrays.normal(1, 5, *shape)
    last = make(**{**kwargs, "data_format": "channels_last"})(x)
    first = make(**{**kwargs, **FIRST})(np.moveaxis(x, -1, 1))
    moved = np.moveaxis(last, -1, 1) if last.ndim > 2 else last
    np.testing.assert_array_equal(first, moved)


def test_flatten_moves_channels_last():
    x = arrays.normal(1, 3, 2, 4, 5)
    y = layers.Flatten("channels_first")(x)
    np.testing.assert_array_equal(y, np.moveaxis(x, 1, -1).reshape(3, -1))
    np.testing.assert_array_equal(layers.Flatten("channels_first")(y), y)


def test_default_format_is_the_configured_one():
    before = pronghorn.config.image_data_format()
    try:
        pronghorn.config.set_image_data_format("channels_first")
        layer = layers.MaxPooling2D()
        assert layer.data_format == "channels_first"
        assert layer(np.zeros((1, 3, 4, 6))).shape == (1, 3, 2, 3)
        assert layers.MaxPooling2D(data_format="channels_last")(
            np.zeros((1, 4, 6, 3))
        ).shape == (1, 2, 3, 3)
    finally:
        pronghorn.config.set_image_data_format(before)
    assert layer.data_format == "channels_first"
    assert layers.Flatten().data_format == before


@pytest.mark.parametrize("value", ["channels_middle", None, 3])
def test_wrong_format_is_refused(value):
    with pytest.raises(ValueError, match="expected one of channels_last"):
        pronghorn.config.set_image_data_format(value)
    assert pronghorn.config.image_data_format() == "channels_last"


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.MaxPooling2D(), (None, None, None, 3), (None, None, None, 3)),
        (layers.MaxPooling3D(), (None, 8, None, 6, 3), (None, 4, None, 3, 3)),
        (layers.GlobalMaxPooling3D(), (None, None, None, None, 3), (None, 3)),
        (layers.AdaptiveMaxPooling2D(3), (None, None, None, 2), (None, 3, 3, 2)),
        (layers.UpSampling2D(3), (None, None, 5, 2), (None, None, 15, 2)),
        (
            layers.UpSampling2D((2, 1), interpolation="bilinear"),
            (None, 4, None, 2),
            (None, 8, None, 2),
        ),
        (layers.Resizing(5, 4), (None, None, None, 2), (None, 5, 4, 2)),
        (layers.MaxPooling1D(2, data_format="channels_first"), (7, 3, 8), (7, 3, 4)),
    ],
)
def test_open_sizes(layer, shape, expected):
    assert layer.compute_output_shape(shape) == expected


WRONG = [
    (lambda: layers.MaxPooling1D((2, 2)), "`pool_size`.*1 of them"),
    (lambda: layers.MaxPooling3D(strides=0), "`strides`.*got 0"),
    (lambda: layers.MaxPooling3D(padding="causal"), "'causal'"),
    (lambda: layers.AveragePooling2D(2, data_format="last"), "channels_last.*'last'"),
    (lambda: layers.AdaptiveMaxPooling2D((2, 0)), "`output_size`.*got 0"),
    (lambda: layers.AdaptiveAveragePooling3D((2, 3)), "`output_size`.*3 of them"),
    (lambda: layers.UpSampling1D(0), "`size`.*got 0"),
    (lambda: layers.UpSampling1D((2,)), "`size`"),
    (lambda: layers.UpSampling2D(interpolation="area"), "bilinear.*'area'"),
    (lambda: layers.Resizing(0, 3), "`height`.*got 0"),
    (lambda: layers.Resizing(2, 3, fill_mode="reflect"), "`fill_mode`.*'reflect'"),
    (lambda: layers.Resizing(2, 3, fill_value=float("inf")), "`fill_value`.*inf"),
    (
        lambda: layers.Resizing(
            2, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True
        ),
        "at most one",
    ),
    (lambda: layers.MaxPooling1D()(np.zeros((2, 8, 8, 3))), "3-D input.*steps"),
    (
        lambda: layers.UpSampling3D(**FIRST)(np.zeros((2, 8, 8, 3))),
        "5-D input .batch, channels, depth.*2|got",
    ),
    (lambda: layers.MaxPooling3D(3)(np.zeros((2, 8, 2, 8, 3))), "MaxPooling3D.*window"),
]


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_wrong_arguments(case):
    call, complaint = WRONG[case]
    with pytest.raises(ValueError, match=complaint):
        call()


def test_a_stack_in_channels_first_learns_what_channels_last_does():
    x, y = arrays.normal(1, 20, 8, 6, 3), arrays.normal(2, 20, 2)
    losses = []
    for data_format in ("channels_last", "channels_first"):
        stack = [
            layers.MaxPooling2D(data_format=data_format),
            layers.UpSampling2D(data_format=data_format, interpolation="bilinear"),
            layers.GlobalAveragePooling2D(data_format=data_format),
            layers.Dense(2, kernel_initializer="ones"),
        ]
        inputs = x if data_format == "channels_last" else np.moveaxis(x, -1, 1)
        model = Sequential([layers.Input(inputs.shape[1:]), *stack])
        model.compile("sgd", "mse")
        history = model.fit(inputs, y, epochs=3, shuffle=False, verbose=0).history
        losses.append(history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
