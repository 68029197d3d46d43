# SPDX-License-Identifier: Apache-2.0
"""The same programs with Keras and with pronghorn: same weights, data and numbers."""

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras")

SHAPE = (9, 8, 2)
ROWS = 22
TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}


def image_model(api, head, activation="tanh"):
    layers = api.layers
    return api.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(4, (3, 2), padding="same", strides=(1, 2), name="c1"),
            layers.Activation(activation),
            layers.MaxPooling2D((2, 2), padding="same"),
            layers.Conv2D(6, 2, groups=2, activation="relu", name="c2"),
            layers.AveragePooling2D((2, 1)),
            layers.Flatten(),
            layers.Dense(5, activation="sigmoid", name="d1"),
            layers.Dense(head, name="d2"),
        ]
    )


def data(seed=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, *SHAPE)).astype(np.float32)
    return x, rng.integers(0, 3, ROWS), rng.random(ROWS).astype(np.float32)


def one_hot(y):
    return np.eye(3, dtype=np.float32)[y]


def both(build, seed=0):
    """The model made by each library, with the same weights."""
    theirs, ours = build(keras), build(pronghorn)
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=w.shape) * 0.3 for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


def assert_same_logs(ours, theirs):
    assert list(ours) == list(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], err_msg=name, **TOLERANCE)


def assert_same_weights(ours, theirs):
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, **TOLERANCE)


def with_softmax(api):
    model = image_model(api, 3)
    model.add(api.layers.Softmax())
    return model


LOSSES = {
    "sparse": (
        with_softmax,
        lambda api: "sparse_categorical_crossentropy",
        lambda y: y,
    ),
    "sparse column": (
        with_softmax,
        lambda api: api.losses.SparseCategoricalCrossentropy(),
        lambda y: y[:, None].astype(np.float64),
    ),
    "sparse logits": (
        lambda api: image_model(api, 3),
        lambda api: api.losses.SparseCategoricalCrossentropy(from_logits=True),
        lambda y: y,
    ),
    "categorical": (with_softmax, lambda api: "categorical_crossentropy", one_hot),
    "categorical smoothed logits": (
        lambda api: image_model(api, 3),
        lambda api: api.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=0.2
        ),
        one_hot,
    ),
    "binary logits": (
        lambda api: image_model(api, 1),
        lambda api: api.losses.BinaryCrossentropy(
            from_logits=True, label_smoothing=0.1
        ),
        lambda y: (y > 0)[:, None],
    ),
    "mse": (lambda api: image_model(api, 1), lambda api: "mse", lambda y: y),
    "mae sum": (
        lambda api: image_model(api, 3),
        lambda api: api.losses.MeanAbsoluteError(reduction="sum"),
        one_hot,
    ),
    "mse weighted mean": (
        lambda api: image_model(api, 3),
        lambda api: api.losses.MeanSquaredError(reduction="mean_with_sample_weight"),
        one_hot,
    ),
}
OPTIMIZERS = {
    "sgd": lambda api: api.optimizers.SGD(0.1),
    "momentum": lambda api: api.optimizers.SGD(0.05, momentum=0.9),
    "nesterov": lambda api: api.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda api: api.optimizers.Adam(0.01),
    "adam odd": lambda api: api.optimizers.Adam(0.02, 0.7, 0.9, epsilon=1e-3),
}


# Each loss with and without weights, each optimizer at least twice: all pairs would
# take minutes, as Keras compiles every one.
CASES = [
    (loss, list(OPTIMIZERS)[(i + weighted) % len(OPTIMIZERS)], weighted)
    for i, loss in enumerate(LOSSES)
    for weighted in (False, True)
]


@pytest.mark.parametrize(("loss", "optimizer", "weighted"), CASES)
def test_fit(loss, optimizer, weighted):
    build, make_loss, make_y = LOSSES[loss]
    x, y, weights = data()
    histories = []
    models = both(build)
    for api, model in zip((keras, pronghorn), models, strict=True):
        model.compile(
            optimizer=OPTIMIZERS[optimizer](api),
            loss=make_loss(api),
            metrics=["accuracy"],
            weighted_metrics=["acc", "accuracy"],
        )
        history = model.fit(
            x,
            make_y(y),
            batch_size=8,
            epochs=2,
            shuffle=False,
            verbose=0,
            sample_weight=weights if weighted else None,
            validation_data=(x[:7], make_y(y[:7])),
        )
        histories.append(history)
    assert_same_logs(histories[1].history, histories[0].history)
    assert_same_weights(models[1], models[0])
    assert histories[1].epoch == histories[0].epoch
    np.testing.assert_allclose(
        models[1].predict(x, verbose=0), models[0].predict(x, verbose=0), **TOLERANCE
    )


def run_both(build, compile_with, program):
    results = []
    models = both(build)
    for api, model in zip((keras, pronghorn), models, strict=True):
        model.compile(**compile_with(api))
        results.append(program(model))
    assert_same_weights(models[1], models[0])
    return results


SPARSE = {
    "optimizer": "sgd",
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy", "acc", "sparse_categorical_crossentropy"],
}


@pytest.mark.filterwarnings("ignore:.*(ran out of data|samples ended)")
@pytest.mark.parametrize(
    "arguments",
    [
        {"validation_split": 0.3},
        {"validation_split": 0.3, "class_weight": {0: 2.0, 2: 0.5}},
        {"class_weight": {0: 2.0, 2: 0.5}},
        {"initial_epoch": 1, "epochs": 3},
        {"steps_per_epoch": 2, "epochs": 4},
        {"steps_per_epoch": 2, "batch_size": None},
        {"validation_split": 0.5, "validation_freq": 2, "epochs": 3},
        {"validation_split": 0.5, "validation_batch_size": 3, "validation_steps": 2},
        {"validation_split": 0.5, "validation_freq": [1, 3], "epochs": 3},
    ],
    ids=str,
)
def test_fit_arguments(arguments):
    x, y, _ = data()

    def program(model):
        settings = {"batch_size": 5, "epochs": 2, "shuffle": False, "verbose": 0}
        return model.fit(x, y, **(settings | arguments))

    theirs, ours = run_both(with_softmax, lambda api: SPARSE, program)
    assert_same_logs(ours.history, theirs.history)
    assert ours.params == theirs.params
    assert ours.epoch == theirs.epoch


def test_one_batch_methods_and_evaluate():
    x, y, weights = data()

    def program(model):
        return [
            model.train_on_batch(x, y),
            model.train_on_batch(x, y, sample_weight=weights, return_dict=True),
            model.train_on_batch(x, y, class_weight={1: 3.0}),
            model.test_on_batch(x[:5], y[:5]),
            model.test_on_batch(x, y, sample_weight=weights, return_dict=True),
            model.evaluate(x, y, batch_size=5, verbose=0),
            model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True),
            model.evaluate(x, y, steps=2, batch_size=4, verbose=0),
            model.predict_on_batch(x[:2]),
            model.predict(x, steps=2, batch_size=4, verbose=0),
        ]

    theirs, ours = run_both(with_softmax, lambda api: SPARSE, program)
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, dict):
            assert_same_logs(a, b)
        else:
            np.testing.assert_allclose(a, b, **TOLERANCE)


def test_evaluate_gives_a_number_without_metrics():
    x, y, _ = data()
    settings = {"optimizer": "sgd", "loss": "mse"}
    theirs, ours = run_both(
        lambda api: image_model(api, 1),
        lambda api: settings,
        lambda model: model.evaluate(x, y, verbose=0),
    )
    assert isinstance(ours, float)
    np.testing.assert_allclose(ours, theirs, **TOLERANCE)


def two_headed(api):
    """A shared layer, a nested model, two inputs, two outputs."""
    layers = api.layers
    first = layers.Input((6,), name="first")
    second = layers.Input((6,), name="second")
    shared = layers.Dense(4, activation="tanh", name="shared")
    inner_x = layers.Input((4,))
    inner = api.Model(inner_x, layers.Dense(3, activation="relu", name="i")(inner_x))
    a = layers.Dense(3, activation="softmax", name="a")(inner(shared(first)))
    b = layers.Dense(1, name="b")(shared(second))
    return api.Model([first, second], [a, b])


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": ["sparse_categorical_crossentropy", "mse"]},
        {
            "loss": {"a": "sparse_categorical_crossentropy", "b": "mae"},
            "loss_weights": {"a": 0.5, "b": 2.0},
            "metrics": {"a": ["accuracy"], "b": ["mae", "mse"]},
        },
        {
            "loss": ["sparse_categorical_crossentropy", "mse"],
            "loss_weights": [1.0, 0.1],
            "metrics": [["accuracy"], ["mse"]],
            "weighted_metrics": [["accuracy"], None],
        },
    ],
    ids=str,
)
def test_several_inputs_and_outputs(settings):
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(ROWS, 6)).astype(np.float32) for _ in range(2)]
    y = [rng.integers(0, 3, ROWS), rng.normal(size=ROWS)]
    weights = rng.random(ROWS).astype(np.float32)

    def program(model):
        history = model.fit(
            x,
            y,
            batch_size=6,
            epochs=2,
            shuffle=False,
            verbose=0,
            sample_weight=[weights, weights],
        )
        return (
            history.history,
            model.evaluate(x, y, verbose=0),
            model.predict(x, verbose=0),
        )

    compile_with = {"optimizer": "adam", **settings}
    theirs, ours = run_both(two_headed, lambda api: compile_with, program)
    assert_same_logs(ours[0], theirs[0])
    np.testing.assert_allclose(ours[1], theirs[1], **TOLERANCE)
    for a, b in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_allclose(a, b, **TOLERANCE)


def test_layers_of_a_graph_have_keras_order_and_weights_too():
    theirs, ours = two_headed(keras), two_headed(pronghorn)

    def names(model):
        return [type(layer).__name__ for layer in model.layers]

    assert names(ours) == names(theirs)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert ours.count_params() == theirs.count_params()


def test_frozen_layers_do_not_move():
    x, y, _ = data()

    def build(api):
        model = with_softmax(api)
        model.get_layer("c1").trainable = False
        model.layers[-2].trainable = False
        return model

    def program(model):
        model.fit(x, y, epochs=2, batch_size=5, shuffle=False, verbose=0)
        return [len(model.trainable_weights), len(model.non_trainable_weights)]

    theirs, ours = run_both(build, lambda api: SPARSE, program)
    assert ours == theirs
