# SPDX-License-Identifier: Apache-2.0
"""Callbacks that watch results do what Keras's do with the same results."""

import inspect

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(6)
RUNS = [np.round(RNG.random(12), 1) - 0.02 * np.arange(12) for _ in range(8)]
RUNS += [np.array([np.nan, 1, 0.5, np.nan, 0.7, 0.7, 0.7]), np.ones(12)]


class Optimizer:
    learning_rate = 0.1


class Model:
    """What the callbacks need of a model: its weights are the number of the epoch."""

    def __init__(self):
        self.stop_training = False
        self.optimizer = self.compiled_optimizer = Optimizer()
        self.weights = -1

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def run(api, name, arguments, values):
    """What a callback did: rates and the best value, epoch by epoch, and the end."""
    callback, model, done = getattr(api.callbacks, name)(**arguments), Model(), []
    callback.set_model(model)
    for _ in range(2):  # as in a second `fit`
        model.stop_training = False
        callback.on_train_begin()
        for epoch, value in enumerate(values):
            callback.on_epoch_begin(epoch)
            model.weights = epoch
            logs = {arguments.get("monitor", "loss"): value}
            callback.on_epoch_end(epoch, logs)
            rate = logs.get("learning_rate", 0.0)
            done.append((epoch, rate, getattr(callback, "best", 0), model.weights))
            if model.stop_training:
                break
        callback.on_train_end()
        done.append((getattr(callback, "stopped_epoch", 0), 0, 0, model.weights))
    return np.array(done, np.float64)


CASES = [
    *(
        (
            "EarlyStopping",
            {"monitor": "val_it", "mode": mode, "patience": patience, **more},
        )
        for mode in ("min", "max")
        for patience in (0, 2, 3)
        for more in (
            {},
            {"min_delta": 0.15},
            {"baseline": 0.3},
            {"restore_best_weights": True},
            {"restore_best_weights": True, "start_from_epoch": 2, "baseline": 0.5},
        )
    ),
    *(
        (
            "ReduceLROnPlateau",
            {"monitor": "val_it", "mode": mode, "factor": 0.5, **more},
        )
        for mode in ("min", "max")
        for more in (
            {"patience": 1},
            {"patience": 0},
            {"patience": 2, "min_delta": 0.2},
            {"patience": 1, "cooldown": 2},
            {"patience": 1, "min_lr": 0.02, "cooldown": 1},
        )
    ),
    ("LearningRateScheduler", {"schedule": lambda epoch: 0.5 / (1 + epoch)}),
    ("LearningRateScheduler", {"schedule": lambda epoch, rate: rate * 0.9}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_same_decisions(name, arguments):
    for values in RUNS:
        theirs, ours = (run(api, name, arguments, values) for api in (keras, pronghorn))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, err_msg=str(values))


def test_same_table(tmp_path):
    for api in (keras, pronghorn):
        path = tmp_path / api.__name__
        for append in (False, True):
            logger = api.callbacks.CSVLogger(path, append=append)
            logger.on_train_begin()
            logger.on_epoch_end(0, {"loss": 1.0, "f1": [0.5, 1.0]})
            logger.on_epoch_end(1, {"loss": 0.1, "other": 3.0})
            logger.on_train_end()
    assert path.read_bytes() == (tmp_path / "keras").read_bytes()


def test_same_directions():
    """Which metrics "auto" knows, and which of their values are better."""
    needed = {"recall": 0.5, "precision": 0.5, "specificity": 0.5, "sensitivity": 0.5}
    needed |= {"num_classes": 3, "target_class_ids": [0]}
    compared = 0
    for name in pronghorn.metrics.__all__:
        kind = getattr(keras.metrics, name)
        if not isinstance(kind, type) or name in ("Metric", "MeanMetricWrapper"):
            continue
        parameters = inspect.signature(kind).parameters.values()
        arguments = {
            one.name: needed[one.name] for one in parameters if one.default is one.empty
        }
        theirs = getattr(kind(**arguments), "_direction", "")
        assert getattr(pronghorn.metrics, name)(**arguments).direction == theirs, name
        compared += 1
    assert compared > 40


def test_names_and_defaults():
    for name in pronghorn.callbacks.__all__:
        ours, theirs = (getattr(api.callbacks, name) for api in (pronghorn, keras))
        found, expected = (
            {key: one.default for key, one in inspect.signature(api).parameters.items()}
            for api in (ours, theirs)
        )
        if name == "ReduceLROnPlateau":
            del expected["kwargs"]  # of old names
        assert found == expected, name
