# SPDX-License-Identifier: Apache-2.0
"""Optimizers, regularizers, constraints: Keras's weights and losses."""

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(4)
X = RNG.normal(size=(29, 7)).astype(np.float32)
Y = RNG.normal(size=(29, 3)).astype(np.float32)
W = RNG.normal(size=(7, 40)).astype(np.float32)
V = RNG.normal(size=(40, 3)).astype(np.float32)
BATCH = 8

OPTIMIZERS = [
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"clipvalue": 0.01, "momentum": 0.5}),
    ("SGD", {"clipnorm": 0.3}),
    ("SGD", {"global_clipnorm": 0.3, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"global_clipnorm": 1e6}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.6, "rho": 0.8}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.4, "epsilon": 1e-3}),
    ("Adagrad", {}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "epsilon": 1e-2}),
    ("Adadelta", {"learning_rate": 0.5}),
    ("Adadelta", {"learning_rate": 0.5, "rho": 0.7, "epsilon": 1e-4}),
    ("Adam", {"amsgrad": True, "beta_2": 0.5}),
    ("Adam", {"weight_decay": 0.05, "clipnorm": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.3}),
    ("Adamax", {}),
    ("Adamax", {"beta_1": 0.5, "beta_2": 0.9}),
    ("Nadam", {}),
    ("Nadam", {"beta_1": 0.7, "epsilon": 1e-4}),
]


def config(kind, **arguments):
    return {"class_name": kind, "config": arguments}


RULES = [
    {"kernel_regularizer": "l2"},
    {"kernel_regularizer": config("L1", l1=0.02), "bias_regularizer": "l2"},
    {"kernel_regularizer": config("L1L2", l1=0.02, l2=0.03)},
    {"kernel_regularizer": config("OrthogonalRegularizer", factor=0.3, mode="rows")},
    {"kernel_regularizer": config("OrthogonalRegularizer", factor=2.0, mode="columns")},
    {"activity_regularizer": config("L1L2", l1=0.02, l2=0.03)},
    {"kernel_constraint": "non_neg", "bias_constraint": "non_neg"},
    {"kernel_constraint": config("MaxNorm", max_value=1.0, axis=0)},
    {"kernel_constraint": config("MaxNorm", max_value=2.0, axis=1)},
    {"kernel_constraint": config("UnitNorm", axis=[0, 1])},
    {
        "kernel_constraint": config(
            "MinMaxNorm", min_value=2.0, max_value=3.0, rate=0.4, axis=0
        ),
        "kernel_regularizer": "l2",
    },
]


def trained(api, optimizer, arguments, rules):
    """Logs of training and of evaluation, and the weights."""
    model = api.Sequential(
        [
            api.Input((7,)),
            api.layers.Dense(40, activation="tanh", **rules),
            api.layers.Dense(3),
        ]
    )
    rate = arguments.get("learning_rate", 0.05)
    made = getattr(api.optimizers, optimizer)(**{**arguments, "learning_rate": rate})
    model.compile(made, loss="mse", metrics=["mae"])
    model.set_weights([W, np.full(40, 0.1), V, np.zeros(3)])
    history = model.fit(X, Y, BATCH, epochs=2, shuffle=False, verbose=0).history
    found = model.evaluate(X, Y, BATCH, verbose=0, return_dict=True)
    return history, found, model.get_weights()


def compare(optimizer, arguments, rules):
    ours, theirs = (
        trained(api, optimizer, arguments, rules) for api in (pronghorn, keras)
    )
    for mine, other in zip(ours[:2], theirs[:2], strict=True):
        assert list(mine) == list(other)
        for key in mine:
            np.testing.assert_allclose(mine[key], other[key], rtol=2e-5, err_msg=key)
    for mine, other in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("optimizer", "arguments"), OPTIMIZERS)
def test_optimizers(optimizer, arguments):
    compare(optimizer, arguments, {})


@pytest.mark.parametrize("rules", RULES)
def test_rules(rules):
    compare("SGD", {"momentum": 0.5}, rules)


def test_rules_and_clipping():
    compare("Adam", {"global_clipnorm": 0.2, "weight_decay": 0.1}, RULES[2])
    compare("SGD", {"clipnorm": 0.2}, {**RULES[2], **RULES[7]})
    compare("SGD", {"clipvalue": 0.02}, {**RULES[0], **RULES[3]})


def test_configurations():
    for name in ("Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "Adadelta", "Nadam"):
        ours, theirs = (getattr(a.optimizers, name)() for a in (pronghorn, keras))
        expected = theirs.get_config()
        for key, value in ours.get_config().items():
            if key != "name":
                np.testing.assert_allclose(
                    np.float64(np.nan if value is None else value),
                    np.float64(np.nan if expected[key] is None else expected[key]),
                    rtol=1e-6,
                    err_msg=key,
                )
    for rules in RULES:
        made = [api.layers.Dense(2, **rules) for api in (pronghorn, keras)]
        ours, theirs = (layer.get_config() for layer in made)
        for key in rules:
            assert ours[key]["class_name"] == theirs[key]["class_name"]
            for name, value in ours[key]["config"].items():
                expected = theirs[key]["config"][name]
                assert value == expected or np.isclose(value, expected)


SCHEDULES = [
    ("ExponentialDecay", (0.1, 7, 0.9)),
    ("ExponentialDecay", (0.1, 7, 0.9, True)),
    ("InverseTimeDecay", (0.1, 7, 0.9)),
    ("InverseTimeDecay", (0.1, 7, 0.9, True)),
    ("PiecewiseConstantDecay", ([3, 8], [0.3, 0.2, 0.1])),
    ("PolynomialDecay", (0.1, 9, 0.01, 2.0)),
    ("PolynomialDecay", (0.1, 9, 0.01, 0.5, True)),
    ("CosineDecay", (0.1, 9, 0.2)),
    ("CosineDecay", (0.1, 9, 0.2, "c", 0.4, 5)),
    ("CosineDecayRestarts", (0.1, 5, 2.0, 0.8, 0.1)),
    ("CosineDecayRestarts", (0.1, 5, 1.0)),
]


@pytest.mark.parametrize(("name", "arguments"), SCHEDULES)
def test_schedules(name, arguments):
    ours, theirs = (
        getattr(api.optimizers.schedules, name)(*arguments)
        for api in (pronghorn, keras)
    )
    for step in range(25):
        np.testing.assert_allclose(
            ours(step), float(theirs(step)), rtol=1e-5, atol=1e-8
        )
    config = ours.get_config()
    assert config == {k: v for k, v in theirs.get_config().items() if k in config}
    module = pronghorn.optimizers.schedules
    assert module.deserialize(module.serialize(ours)).get_config() == config


def test_schedule_in_training():
    results = []
    for api in (pronghorn, keras):
        rate = api.optimizers.schedules.ExponentialDecay(0.2, 2, 0.5)
        results.append(trained(api, "SGD", {"learning_rate": rate}, {}))
    for mine, other in zip(results[0][2], results[1][2], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
