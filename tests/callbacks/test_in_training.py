# SPDX-License-Identifier: Apache-2.0
"""Callbacks in `fit`, `evaluate` and `predict` of a real model."""

import re

import numpy as np
import pytest

import pronghorn
from pronghorn import layers
from pronghorn.callbacks import Callback

HOOKS = [name for name in dir(Callback) if name.startswith("on_")]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 3, 50)


@pytest.fixture
def model():
    model = pronghorn.Sequential(
        [layers.Input((4,)), layers.Dense(3, activation="softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Journal(Callback):
    """Records all calls of all hooks."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def names(self):
        return [name for name, _ in self.calls]


def _record(name):
    def hook(self, *arguments):
        self.calls.append((name, arguments))

    return hook


for _name in HOOKS:
    setattr(Journal, _name, _record(_name))


def test_fit_shows_an_epoch_per_line_when_not_on_a_terminal(model, data, capsys):
    x, y = data
    model.fit(x, y, batch_size=8, epochs=2, validation_data=(x, y))
    line = (
        r"Epoch {}/2\n7/7 ━{{20}} \d+s \d+\ws/step - accuracy: \d\.\d{{4}} - "
        r"loss: \d\.\d{{4}} - val_accuracy: \d\.\d{{4}} - val_loss: \d\.\d{{4}}\n"
    )
    assert re.fullmatch(line.format(1) + line.format(2), capsys.readouterr().out)


def test_verbose_2_and_0(model, data, capsys):
    x, y = data
    model.fit(x, y, batch_size=8, verbose=2)
    line = r"7/7 - \d+s - \d+\ws/step - accuracy: \d\.\d{4} - loss: \d\.\d{4}\n"
    assert re.fullmatch(line, capsys.readouterr().out)
    model.fit(x, y, batch_size=8, verbose=0)
    assert capsys.readouterr().out == ""


def test_evaluate_and_predict_show_a_bar(model, data, capsys):
    x, y = data
    model.evaluate(x, y, batch_size=8)
    bar = r"7/7 ━{20} \d+s \d+\ws/step"
    assert re.fullmatch(
        bar + r" - accuracy: \d\.\d{4} - loss: \d\.\d{4}\n", capsys.readouterr().out
    )
    model.predict(x, batch_size=8)
    assert re.fullmatch(bar + r"\n", capsys.readouterr().out)


def test_hooks_are_called_in_the_order_of_keras(model, data):
    x, y = data
    journal = Journal()
    model.fit(
        x,
        y,
        batch_size=25,
        epochs=2,
        validation_data=(x[:9], y[:9]),
        verbose=0,
        callbacks=[journal],
    )
    batch = ["on_train_batch_begin", "on_train_batch_end"]
    test = ["on_test_batch_begin", "on_test_batch_end"]
    epoch = ["on_epoch_begin", *batch, *batch, "on_test_begin", *test, "on_test_end"]
    epoch.append("on_epoch_end")
    assert journal.names() == ["on_train_begin", *epoch, *epoch, "on_train_end"]
    numbers = [a[0] for name, a in journal.calls if name == "on_train_batch_end"]
    assert numbers == [0, 1, 0, 1]
    logs = [a[1] for name, a in journal.calls if name == "on_epoch_end"]
    assert list(logs[1]) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert journal.model is model
    assert journal.params == {"verbose": 0, "epochs": 2, "steps": 2}


def test_hooks_of_predict_see_the_outputs(model, data):
    x, _ = data
    journal = Journal()
    outputs = model.predict(x, batch_size=30, verbose=0, callbacks=[journal])
    seen = [a[1]["outputs"] for name, a in journal.calls if "batch_end" in name]
    np.testing.assert_array_equal(np.concatenate(seen), outputs)
    assert [len(part) for part in seen] == [30, 20]


def test_batch_hooks_do_not_change_the_result(data):
    x, y = data
    results = []
    for callbacks in ([], [Journal()]):
        pronghorn.utils.set_random_seed(1)
        model = pronghorn.Sequential([layers.Input((4,)), layers.Dense(3)])
        model.compile("adam", "mean_squared_error")
        targets = np.eye(3)[y]
        history = model.fit(x, targets, epochs=3, verbose=0, callbacks=callbacks)
        results.append((history.history, [w.tobytes() for w in model.get_weights()]))
    assert results[0] == results[1]


def test_history_and_the_learning_rate_that_a_callback_sets(model, data):
    class Halve(Callback):
        def on_epoch_end(self, *arguments):
            rate = self.model.optimizer.learning_rate
            arguments[1]["learning_rate"] = float(rate)
            self.model.optimizer.learning_rate = rate / 2

    x, y = data
    history = model.fit(x, y, epochs=5, initial_epoch=2, verbose=0, callbacks=[Halve()])
    assert history.epoch == [2, 3, 4]
    assert history.history["learning_rate"] == pytest.approx([0.01, 0.005, 0.0025])
    assert sorted(history.history) == ["accuracy", "learning_rate", "loss"]
    assert model.history is history


def test_a_callback_can_stop_training(model, data):
    class Stop(Callback):
        def on_epoch_end(self, *arguments):
            self.model.stop_training = arguments[0] == 1

    x, y = data
    history = model.fit(x, y, epochs=9, verbose=0, callbacks=Stop())
    assert history.epoch == [0, 1]
