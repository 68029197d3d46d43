# SPDX-License-Identifier: Apache-2.0
"""Fusion changes plans, not what they compute: the same models with and without."""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, config, layers, losses, optimizers
from pronghorn.models import gradients
from pronghorn.utils import set_random_seed

SHAPE, CLASSES = (13, 11, 17), 5


def pooled():
    """The gate of a ReLU moves into the max-pool behind it."""
    return Sequential(
        [
            Input(SHAPE),
            layers.Conv2D(19, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(7, 3, padding="same", activation="tanh"),
            layers.Flatten(),
            layers.Dense(9, activation="relu"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def residual():
    """A shortcut: what a ReLU alone reads is no norm, but a sum."""
    image = Input(SHAPE)
    x = layers.Conv2D(17, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Conv2D(17, 3, padding="same")(x))
    x = layers.ReLU()(layers.Add()([x, image]))
    x = layers.GlobalAveragePooling2D()(x)
    return Model(image, layers.Dense(CLASSES, activation="softmax")(x))


def depthwise():
    """What norms write is made once more for the backward pass."""
    return Sequential(
        [
            Input(SHAPE),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(24, 1, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(6, 2, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


# Activations that stay stages of their own with fusion, and without; whether norms are
# made once more (which of them depends on the instruction set's layouts).
ALONE = {
    "pooled": (1, 3, False),
    "residual": (1, 2, False),
    "depthwise": (0, 3, True),
}
NETWORKS = {build.__name__: build for build in (pooled, residual, depthwise)}


@pytest.fixture
def unset(monkeypatch):
    monkeypatch.delenv("PRONGHORN_FUSION", raising=False)
    monkeypatch.setattr(config, "_fusion", None)
    return monkeypatch


def data(samples=23):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(samples, *SHAPE)).astype(np.float32)
    return x, rng.integers(0, CLASSES, samples)


def made(name):
    set_random_seed(3)
    model = NETWORKS[name]()
    loss = losses.SparseCategoricalCrossentropy()
    model.compile(optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_training_agrees_within_rounding(unset, name):
    x, y = data()
    found = []
    for on in (True, False):
        config.set_fusion(on)
        model = made(name)
        history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        found.append(
            [
                np.array([history.history[key] for key in ("loss", "accuracy")]),
                model.predict(x, verbose=0),
                gradients(model, x, loss=1),
                *model.get_weights(),
            ]
        )
    assert found[0][0][0, 1] < found[0][0][0, 0]  # there was something to learn
    for fused, plain in zip(*found, strict=True):
        scale = np.abs(plain).max()
        np.testing.assert_allclose(fused, plain, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_setting_changes_plans_both_ways(unset, name):
    x, y = data(8)
    model = made(name)
    stages = []
    for on in (True, False, True):
        config.set_fusion(on)
        stages.append([row.stage for row in model.profile(x, y, repeats=1)])
    assert stages[0] == stages[2]
    fused, plain = ([one.split(maxsplit=1)[1:] for one in part] for part in stages[:2])
    assert fused.count(["activation forward"]) == ALONE[name][0]
    assert plain.count(["activation forward"]) == ALONE[name][1]
    assert plain.count(["activation backward"]) == ALONE[name][1]
    norms = ["batch_norm forward"]
    assert (fused.count(norms) > plain.count(norms)) == ALONE[name][2]


CLIPPED = {
    "relu6": (lambda: layers.Activation("relu6"), True),
    "low ceiling": (lambda: layers.ReLU(max_value=0.5), True),
    "slope": (lambda: layers.ReLU(max_value=0.5, negative_slope=0.1), False),
    "threshold": (lambda: layers.ReLU(max_value=0.5, threshold=0.2), False),
}


@pytest.mark.parametrize("batch", [3, 16])
@pytest.mark.parametrize("name", CLIPPED)
def test_a_norm_takes_in_a_clipped_relu(unset, name, batch):
    activation, taken = CLIPPED[name]
    x, y = data(batch)
    found = []
    for fused in (True, False):
        config.set_fusion(fused)
        set_random_seed(3)
        model = Sequential(
            [
                Input(SHAPE),
                layers.Conv2D(18, 3, use_bias=False),
                layers.BatchNormalization(gamma_initializer=optimistic),
                activation(),
                layers.GlobalAveragePooling2D(),
                layers.Dense(CLASSES),
            ]
        )
        loss = losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizers.SGD(0.05), loss)
        stages = " ".join(row.stage for row in model.profile(x, y, repeats=1))
        alone = " unary " in stages or " relu " in stages
        assert alone == (not fused or not taken)
        model.fit(x, y, batch_size=batch, epochs=2, verbose=0)
        found.append(
            [model.predict(x, verbose=0), gradients(model, x), *model.get_weights()]
        )
    for fused, plain in zip(*found, strict=True):
        np.testing.assert_allclose(
            fused, plain, rtol=0, atol=2e-5 * np.abs(plain).max()
        )


def optimistic(shape, dtype=None):
    """So large that some outputs reach 6."""
    return np.full(shape, 4, dtype or "float32")


def unread_by_pools(watched=()):
    """Maps of 30, 15, 13 and 6 pixels: the pools need 28, 14, 12 and 6 of them."""
    image = Input((32, 32, 1))
    maps = [layers.Conv2D(4, 3, activation="relu")(image)]
    maps.append(layers.AveragePooling2D()(maps[-1]))
    maps.append(layers.Conv2D(9, 3, activation="tanh")(maps[-1]))
    maps.append(layers.MaxPooling2D()(maps[-1]))
    top = layers.Dense(CLASSES)(layers.Flatten()(maps[-1]))
    return Model(image, [*(maps[number] for number in watched), top])


def test_what_no_pool_reads_is_not_computed(unset):
    x = np.random.default_rng(2).normal(size=(1, 32, 32, 1)).astype(np.float32)
    model = unread_by_pools()
    model.compile(loss=losses.SparseCategoricalCrossentropy(from_logits=True))
    found = []
    for on in (True, False):
        config.set_fusion(on)
        rows = [r for r in model.profile(x, [1], repeats=1) if "conv2d" in r.stage]
        found.append(sum(row.gflops * row.milliseconds * 1e6 for row in rows))
    first, second = 2 * 9 * 4, 2 * 9 * 4 * 9  # of a pixel
    for flops, sides in zip(found, ((28, 12), (30, 13)), strict=True):
        want = 2 * first * sides[0] ** 2 + 3 * second * sides[1] ** 2
        np.testing.assert_allclose(flops, want, rtol=1e-6)


@pytest.mark.parametrize("watched", [(), (0,), (1,), (2, 0), (3,), (0, 1, 2, 3)])
def test_what_is_watched_is_computed(unset, watched):
    x = np.random.default_rng(2).normal(size=(5, 32, 32, 1)).astype(np.float32)
    set_random_seed(3)
    model = unread_by_pools(watched)
    found = []
    for on in (True, False):
        config.set_fusion(on)
        outputs = model.predict(x, verbose=0)
        found.append(outputs if watched else [outputs])
    for number, fused in zip(watched, found[0], strict=False):
        assert fused.shape[1] == (30, 15, 13, 6)[number]
    for fused, plain in zip(*found, strict=True):
        np.testing.assert_allclose(fused, plain, rtol=0, atol=1e-5)


def test_a_norm_is_folded_in_inference_with_fusion_alone(unset):
    x, y = data()
    model = made("residual")
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    found = []
    for on in (True, False):
        config.set_fusion(on)
        found.append(model.predict(x, verbose=0))
    assert not np.array_equal(*found)
    np.testing.assert_allclose(*found, rtol=0, atol=1e-5)


def test_the_environment_sets_what_set_fusion_has_not(unset):
    unset.setenv("PRONGHORN_FUSION", "0")
    assert config.fusion() is False
    config.set_fusion(True)
    assert config.fusion() is True


def test_fusion_is_on_by_default(unset):
    assert config.fusion() is True


def test_what_is_no_setting_is_refused(unset):
    with pytest.raises(TypeError, match="set_fusion: expected True or False, got 1"):
        config.set_fusion(1)
    unset.setenv("PRONGHORN_FUSION", "off")
    with pytest.raises(ValueError, match=r"PRONGHORN_FUSION: expected 0 or 1.*'off'"):
        config.fusion()


SGD = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "clipped": {"clipvalue": 1e-3},
    "clipped by norm": {"global_clipnorm": 1e-3},
    "decays": {"momentum": 0.9, "weight_decay": 0.1},
}


@pytest.mark.parametrize("penalty", [None, "l2"])
@pytest.mark.parametrize("rule", SGD)
def test_one_row_moves_weights_in_the_sweep_backward(unset, rule, penalty):
    x, y = np.random.default_rng(3).normal(size=(2, 4, 37)).astype("float32")
    weights = []
    for fused in (True, False):
        config.set_fusion(fused)
        set_random_seed(5)
        model = Sequential(
            [
                Input((37,)),
                layers.Dense(45, activation="relu", kernel_regularizer=penalty),
                layers.Dense(16, use_bias=False),
                layers.Dense(130),
                layers.Dense(37),
            ]
        )
        model.compile(optimizers.SGD(0.05, **SGD[rule]), loss="mean_squared_error")
        model.fit(x, y, batch_size=1, epochs=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for fused, unfused in zip(*weights, strict=True):
        np.testing.assert_allclose(fused, unfused, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("channels", "batch"), [(96, 4), (331, 20)])
def test_dx_is_of_the_weights_before_they_move(unset, channels, batch):
    """Transformed kernels of a megabyte are made right before dx; dw comes earlier.

    Those of 331 channels in two parts, each with its share of the outputs.
    """
    unset.setattr(config, "_conv_algorithm", None)  # put back behind the test
    rng = np.random.default_rng(6)
    # Whole numbers, and biases of parts of one: no ReLU is so near its bend that
    # rounding decides.
    x = rng.integers(-1, 2, (batch, 12, 12, channels)).astype("float32")
    y = rng.integers(0, channels, batch)
    start = []
    for side, bias in ((1, 0), (3, 0.5), (3, 0.25)):
        few = rng.random((side, side, channels, channels)) < 8 / channels
        start += [few * rng.choice([-1, 1], few.shape), np.full(channels, bias)]
    weights = []
    for algorithm in ("winograd", "direct"):
        config.set_conv_algorithm(algorithm)
        model = Sequential(
            [
                Input((12, 12, channels)),
                layers.Conv2D(channels, 1),
                layers.Conv2D(channels, 3, padding="same", activation="relu"),
                layers.Conv2D(channels, 3, padding="same", activation="relu"),
                layers.GlobalAveragePooling2D(),
            ]
        )
        model.set_weights(start)
        loss = losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizers.SGD(0.1), loss)
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        weights.append(model.get_weights())
    assert all(
        np.abs(new - old).max() > 0.01
        for new, old in zip(weights[0], start, strict=True)
    )
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())
