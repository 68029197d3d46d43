# SPDX-License-Identifier: Apache-2.0
"""Runs a configuration in both libraries and compares what they say.

The yardstick is Keras in float64. Ours must be within float32 rounding of it; where the
problem itself magnifies rounding (Adam divides by gradients that should be zero), Keras
in float32 says how much.
"""

from dataclasses import dataclass

import numpy as np

from drawing.choices import CLASSES, branches_of
from drawing.objectives import draw_targets

RELATIVE = 1e-4  # of the change, for weights; of the largest value, for the rest
ULPS = 1e-6  # of the largest value
MAGNIFIED = 10  # times Keras's own float32 error


@dataclass
class Data:
    """Images, targets, weights of samples, and initial weights of the model."""

    x: np.ndarray
    y: np.ndarray
    weights: dict  # sample_weight or class_weight, if any
    initial: list


def made(api, drawn):
    """The layer that a family drew."""
    name, arguments = drawn[:2]
    if name == "TimeDistributed":
        arguments = {"layer": made(api, arguments["layer"])}
    return getattr(api.layers, name)(**arguments)


def applied(api, drawn, x):
    """What it makes of a symbolic tensor, and of the branches that start there."""
    if not branches_of(drawn):
        return made(api, drawn)(x)
    inputs = [x]
    for branch in branches_of(drawn):
        y = x
        for layer in branch:
            y = made(api, layer)(y)
        inputs.append(y)
    return made(api, drawn)(inputs)


def build(api, configuration, **compilation):
    """The compiled model; arguments of `compile` as further ones."""
    dtype = "int32" if configuration.images == "whole numbers" else None
    inputs = api.Input(configuration.input_shape, dtype=dtype)
    if configuration.functional:
        outputs = inputs
        for drawn in configuration.layers:
            outputs = applied(api, drawn, outputs)
        model = api.Model(inputs, outputs)
    else:
        layers = [made(api, drawn) for drawn in configuration.layers]
        model = api.Sequential([inputs, *layers])
    loss, loss_arguments = configuration.loss
    optimizer, optimizer_arguments = configuration.optimizer
    model.compile(
        optimizer=getattr(api.optimizers, optimizer)(**optimizer_arguments),
        loss=getattr(api.losses, loss)(**loss_arguments),
        metrics=configuration.metrics,
        **{"jit_compile": True, **compilation},
    )
    return model


def draw_data(configuration, model, attempt):
    """Data and weights; with each attempt smaller weights, no zeros after the first.

    Where a softmax saturates the two differ by design: Keras clips probabilities at
    1e-7 and its gradient vanishes, pronghorn goes on with the logits.
    """
    rng = np.random.default_rng([configuration.seed, configuration.number, attempt, 1])
    shape = (configuration.rows, *configuration.input_shape)
    if configuration.images == "whole numbers":
        x = rng.integers(0, CLASSES, shape)
    elif configuration.images == "uint8":
        x = rng.integers(attempt, attempt + 2, shape).astype(np.uint8)
    else:
        x = rng.normal(size=shape).astype(np.float32).astype(configuration.images)
    predictions = (configuration.rows, *model.output_shape[1:])
    y = draw_targets(rng, configuration.target, predictions)
    weights = {}
    if configuration.weighted == "samples":
        drawn = rng.uniform(0, 2, configuration.rows).astype(np.float32)
        weights = {"sample_weight": drawn}
    elif configuration.weighted == "classes":
        drawn = rng.uniform(0, 2, predictions[-1])
        weights = {"class_weight": dict(enumerate(drawn.tolist()))}
    initial = []
    for weight in model.weights:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        drawn = rng.normal(size=weight.shape) / fan_in**0.5 / 4**attempt
        if "variance" in weight.name:
            drawn = np.abs(drawn)
        initial.append(drawn.astype(np.float32))
    return Data(x, y, weights, initial)


def run(model, configuration, data):
    """Everything the model says before, during and after three steps."""
    model.set_weights(data.initial)
    rows, batch, logs = configuration.rows, configuration.batch, []
    said = {"first prediction": model.predict(data.x, batch_size=rows, verbose=0)}
    if configuration.step_by_step:
        for begin in range(0, rows, batch):
            part = slice(begin, begin + batch)
            weights = dict(data.weights)
            if "sample_weight" in weights:
                weights["sample_weight"] = weights["sample_weight"][part]
            logs.append(
                model.train_on_batch(
                    data.x[part], data.y[part], return_dict=True, **weights
                )
            )
    else:
        history = model.fit(
            data.x,
            data.y,
            batch_size=batch,
            shuffle=False,
            verbose=0,
            **data.weights,
        )
        logs.append({name: values[0] for name, values in history.history.items()})
    for step, log in enumerate(logs):
        said |= {f"step {step}: {name}": value for name, value in sorted(log.items())}
    said |= {f"weight {i} {w.shape}": w for i, w in enumerate(model.get_weights())}
    tested = model.evaluate(
        data.x,
        data.y,
        batch_size=rows,
        sample_weight=data.weights.get("sample_weight"),
        verbose=0,
        return_dict=True,
    )
    said |= {f"evaluate: {name}": value for name, value in sorted(tested.items())}
    said["prediction"] = model.predict(data.x, batch_size=rows, verbose=0)
    return {name: np.asarray(value, np.float64) for name, value in said.items()}


def allowed(name, expected, data):
    """How far float32 may be from `expected`."""
    largest = np.abs(expected).max(initial=0)
    if name.startswith("weight"):
        initial = data.initial[int(name.split()[1])]
        change = np.abs(expected - initial).max(initial=0)
        return ULPS * largest + RELATIVE * change
    return RELATIVE * largest + ULPS


def differences(ours, expected, data, also=None):
    """Names and sizes of what is further off than allowed."""
    if list(ours) != list(expected):
        return [f"names: {list(ours)} instead of {list(expected)}"]
    found = []
    for name, right in expected.items():
        if ours[name].shape != right.shape:
            found.append(f"{name}: shape {ours[name].shape} instead of {right.shape}")
            continue
        error = np.abs(ours[name] - right).max(initial=0)
        bound = allowed(name, right, data)
        if also is not None:
            bound += MAGNIFIED * np.abs(also[name] - right).max(initial=0)
        if not error <= bound:
            found.append(f"{name}: off by {error:.3g}, allowed {bound:.3g}")
    return found
