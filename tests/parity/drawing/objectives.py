# SPDX-License-Identifier: Apache-2.0
"""Losses with the head and targets they need, optimizers, and metrics."""

import numpy as np

from drawing.choices import number, pick

REDUCTIONS = [
    "sum_over_batch_size",
    "sum_over_batch_size",
    "sum",
    "mean_with_sample_weight",
]


def _head(rng, from_logits, squash):
    return pick(rng, [None, "linear"]) if from_logits else squash


def sparse_categorical_crossentropy(rng):
    from_logits = bool(rng.random() < 0.5)
    return {
        "loss": ("SparseCategoricalCrossentropy", {"from_logits": from_logits}),
        "units": number(rng, 2, 12),
        "activation": _head(rng, from_logits, "softmax"),
        "target": pick(rng, ["labels", "labels", "column of labels", "float labels"]),
    }


def categorical_crossentropy(rng):
    from_logits = bool(rng.random() < 0.5)
    smoothing = pick(rng, [0.0, 0.1, 0.3])
    arguments = {"from_logits": from_logits, "label_smoothing": smoothing}
    return {
        "loss": ("CategoricalCrossentropy", arguments),
        "units": number(rng, 2, 12),
        "activation": _head(rng, from_logits, "softmax"),
        "target": pick(rng, ["one hot", "distribution"]),
    }


def binary_crossentropy(rng):
    from_logits = bool(rng.random() < 0.5)
    smoothing = pick(rng, [0.0, 0.1, 0.3])
    arguments = {"from_logits": from_logits, "label_smoothing": smoothing}
    return {
        "loss": ("BinaryCrossentropy", arguments),
        "units": number(rng, 1, 5),
        "activation": _head(rng, from_logits, "sigmoid"),
        "target": "bits",
    }


def regression(rng, name):
    return {
        "loss": (name, {}),
        "units": number(rng, 1, 6),
        "activation": pick(rng, [None, "tanh", "sigmoid"]),
        "target": "numbers",
    }


def mean_squared_error(rng):
    return regression(rng, "MeanSquaredError")


def mean_absolute_error(rng):
    return regression(rng, "MeanAbsoluteError")


def squashed(rng, name, target, **arguments):
    """Losses of predictions between 0 and 1."""
    return {
        "loss": (name, arguments),
        "units": number(rng, 2, 6),
        "activation": "softmax" if target == "distribution" else "sigmoid",
        "target": target,
    }


REGRESSIONS = [
    "Huber",
    "LogCosh",
    "CosineSimilarity",
    "Hinge",
    "SquaredHinge",
    "MeanAbsolutePercentageError",
]


def regression_loss(rng):
    drawn = regression(rng, pick(rng, REGRESSIONS))
    if drawn["loss"][0] == "MeanAbsolutePercentageError":
        drawn["target"] = "sizes"  # it divides by them
    if drawn["loss"][0] == "Huber":
        drawn["loss"][1]["delta"] = pick(rng, [0.5, 1.0, 2.0])
    return drawn


def loss_of_shares(rng):
    name = pick(rng, ["KLDivergence", "Poisson", "MeanSquaredLogarithmicError"])
    return squashed(rng, name, "distribution")


def overlap_loss(rng):
    """Of whole batches, so neither reduction nor weights of samples have a meaning."""
    if rng.random() < 0.5:
        return squashed(rng, "Dice", "bits")
    alpha, beta = pick(rng, [0.5, 0.3]), pick(rng, [0.5, 0.9])
    return squashed(rng, "Tversky", "bits", alpha=alpha, beta=beta)


def focal_loss(rng):
    alpha, gamma = pick(rng, [0.25, 0.6]), pick(rng, [1.0, 2.0, 3.5])
    if rng.random() < 0.5:
        return squashed(
            rng,
            "BinaryFocalCrossentropy",
            "bits",
            alpha=alpha,
            gamma=gamma,
            apply_class_balancing=bool(rng.random() < 0.5),
        )
    name = "CategoricalFocalCrossentropy"
    return squashed(rng, name, "distribution", alpha=alpha, gamma=gamma)


def generalized_crossentropy(rng):
    q = pick(rng, [0.3, 0.5, 0.9])
    name = "CategoricalGeneralizedCrossEntropy"
    drawn = squashed(rng, name, "distribution", q=q)
    return drawn | {"target": "labels"}


def categorical_hinge(rng):
    drawn = regression(rng, "CategoricalHinge")
    return drawn | {"units": number(rng, 2, 6), "target": "one hot"}


LOSSES = [
    sparse_categorical_crossentropy,
    categorical_crossentropy,
    binary_crossentropy,
    mean_squared_error,
    mean_absolute_error,
    regression_loss,
    loss_of_shares,
    overlap_loss,
    focal_loss,
    generalized_crossentropy,
    categorical_hinge,
]


def draw_objective(rng):
    drawn = pick(rng, LOSSES)(rng)
    drawn["loss"][1]["reduction"] = pick(rng, REDUCTIONS)
    metrics = ["accuracy"]
    if drawn["target"] in ("numbers", "bits"):
        metrics += ["mse", "mae"]
    drawn["metrics"] = [m for m in metrics if rng.random() < 0.7]
    return drawn


def draw_targets(rng, kind, shape):
    """Targets for predictions of that shape, (rows, ..., units)."""
    classes = shape[-1]
    labels = rng.integers(0, classes, shape[:-1])
    if kind == "labels":
        return labels.astype(pick(rng, [np.int64, np.int32, np.uint8]))
    if kind == "column of labels":
        return labels[..., None]
    if kind == "float labels":
        return labels.astype(np.float32)
    if kind == "one hot":
        return np.eye(classes, dtype=np.float32)[labels]
    if kind == "distribution":
        drawn = rng.uniform(0.05, 1, shape)
        return (drawn / drawn.sum(axis=-1, keepdims=True)).astype(np.float32)
    if kind == "sizes":
        return rng.uniform(0.5, 2, shape).astype(np.float32)
    if kind == "bits":
        return rng.integers(0, 2, shape).astype(np.float32)
    return rng.normal(size=shape).astype(np.float32)


def sgd(rng):
    momentum = pick(rng, [0.0, 0.5, 0.9])
    nesterov = bool(momentum and rng.random() < 0.5)
    rate = pick(rng, [0.01, 0.05])
    return "SGD", {"learning_rate": rate, "momentum": momentum, "nesterov": nesterov}


def adam(rng):
    return "Adam", {
        "learning_rate": pick(rng, [0.001, 0.01]),
        "beta_1": pick(rng, [0.9, 0.5]),
        "beta_2": pick(rng, [0.999, 0.9]),
        "epsilon": pick(rng, [1e-7, 1e-3]),
        "amsgrad": bool(rng.random() < 0.3),
    }


def rmsprop(rng):
    return "RMSprop", {
        "learning_rate": pick(rng, [0.001, 0.01]),
        "momentum": pick(rng, [0.0, 0.5]),
        "centered": bool(rng.random() < 0.5),
        "epsilon": pick(rng, [1e-7, 1e-3]),
    }


def adaptive(rng):
    name = pick(rng, ["Adagrad", "Adadelta", "Adamax", "Nadam", "AdamW"])
    epsilon = pick(rng, [1e-7, 1e-3])
    return name, {"learning_rate": pick(rng, [0.001, 0.01]), "epsilon": epsilon}


def with_options(rng):
    name, arguments = pick(rng, [sgd, adam, rmsprop])(rng)
    option = pick(rng, ["weight_decay", "clipnorm", "clipvalue", "global_clipnorm"])
    return name, {**arguments, option: pick(rng, [0.05, 0.3])}


OPTIMIZERS = [sgd, sgd, adam, adam, rmsprop, adaptive, with_options]
