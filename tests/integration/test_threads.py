# SPDX-License-Identifier: Apache-2.0
"""The same bits for any number of threads and from run to run."""

import threading

import numpy as np
import pytest

import pronghorn
from pronghorn import layers
from pronghorn.testing.running import with_threads

THREADS = [1, 2, 3, 8]


def lenet(pool=layers.AveragePooling2D, activation="tanh", dropout=0.0):
    pronghorn.utils.set_random_seed(7)
    return pronghorn.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation=activation),
            pool(),
            layers.Conv2D(16, 5, activation=activation),
            pool(),
            layers.Flatten(),
            layers.Dense(120, activation=activation),
            layers.Dropout(dropout),
            layers.Dense(84, activation=activation),
            layers.Dense(10, activation="softmax"),
        ]
    )


def wide():
    """Channels and matrices large enough for products cut over all threads."""
    pronghorn.utils.set_random_seed(8)
    return pronghorn.Sequential(
        [
            layers.Input((14, 15, 3)),
            layers.Conv2D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(3, strides=2, padding="same"),
            layers.Conv2D(40, 3, padding="same", activation="relu"),
            layers.Conv2D(48, 3, strides=2, groups=2),
            layers.Flatten(),
            layers.Dense(300, activation="relu"),
            layers.Dense(10),
        ]
    )


def images(rows, shape=(28, 28, 1), seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, *shape)).astype(np.float32)
    return x, rng.integers(0, 10, rows)


def trained(make, batch_size, optimizer, threads, rows=45, epochs=2):
    model = make()
    x, y = images(rows, model.input_shape[1:])
    from_logits = model.layers[-1].activation is pronghorn.activations.linear
    loss = pronghorn.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model.compile(optimizer(), loss, metrics=["accuracy"])
    with with_threads(threads):
        history = model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0)
        prediction = model.predict(x, batch_size=batch_size, verbose=0)
    state = b"".join(w.tobytes() for w in model.get_weights())
    assert np.isfinite(prediction).all()
    return state, history.history, prediction.tobytes()


def assert_same_with_any_threads(make, batch_size, optimizer, rows=45):
    first = trained(make, batch_size, optimizer, THREADS[0], rows)
    for threads in (*THREADS[1:], THREADS[0]):
        again = trained(make, batch_size, optimizer, threads, rows)
        for a, b, what in zip(
            first, again, ("weights", "logs", "predictions"), strict=True
        ):
            assert a == b, f"{what} differ between 1 and {threads} threads"


ADAM = pronghorn.optimizers.Adam


def momentum():
    return pronghorn.optimizers.SGD(0.002, momentum=0.9, nesterov=True)


@pytest.mark.parametrize("optimizer", [ADAM, momentum])
@pytest.mark.parametrize("batch_size", [1, 7, 16, 20, 32])
def test_lenet(batch_size, optimizer):
    assert_same_with_any_threads(lenet, batch_size, optimizer)


@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_lenet_with_maxima_relu_and_dropout(batch_size):
    def make():
        return lenet(layers.MaxPooling2D, "relu", 0.4)

    assert_same_with_any_threads(make, batch_size, ADAM)


@pytest.mark.parametrize("batch_size", [1, 5, 16, 64])
def test_wide(batch_size):
    assert_same_with_any_threads(wide, batch_size, momentum, rows=70)


def test_predict_from_many_threads():
    """One model and eight models at once: the bits of a lonely call."""
    models = [lenet() for _ in range(2)] + [wide() for _ in range(2)]
    inputs = [images(33, m.input_shape[1:], 5)[0] for m in models]
    expected = [m.predict(x, verbose=0) for m, x in zip(models, inputs, strict=True)]
    wrong = []

    def work(number):
        for turn in range(40):
            i = (number + turn) % len(models) if number % 2 else 0
            got = models[i].predict(inputs[i], verbose=0)
            if got.tobytes() != expected[i].tobytes():
                wrong.append((number, turn, i))

    def run(count):
        workers = [threading.Thread(target=work, args=(n,)) for n in range(count)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    run(8)
    assert wrong == []


def test_predict_while_another_model_trains():
    still, trains = lenet(), wide()
    x, _ = images(20)
    expected = still.predict(x, verbose=0)
    alone = trained(wide, 16, momentum, 2)[0]
    results = []
    worker = threading.Thread(
        target=lambda: results.append(trained(wide, 16, momentum, 2)[0])
    )
    worker.start()
    while worker.is_alive():
        assert still.predict(x, verbose=0).tobytes() == expected.tobytes()
    worker.join()
    assert results == [alone]
    assert trains.count_params() > 0
