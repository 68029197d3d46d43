# SPDX-License-Identifier: Apache-2.0
"""Callbacks that watch results, change learning rates, write and end training."""

import csv

import numpy as np
import pytest

import pronghorn as ph
from pronghorn import callbacks

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = RNG.normal(size=(40, 3)).astype(np.float32)


@pytest.fixture
def model():
    model = ph.Sequential([ph.Input((4,)), ph.layers.Dense(3)])
    model.compile(ph.optimizers.SGD(0.1), "mse", metrics=["mae", "cosine_similarity"])
    return model


def epochs(callback, model, values, name="loss"):
    """Calls the hooks with these results; returns how many epochs there were."""
    model.stop_training = False
    callback.set_model(model)
    callback.on_train_begin()
    count = 0
    for count, value in enumerate(values, start=1):
        callback.on_epoch_begin(count - 1)
        model.layers[0].bias.assign(np.full(3, count))
        callback.on_epoch_end(count - 1, {name: value})
        if model.stop_training:
            break
    callback.on_train_end()
    return count


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ({}, [3, 2, 2, 1], 3),
        ({"patience": 2}, [3, 2, 2, 1, 1, 1, 0], 6),
        ({"min_delta": 0.5}, [3, 2, 1.6, 1], 3),
        ({"mode": "max"}, [1, 2, 3, 2, 4], 4),
        ({"mode": "max", "min_delta": -0.5}, [1, 2, 2.4, 4], 3),
        ({"baseline": 1.0, "patience": 2}, [5, 4, 3, 2, 1], 5),
        ({"baseline": 1.0, "patience": 2}, [5, 4, 4.5, 0.1], 3),
        ({"start_from_epoch": 2}, [1, 2, 3, 4, 5], 4),
        ({}, [np.nan, 1.0, 2.0], 2),
    ],
)
def test_early_stopping(model, arguments, values, expected):
    callback = callbacks.EarlyStopping("loss", **arguments)
    for _ in range(2):  # nothing is left of the first
        assert epochs(callback, model, values) == expected


def test_early_stopping_restores_the_best_weights(model, capsys):
    callback = callbacks.EarlyStopping(
        "val_loss", patience=2, restore_best_weights=True, verbose=1
    )
    assert epochs(callback, model, [3, 1, 2, 2, 0], "val_loss") == 4
    assert (callback.best, callback.best_epoch, callback.stopped_epoch) == (1, 1, 3)
    np.testing.assert_array_equal(model.get_weights()[1], [2, 2, 2])
    assert capsys.readouterr().out == (
        "Epoch 4: early stopping\nRestoring model weights from the end of the best "
        "epoch: 2.\n"
    )
    assert epochs(callback, model, [1, 2], "val_loss") == 2  # fit ends first
    np.testing.assert_array_equal(model.get_weights()[1], [1, 1, 1])


def test_direction_of_metrics(model):
    for name, better in (("mae", 0.5), ("val_cosine_similarity", 2.0)):
        callback = callbacks.EarlyStopping(name)
        assert epochs(callback, model, [1.0, better, 1.0], name) == 3
    callback = callbacks.EarlyStopping("val_accuracy")
    callback.set_model(model)
    with pytest.raises(ValueError, match="expected mode='min' or mode='max'"):
        model.fit(X, Y, verbose=0, callbacks=[callback])
    model.compile("sgd", "mse", metrics=[lambda y_true, y_pred: y_true - y_pred])
    assert model.metric_direction("<lambda>") == ""


def test_missing_results_are_warned_of(model):
    for kind in (callbacks.EarlyStopping, callbacks.ReduceLROnPlateau):
        with pytest.warns(UserWarning, match="`val_loss` is not available, only: loss"):
            assert epochs(kind(), model, [1, 2]) == 2


@pytest.mark.parametrize(
    ("arguments", "values", "rates"),
    [
        ({}, [1, 1, 1, 1], [0.1, 0.1, 0.05, 0.05]),
        ({"patience": 1}, [1, 1, 1], [0.1, 0.05, 0.025]),
        ({"patience": 1, "min_lr": 0.04}, [1, 1, 1, 1], [0.1, 0.05, 0.04, 0.04]),
        (
            {"patience": 1, "cooldown": 2},
            [1, 1, 1, 1, 1],
            [0.1, 0.05, 0.05, 0.025, 0.025],
        ),
        ({"patience": 1, "min_delta": 0.3}, [1, 0.8, 0.6], [0.1, 0.05, 0.05]),
        ({"patience": 1, "mode": "max"}, [1, 2, 1], [0.1, 0.1, 0.05]),
    ],
)
def test_reduce_lr_on_plateau(model, arguments, values, rates):
    callback = callbacks.ReduceLROnPlateau("loss", 0.5, **{"patience": 2} | arguments)
    for last, expected in enumerate(rates, start=1):
        model.optimizer.learning_rate = 0.1
        epochs(callback, model, values[:last])
        assert float(model.optimizer.learning_rate) == pytest.approx(expected)


def test_rates_are_in_the_history_and_in_use(model, capsys):
    schedule = callbacks.LearningRateScheduler(lambda epoch: [0.1, 0.0][epoch], 1)
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=schedule).history
    assert history["learning_rate"] == [0.1, 0.0]
    assert "Epoch 2: LearningRateScheduler setting learning rate to 0.0." in (
        capsys.readouterr().out
    )
    weights = model.get_weights()
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])
    model.optimizer.learning_rate = 1e-9
    lower = callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=9, verbose=1)
    rates = model.fit(X, Y, epochs=3, verbose=0, callbacks=lower).history
    np.testing.assert_allclose(rates["learning_rate"], [1e-9, 1e-9, 1e-10])
    assert "Epoch 2: ReduceLROnPlateau reducing" in capsys.readouterr().out


def test_terminate_on_nan(model, capsys):
    end = callbacks.TerminateOnNaN()
    assert not callbacks.CallbackList(end).needs_batches
    x = X.copy()
    x[20] = np.inf
    history = model.fit(x, Y, 8, 5, verbose=0, callbacks=end, shuffle=False)
    assert history.epoch == [0]
    assert "Invalid loss, terminating training" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="expected a finite loss, got"):
        model.fit(x, Y, verbose=0, callbacks=callbacks.TerminateOnNaN(True))


def test_lambda_callback(model):
    calls = []
    callback = callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: calls.append(epoch),
        on_train_batch_end=lambda batch, logs: calls.append(f"batch {batch}"),
        on_test_end=lambda logs: calls.append(sorted(logs)),
    )
    model.fit(X, Y, 20, 2, validation_data=(X, Y), verbose=0, callbacks=callback)
    tested = ["cosine_similarity", "loss", "mae"]
    epoch = ["batch 0", "batch 1", tested]
    assert calls == [0, *epoch, 1, *epoch]
    assert not callbacks.CallbackList(
        callbacks.LambdaCallback(on_train_end=print)
    ).needs_batches
    with pytest.raises(ValueError, match="expected names of hooks, got on_epoch_emd"):
        callbacks.LambdaCallback(on_epoch_emd=print)


def test_csv_logger(model, tmp_path):
    path = tmp_path / "log.csv"
    for append in (False, False, True):
        logger = callbacks.CSVLogger(path, ";", append)
        history = model.fit(X, Y, epochs=2, verbose=0, callbacks=logger).history
    with path.open(newline="") as file:
        names, *rows = csv.reader(file, delimiter=";")
    results = sorted(history)
    assert names == ["epoch", *results, *(f"val_{name}" for name in results)]
    assert [row[0] for row in rows] == ["0", "1", "0", "1"]
    for i, name in enumerate(results, start=1):
        assert [float(row[i]) for row in rows[2:]] == history[name]
    assert rows[0][-3:] == ["NA"] * 3


def test_csv_logger_writes_lists(tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"val_f1": [0.5, 1.0]})
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines == ["epoch,val_f1", '0,"""[0.5, 1.0]"""']


def test_model_checkpoint_of_epochs(model, tmp_path, capsys):
    path = tmp_path / "new" / "{epoch:02d}-{loss:.1f}.weights.h5"
    callback = callbacks.ModelCheckpoint(path, save_weights_only=True, verbose=1)
    assert epochs(callback, model, [2.0, 3.0]) == 2
    found = sorted(path.parent.iterdir())
    assert [one.name for one in found] == ["01-2.0.weights.h5", "02-3.0.weights.h5"]
    model.load_weights(found[0])
    np.testing.assert_array_equal(model.get_weights()[1], [1, 1, 1])
    assert f"Epoch 2: saved the weights to {found[1]}" in capsys.readouterr().out


def test_model_checkpoint_of_the_best(model, tmp_path, capsys):
    path = tmp_path / "best.weights.h5"
    callback = callbacks.ModelCheckpoint(
        path,
        "mae",
        save_best_only=True,
        save_weights_only=True,
        initial_value_threshold=4.0,
        verbose=1,
    )
    epochs(callback, model, [5.0, 4.5], "mae")
    assert not path.exists()
    epochs(callback, model, [3.0, 2.0, 2.5], "mae")
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[1], [2, 2, 2])
    text = capsys.readouterr().out
    assert "Epoch 2: mae improved to 2.00000" in text
    assert "Epoch 3: mae did not improve from 2.00000" in text
    with pytest.warns(UserWarning, match="`mae` is not available"):
        epochs(callback, model, [1.0])
    model.load_weights(path)  # saved all the same, as in Keras
    np.testing.assert_array_equal(model.get_weights()[1], [1, 1, 1])


def test_model_checkpoint_of_batches(model, tmp_path):
    path = tmp_path / "{epoch}-{batch}.weights.h5"
    callback = callbacks.ModelCheckpoint(path, save_weights_only=True, save_freq=3)
    model.fit(X, Y, 10, 2, verbose=0, callbacks=callback)
    found = sorted(one.name for one in tmp_path.iterdir())
    assert found == ["1-3.weights.h5", "2-2.weights.h5"]
    plain = callbacks.ModelCheckpoint(path, save_weights_only=True)
    assert not callbacks.CallbackList(plain).needs_batches


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: callbacks.EarlyStopping(mode="least"),
            "max, got 'least'",
        ),
        (lambda: callbacks.ReduceLROnPlateau(factor=1.0), "a factor below 1, got 1.0"),
        (lambda: callbacks.ModelCheckpoint("a.keras"), "save_weights_only=True"),
        (
            lambda: callbacks.ModelCheckpoint("a.h5", save_weights_only=True),
            "ends in .weights.h5",
        ),
        (
            lambda: callbacks.ModelCheckpoint(
                "a.weights.h5", save_weights_only=True, save_freq=0
            ),
            "'epoch' or a number of batches, got 0",
        ),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
