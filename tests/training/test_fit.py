# SPDX-License-Identifier: Apache-2.0
"""fit: epochs, callbacks, shuffling, interrupts, determinism."""

import threading

import numpy as np
import pytest

from pronghorn import Input, Sequential, callbacks, config, layers, optimizers, utils

ROWS = 70


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, 8, 8, 1)).astype(np.float32)
    return x, (x.mean(axis=(1, 2, 3)) > 0).astype(np.int64)


def small(optimizer="adam"):
    model = Sequential(
        [
            Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.AveragePooling2D(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(seed, threads=None, **kwargs):
    before = config.num_threads()
    try:
        config.set_num_threads(threads or before)
        utils.set_random_seed(seed)
        model = small()
        settings = {"batch_size": 16, "epochs": 3, "verbose": 0, **kwargs}
        history = model.fit(*data(), **settings)
    finally:
        config.set_num_threads(before)
    return model.get_weights(), history.history


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_it_learns():
    x, y = data()
    utils.set_random_seed(0)
    model = small(optimizers.Adam(0.02))
    history = model.fit(x, y, batch_size=8, epochs=40, verbose=0)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
    assert model.evaluate(x, y, verbose=0)[1] > 0.95
    assert model.history is history


def test_same_seed_same_bits_for_any_number_of_threads():
    weights, history = trained(1, threads=1)
    for threads in (2, 3, 8):
        other, other_history = trained(1, threads=threads)
        assert same(weights, other)
        assert history == other_history
    assert not same(weights, trained(2)[0])


class Batches(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(("begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(("end", batch, sorted(logs)))


def test_batch_hooks_see_every_step_and_change_nothing():
    spy = Batches()
    weights, history = trained(1)
    with_hooks, same_history = trained(1, callbacks=[spy])
    assert same(weights, with_hooks)
    assert history == same_history
    steps = -(-ROWS // 16)
    assert len(spy.seen) == 2 * 3 * steps
    assert spy.seen[: 2 * steps : 2] == [("begin", i) for i in range(steps)]
    assert spy.seen[1] == ("end", 0, ["accuracy", "loss"])


def test_shuffling_visits_every_sample_once_an_epoch():
    # The gradient of a sum of outputs with respect to a bias counts the samples.
    model = Sequential([Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizers.SGD(1.0), "mae")
    x = np.zeros((10, 1), np.float32)
    model.fit(x, np.full(10, 1e6), batch_size=3, epochs=2, verbose=0)
    assert model.get_weights()[1][0] == 8
    orders = {trained(seed)[1]["loss"][0] for seed in range(3)}
    assert len(orders) == 3
    fixed = [trained(1, shuffle=False)[0] for _ in range(2)]
    assert same(*fixed)
    assert not same(fixed[0], trained(1)[0])


class Stop(callbacks.Callback):
    def __init__(self, at_batch=None):
        super().__init__()
        self.at_batch = at_batch

    def on_epoch_end(self, epoch, logs=None):
        if self.at_batch is None:
            self.model.stop_training = epoch == 1


class StopInside(Stop):
    def on_train_batch_end(self, batch, logs=None):
        if batch == self.at_batch:
            self.model.stop_training = True


def test_stop_training():
    assert len(trained(1, epochs=9, callbacks=[Stop()])[1]["loss"]) == 2
    model = small()
    model.fit(*data(), batch_size=10, epochs=5, verbose=0, callbacks=[StopInside(3)])
    assert model.optimizer.iterations == 4
    model.fit(*data(), batch_size=10, epochs=1, verbose=0)
    assert model.optimizer.iterations == 11


class Rates(callbacks.Callback):
    """Trains with a rate of zero from batch 2 on."""

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = 0.1 if batch < 2 else 0.0

    def on_train_batch_end(self, batch, logs=None):
        self.weights = [*getattr(self, "weights", []), self.model.get_weights()]


def test_learning_rate_can_change_between_batches():
    spy = Rates()
    model = small("sgd")
    model.fit(*data(), batch_size=10, verbose=0, callbacks=[spy])
    assert not same(spy.weights[0], spy.weights[1])
    assert same(spy.weights[1], spy.weights[6])
    with pytest.raises(ValueError, match="nan"):
        model.optimizer.learning_rate = float("nan")
    assert model.optimizer.learning_rate == 0.0
    model.optimizer.learning_rate.assign(0.5)
    assert model.optimizer.learning_rate.numpy() == np.float32(0.5)


class Interrupt(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise KeyboardInterrupt


def test_an_interrupted_model_is_usable():
    model = small()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data(), batch_size=10, verbose=0, callbacks=[Interrupt()])
    assert model.optimizer.iterations == 3
    history = model.fit(*data(), batch_size=10, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_optimizer_state_survives_fits_and_new_batch_sizes():
    x, y = data()
    once, twice = small(), small()
    twice.set_weights(once.get_weights())
    for model in (once, twice):
        model.layers[3].rate = 0.0
    once.fit(x[:40], y[:40], batch_size=10, shuffle=False, epochs=2, verbose=0)
    twice.fit(x[:40], y[:40], batch_size=10, shuffle=False, verbose=0)
    for start in range(0, 40, 10):
        twice.train_on_batch(x[start : start + 10], y[start : start + 10])
    assert same(once.get_weights(), twice.get_weights())
    assert once.optimizer.iterations == twice.optimizer.iterations == 8


def test_freezing_after_training_takes_effect_at_once():
    model = small()
    model.fit(*data(), verbose=0)
    frozen = model.layers[0].get_weights()
    head = model.layers[-1].get_weights()
    model.layers[0].trainable = False
    model.fit(*data(), verbose=0)
    assert same(model.layers[0].get_weights(), frozen)
    assert not same(model.layers[-1].get_weights(), head)


def test_deferred_model_is_built_by_fit():
    model = Sequential([layers.Flatten(), layers.Dense(2)])
    model.compile("sgd", "mse")
    x, _ = data()
    model.fit(x, np.zeros((ROWS, 2)), verbose=0)
    assert model.input_shape == (None, 8, 8, 1)


def test_predict_in_batches_is_predict_at_once():
    x, _ = data()
    model = small()
    whole = model.predict(x, batch_size=ROWS, verbose=0)
    for batch in (1, 16, 32, 1000):
        parts = model.predict(x, batch_size=batch, verbose=0)
        np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model(x), model.predict_on_batch(x))


class Outputs(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.parts = []

    def on_predict_batch_end(self, batch, logs=None):
        self.parts.append(np.array(logs["outputs"]))


def test_predict_hooks_get_the_outputs():
    x, _ = data()
    spy, model = Outputs(), small()
    whole = model.predict(x, batch_size=16, verbose=0, callbacks=[spy])
    assert [len(part) for part in spy.parts] == [16, 16, 16, 16, 6]
    np.testing.assert_array_equal(np.concatenate(spy.parts), whole)


def test_threads_may_predict_at_the_same_time():
    x, _ = data()
    model = small()
    expected = model.predict(x, batch_size=8, verbose=0)
    wrong = []

    def work(size):
        for _ in range(30):
            if not np.array_equal(
                model.predict(x[:size], batch_size=8, verbose=0), expected[:size]
            ):
                wrong.append(size)

    workers = [threading.Thread(target=work, args=(8 * (1 + i % 3),)) for i in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_plans_are_not_kept_for_ever():
    x, _ = data()
    model = small()
    for size in range(1, 40):
        model.predict(x[:size], verbose=0)
    assert len(model.plans._plans) <= 8


def test_callback_classes_and_other_objects_are_refused():
    for wrong in (Stop, 3, "callback"):
        with pytest.raises((TypeError, ValueError), match="callbacks"):
            small().fit(*data(), verbose=0, callbacks=[wrong])


def test_verbose_2_writes_a_line_per_epoch(capsys):
    small().fit(*data(), epochs=2, verbose=2, validation_split=0.2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2"
    assert lines[1].startswith("2/2 - 0s - ")
    assert "val_accuracy" in lines[1]
    small().fit(*data(), verbose=0)
    assert capsys.readouterr().out == ""
