# SPDX-License-Identifier: Apache-2.0
"""Plans upsample as late as they can, or not at all, and average as early.

What convolves copies of cells becomes a transposed convolution by sums of its taps, and
what mixes channels cell by cell changes places with what mixes cells.
"""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, config, constraints, layers, optimizers
from pronghorn.models import gradients
from pronghorn.utils import set_random_seed

UP, BILINEAR = "upsample_nearest forward", "resize2d forward"


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.delenv("PRONGHORN_FUSION", raising=False)
    monkeypatch.setattr(config, "_fusion", None)


def data(model, batch):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(batch, *model.input_shape[1:])).astype(np.float32)
    shapes = model.output_shape
    shapes = shapes if isinstance(shapes, list) else [shapes]
    y = [rng.normal(size=(batch, *s[1:])).astype(np.float32) for s in shapes]
    return x, y if len(y) > 1 else y[0]


def both_ways(build, batch, optimizer=lambda: optimizers.SGD(0.05, momentum=0.9)):
    """Stages with fusion; and predictions, gradients and trained weights, both ways."""
    found = []
    for fused in (True, False):
        config.set_fusion(fused)
        set_random_seed(3)
        model = build()
        model.compile(optimizer(), "mse")
        x, y = data(model, batch)
        outputs = model.predict(x, batch_size=batch, verbose=0)
        row = [*(outputs if isinstance(outputs, list) else [outputs])]
        row.append(gradients(model, x, loss=1) if len(row) == 1 else x)
        model.fit(x, y, batch_size=batch, epochs=2, verbose=0)
        row += model.get_weights()
        stages = [row.stage for row in model.profile(x, y, repeats=1)]
        found.append((stages, row))
    for fused, plain in zip(found[0][1], found[1][1], strict=True):
        scale = max(np.abs(plain).max(), 1e-2)
        np.testing.assert_allclose(fused, plain, rtol=0, atol=1e-4 * scale)
    return found[0][0], found[1][0]


def names(stages):
    """Ops of forward stages by name, without the layers' labels."""
    return [" ".join(one.split()[-2:]) for one in stages if one.endswith("forward")]


def decoder(shape, build):
    """Something before whose gradient shows, and something behind that reads it."""
    axes = len(shape) - 1
    first = getattr(layers, f"Conv{axes}D")(shape[-1] + 3, 3, padding="same")
    return Sequential([Input(shape), first, *build(), layers.Dense(3)])


# Layers, the shape of an image, the batch.
REPEATED = {
    "3 x 3": (
        lambda: (
            layers.UpSampling2D(2),
            layers.Conv2D(21, 3, padding="same", activation="relu"),
        ),
        (9, 11, 14),
        7,
    ),
    "2 x 2": (
        lambda: (
            layers.UpSampling2D(2),
            layers.Conv2D(21, 2, padding="same", activation="relu"),
        ),
        (15, 17, 18),
        7,
    ),
    "valid, a factor by axis, no bias": (
        lambda: (layers.UpSampling2D((2, 3)), layers.Conv2D(6, (5, 3), use_bias=False)),
        (8, 13, 5),
        6,
    ),
    "one axis": (
        lambda: (layers.UpSampling2D((1, 4)), layers.Conv2D(9, (1, 5), padding="same")),
        (17, 9, 4),
        5,
    ),
    "an even kernel": (
        lambda: (layers.UpSampling2D(3), layers.Conv2D(17, 4, padding="same")),
        (11, 10, 17),
        9,
    ),
    "to one channel": (
        lambda: (layers.UpSampling2D(2), layers.Conv2D(1, 3, padding="same")),
        (16, 16, 33),
        3,
    ),
    "steps, causal": (
        lambda: (
            layers.UpSampling1D(2),
            layers.Conv1D(19, 5, padding="causal", activation="relu"),
        ),
        (57, 18),
        11,
    ),
    "a volume": (
        lambda: (layers.UpSampling3D(2), layers.Conv3D(7, 3, padding="same")),
        (5, 6, 7, 3),
        4,
    ),
    "twice": (
        lambda: (
            layers.UpSampling2D(2),
            layers.Conv2D(17, 3, padding="same", activation="relu"),
            layers.UpSampling2D(2),
            layers.Conv2D(5, 3, padding="same", activation="tanh"),
        ),
        (8, 8, 18),
        10,
    ),
    "a norm behind": (
        lambda: (
            layers.UpSampling2D(2),
            layers.Conv2D(20, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
        ),
        (9, 11, 14),
        7,
    ),
}


@pytest.mark.parametrize("name", REPEATED)
def test_copies_are_not_convolved(name):
    build, shape, batch = REPEATED[name]
    fused, plain = both_ways(lambda: decoder(shape, build), batch)
    assert names(plain).count(UP) == names(fused).count("fold forward") > 0
    assert UP not in names(fused)


def test_less_is_computed():
    found = []
    for fused in (True, False):
        config.set_fusion(fused)
        parts = layers.UpSampling2D(2), layers.Conv2D(8, 5, padding="same")
        model = Sequential([Input((12, 12, 4)), *parts])
        model.compile(loss="mse")
        rows = model.profile(*data(model, 8), repeats=1)
        found.append(sum(row.gflops * row.milliseconds * 1e6 for row in rows))
    pixels, pair = 8 * 12 * 12, 2 * 4 * 8  # of x, and of channels
    for flops, taps in zip(found, (6 * 6, 4 * 5 * 5), strict=True):
        np.testing.assert_allclose(flops, 2 * taps * pixels * pair, rtol=1e-6)


# What is left as it is: layers, image, batch.
KEPT = {
    "few pixels": (
        lambda: (layers.UpSampling2D(2), layers.Conv2D(21, 3, padding="same")),
        (4, 4, 16),
        5,
    ),
    "few pixels for two taps": (
        lambda: (layers.UpSampling2D(2), layers.Conv2D(21, 2, padding="same")),
        (13, 14, 16),
        7,
    ),
    "so many copies that the kernel would be 11 times as large": (
        lambda: (layers.UpSampling2D(8), layers.Conv2D(2, 3)),
        (13, 12, 2),
        4,
    ),
    "strides": (
        lambda: (layers.UpSampling2D(2), layers.Conv2D(9, 5, strides=3)),
        (16, 16, 5),
        4,
    ),
    "dilation": (
        lambda: (layers.UpSampling2D(2), layers.Conv2D(9, 3, dilation_rate=2)),
        (16, 16, 5),
        4,
    ),
    "groups": (
        lambda: (layers.UpSampling2D(2), layers.Conv2D(8, 3, groups=2)),
        (16, 16, 5),
        4,
    ),
    "depthwise": (
        lambda: (layers.UpSampling2D(2), layers.DepthwiseConv2D(3)),
        (16, 16, 5),
        4,
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_would_not_win_is_left(name):
    build, shape, batch = KEPT[name]
    fused, _ = both_ways(lambda: decoder(shape, build), batch)
    assert names(fused).count(UP) == 1
    assert "fold forward" not in names(fused)


# Layers; ops in the order of the plan, with fusion.
SWAPPED = {
    "copies, behind a ReLU too": (
        lambda: (layers.UpSampling2D(2), layers.Conv2D(21, 1, activation="relu")),
        ["conv2d forward", UP],
    ),
    "means": (
        lambda: (
            layers.UpSampling2D((4, 2), interpolation="bilinear"),
            layers.Conv2D(5, 1, activation="softmax"),
        ),
        ["conv2d forward", BILINEAR, "softmax forward"],
    ),
    "means, not behind a ReLU": (
        lambda: (
            layers.UpSampling2D(3, interpolation="bicubic"),
            layers.Conv2D(5, 1, activation="relu"),
        ),
        [BILINEAR, "conv2d forward"],
    ),
    "groups": (
        lambda: (layers.UpSampling2D(2), layers.Conv2D(8, 1, groups=2)),
        ["conv2d forward", UP],
    ),
    "a dense layer": (
        lambda: (layers.Resizing(20, 31), layers.Dense(6)),
        ["dense forward", BILINEAR],
    ),
    "behind two": (
        lambda: (layers.UpSampling2D(2), layers.Conv2D(21, 1), layers.Dense(6)),
        ["conv2d forward", "dense forward", UP],
    ),
    "pooled": (
        lambda: (layers.Conv2D(5, 1), layers.AveragePooling2D(2)),
        ["average_pool2d forward", "conv2d forward"],
    ),
    "pooled before two, with padding": (
        lambda: (
            layers.Dense(19),
            layers.Conv2D(7, 1),
            layers.AveragePooling2D(3, padding="same"),
        ),
        ["average_pool2d forward", "dense forward", "conv2d forward"],
    ),
    "pooled, not before a ReLU": (
        lambda: (layers.Conv2D(5, 1, activation="relu"), layers.AveragePooling2D(2)),
        ["conv2d forward", "average_pool2d forward"],
    ),
    "pooled to a size": (
        lambda: (layers.Conv2D(5, 1), layers.AdaptiveAveragePooling2D(4)),
        ["adaptive_average_pool forward", "conv2d forward"],
    ),
    "a pool that leaves as many cells": (
        lambda: (layers.Conv2D(5, 1), layers.AveragePooling2D(3, 1, padding="same")),
        ["conv2d forward", "average_pool2d forward"],
    ),
    "the largest is not the mean": (
        lambda: (layers.Conv2D(5, 1), layers.MaxPooling2D(2)),
        ["conv2d forward", "max_pool2d forward"],
    ),
    "a larger kernel": (
        lambda: (layers.Conv2D(5, 3), layers.AveragePooling2D(2)),
        ["conv2d forward", "average_pool2d forward"],
    ),
}


@pytest.mark.parametrize("name", SWAPPED)
def test_the_op_that_leaves_fewer_cells_comes_first(name):
    build, want = SWAPPED[name]

    def model():
        first = layers.Conv2D(8, 3, activation="relu")
        last = layers.MaxPooling2D(2, name="last")  # whatever op there is behind
        return Sequential([Input((12, 15, 3)), first, *build(), last])

    fused, _ = both_ways(model, 3)
    ops = [one for one in names(fused) if not one.startswith(("to_", "from_"))]
    begin = ops.index("conv2d forward") + 1
    assert ops[begin : begin + len(want)] == want


def test_what_is_watched_or_read_twice_is_computed():
    def model():
        image = Input((10, 10, 16))
        maps = layers.Conv2D(16, 3, padding="same")(image)
        large = layers.UpSampling2D(2)(maps)
        one = layers.Conv2D(5, 1)(large)
        three = layers.Conv2D(5, 3, padding="same")(large)
        return Model(image, [large, layers.Add()([one, three])])

    fused, _ = both_ways(model, 7)
    assert names(fused).count(UP) == 1
    assert names(fused).count("fold forward") == 1


def test_a_kernel_is_shared_with_maps_that_are_not_repeated():
    def model():
        image = Input((10, 10, 16))
        shared = layers.Conv2D(16, 3, padding="same")
        x = layers.MaxPooling2D(2)(shared(image))
        x = shared(layers.UpSampling2D(2)(x))
        return Model(image, layers.Add()([x, shared(image)]))

    fused, _ = both_ways(model, 25)
    assert names(fused).count("fold forward") == 1


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.SGD(0.1, global_clipnorm=1e-2),
        lambda: optimizers.AdamW(1e-3, weight_decay=0.1),
    ],
)
def test_rules_hold_of_the_kernel_itself(optimizer):
    def model():
        x = layers.Conv2D(
            18,
            3,
            padding="same",
            kernel_regularizer="l2",
            kernel_constraint=constraints.MaxNorm(0.5),
        )
        frozen = layers.Conv2D(4, 3, padding="same", trainable=False)
        up = layers.UpSampling2D(2), layers.UpSampling2D(2)
        return Sequential([Input((10, 10, 3)), up[0], x, up[1], frozen])

    fused, _ = both_ways(model, 7, optimizer)
    assert names(fused).count("fold forward") == 2
