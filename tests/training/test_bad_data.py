# SPDX-License-Identifier: Apache-2.0
"""Wrong data and settings: a clear ValueError, and nothing has changed."""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, callbacks, layers, losses

X = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
Y = np.arange(12) % 3


def classifier():
    model = Sequential([Input((5,)), layers.Dense(3, activation="softmax", name="d")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def regressor(units=3):
    model = Sequential([Input((5,)), layers.Dense(units)])
    model.compile("sgd", "mse")
    return model


def changed(y, index, value, dtype=None):
    y = y.astype(dtype or y.dtype).copy()
    y[index] = value
    return y


class Counter(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def on_train_begin(self, logs=None):
        self.calls += 1


WRONG_FITS = [
    ((X, changed(Y, 7, 3)), {}, "from 0 to 2, got 3 at sample 7"),
    ((X, changed(Y, 4, -1)), {}, "got -1 at sample 4"),
    ((X, changed(Y, 2, 1.5, float)), {}, "got 1.5 at sample 2"),
    ((X, changed(Y, 11, np.nan, float)), {}, "got nan at sample 11"),
    ((X, changed(Y, 3, np.inf, float)), {}, "got inf at sample 3"),
    ((X, changed(Y, 3, 2**40)), {}, "at sample 3"),
    ((X, Y[:11]), {}, "as many samples as x has, 12, got 11"),
    ((X, np.eye(3)[Y]), {}, r"one-hot"),
    ((X, Y.reshape(4, 3)), {}, "12, got 4"),
    ((X[:, :4], Y), {}, r"input 'input_layer.*\(samples, 5\), got \(12, 4\)"),
    ((X[:, None, None], Y), {}, r"got \(12, 1, 1, 5\)"),
    ((X.astype(str), Y), {}, "real numbers"),
    ((X.astype(object), Y), {}, "dtype object"),
    ((X.astype(complex), Y), {}, "complex"),
    ((X, Y.astype(str)), {}, "y: expected real numbers"),
    ((X[:0], Y[:0]), {}, "expected samples in x, got none"),
    ((X, None), {}, "expected y"),
    ((None, Y), {}, "x|input"),
    (([X, X], Y), {}, "got"),
    ((X, Y), {"batch_size": 0}, "`batch_size`.*got 0"),
    ((X, Y), {"batch_size": -1}, "got -1"),
    ((X, Y), {"batch_size": 2.5}, "got 2.5"),
    ((X, Y), {"epochs": -1}, "`epochs`"),
    ((X, Y), {"epochs": 1.5}, "`epochs`"),
    ((X, Y), {"verbose": 3}, "verbose.*3"),
    ((X, Y), {"steps_per_epoch": 0}, "`steps_per_epoch`"),
    ((X, Y), {"validation_split": 1.0}, "validation_split"),
    ((X, Y), {"validation_split": 0.01, "batch_size": 0}, "`batch_size`"),
    ((X, Y), {"validation_split": -0.5}, "`validation_split`"),
    ((X, Y), {"validation_data": X}, "validation_data"),
    ((X, Y), {"validation_data": (X, Y[:3])}, "as many samples"),
    ((X, Y), {"validation_data": (X, Y + 1)}, "at sample 2"),
    ((X, Y), {"validation_freq": 0}, "`validation_freq`"),
    ((X, Y), {"sample_weight": np.ones(11)}, "sample_weight.*12, got 11"),
    ((X, Y), {"sample_weight": np.ones((12, 2))}, r"sample_weight.*\(12, 2\)"),
    ((X, Y), {"sample_weight": ["a"] * 12}, "sample_weight"),
    ((X, Y), {"class_weight": [1, 2, 3]}, "class_weight.*dict"),
    ((X, Y), {"class_weight": {0: 1}, "sample_weight": np.ones(12)}, "both"),
    ((X, Y), {"class_weight": {0: "a"}}, "class_weight"),
]


@pytest.mark.parametrize(("args", "kwargs", "message"), WRONG_FITS)
def test_fit_refuses(args, kwargs, message):
    model = classifier()
    before, counter = model.get_weights(), Counter()
    with pytest.raises(ValueError, match=message):
        model.fit(*args, callbacks=[counter], **{"verbose": 0, **kwargs})
    assert counter.calls == 0
    assert model.optimizer.iterations == 0
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    model.fit(X, Y, verbose=0)  # still usable


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch", "evaluate"])
def test_the_others_refuse_too(method):
    model = classifier()
    for args in ((X, Y + 1), (X[:5], Y), (X[:, 1:], Y), (X[:0], Y[:0])):
        with pytest.raises(ValueError, match="expected"):
            getattr(model, method)(*args)


def test_targets_are_never_broadcast():
    model = regressor()
    for y in (np.ones((12, 1)), np.ones(12), np.ones((12, 3, 1, 1))):
        with pytest.raises(ValueError, match=r"\(12, 3\), got"):
            model.fit(X, y, verbose=0)


def test_a_column_of_targets_may_be_a_vector():
    vector, column = regressor(1), regressor(1)
    column.set_weights(vector.get_weights())
    vector.fit(X, X[:, 0], shuffle=False, verbose=0)
    column.fit(X, X[:, :1], shuffle=False, verbose=0)
    np.testing.assert_array_equal(vector.get_weights()[0], column.get_weights()[0])


def test_models_without_compile():
    model = Sequential([Input((5,)), layers.Dense(3)])
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match="compile"):
            getattr(model, method)(X, Y)
    assert model.predict(X, verbose=0).shape == (12, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": "sdg", "loss": "mse"}, "'sdg'"),
        ({"optimizer": 3, "loss": "mse"}, "3"),
        ({"optimizer": "sgd", "loss": "mes"}, "'mes'"),
        ({"optimizer": "sgd", "loss": {"a": "mes"}}, "'mes'"),
        ({"optimizer": "sgd", "loss": "mse", "metrics": "mse"}, "metrics"),
        ({"optimizer": "sgd", "loss": "mse", "metrics": ["accurate"]}, "'accurate'"),
        (
            {
                "optimizer": "sgd",
                "loss": losses.MeanSquaredError(reduction="none"),
            },
            "reduction",
        ),
    ],
)
def test_compile_refuses_and_keeps_what_was_compiled(arguments, message):
    model = regressor()
    optimizer = model.optimizer
    with pytest.raises(ValueError, match=message):
        model.compile(**arguments)
    assert model.optimizer is optimizer
    model.fit(X, X[:, :3], verbose=0)


def test_no_loss():
    model = Sequential([Input((5,)), layers.Dense(3)])
    model.compile("sgd")
    with pytest.raises(ValueError, match="loss"):
        model.fit(X, Y, verbose=0)


def test_losses_and_outputs_must_match():
    x = Input((5,))
    model = Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    for wrong in (["mse"], {"a": "mse", "c": "mse"}, ["mse"] * 3):
        model.compile("sgd", wrong)
        with pytest.raises(ValueError, match="loss"):
            model.fit(X, [Y, Y], verbose=0)
    model.compile("sgd", "mse", metrics=["mae"])
    with pytest.raises(ValueError, match="metrics"):
        model.fit(X, [Y, Y], verbose=0)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="y: expected 2 arrays"):
        model.fit(X, Y, verbose=0)


def test_predict_of_nothing_and_of_nan():
    model = classifier()
    assert model.predict(X[:0], verbose=0).shape == (0, 3)
    assert model(X[:0]).shape == (0, 3)
    poisoned = X.copy()
    poisoned[3, 2] = np.nan
    result = model.predict(poisoned, verbose=0)
    assert np.isnan(result[3]).all()
    assert np.isfinite(np.delete(result, 3, axis=0)).all()
    with pytest.raises(ValueError, match="batch_size"):
        model.predict(X, batch_size=0)


def variants():
    spread = np.zeros((24, 15), np.float32)
    spread[::2, ::3] = X
    misaligned = np.zeros(X.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(X.shape)
    misaligned[...] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    return {
        "float64": X.astype(np.float64),
        "big endian": X.astype(">f4"),
        "strided": spread[::2, ::3],
        "reversed": X[::-1].copy()[::-1],
        "fortran": np.asfortranarray(X),
        "misaligned": misaligned,
        "read-only": frozen,
        "list": X.tolist(),
    }


@pytest.mark.parametrize("name", variants())
def test_all_kinds_of_arrays_give_the_same_bits(name):
    x = variants()[name]
    model = classifier()
    weights = model.get_weights()
    expected = model.predict(X, verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    model.fit(X, Y, shuffle=False, verbose=0)
    trained = model.get_weights()
    model.set_weights(weights)
    model.fit(x, Y, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), trained, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "bool", "uint16", "f2"])
def test_whole_numbers(dtype):
    x = np.random.default_rng(0).integers(0, 2, (12, 5)).astype(dtype)
    model = classifier()
    expected = model.predict(x.astype(np.float32), verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    history = model.fit(x, Y.astype("int8"), verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_a_missing_last_axis_is_added():
    images = np.random.default_rng(0).random((4, 6, 6))
    model = Sequential([Input((6, 6, 1)), layers.Flatten(), layers.Dense(2)])
    expected = model.predict(images[..., None], verbose=0)
    np.testing.assert_array_equal(model.predict(images, verbose=0), expected)
