# SPDX-License-Identifier: Apache-2.0
"""check_layer: everything that a layer promises, whatever it computes.

Its configuration makes an equal layer, its shapes are what it says, its weights can be
counted, read, set, saved and loaded, its gradients are those of finite differences,
and a model with it learns.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pronghorn import random
from pronghorn.layers import Dense, Flatten, Input, Layer
from pronghorn.models import Model, Sequential, gradients
from pronghorn.optimizers import Adam
from pronghorn.testing import arrays
from pronghorn.testing.reference import Array
from pronghorn.variable import Variable

Inputs = Array | list[Array]  # of a layer

BATCH = 19  # more than a group of vector lanes, and not a multiple of one
EPOCHS = 30
DIRECTIONS = 7
STEPS = (5e-3, 5e-4, 5e-5)


def check_layer(
    cls: type[Layer],
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_shape: Sequence[int] | Sequence[Sequence[int]],
    output_shape: Sequence[int] | None = None,
    parameters: int | None = None,
    below: int | None = None,
    jumps: bool = False,
    seed: int = 0,
) -> None:
    """Checks a layer; raises AssertionError that says what does not hold.

    Args:
        cls: The layer's class.
        kwargs: Its arguments.
        input_shape: Shape of an input, without the batch, or a list of shapes for a
            layer that is called on a list.
        output_shape: The shape that must come out, without the batch.
        parameters: The number of parameters that it must have.
        below: The inputs are whole numbers from 0 to below this.
        jumps: The function is not continuous: differences say nothing of gradients.
        seed: Of weights and data; pronghorn's random numbers start anew from it.

    Example:
        >>> from pronghorn import layers
        >>> from pronghorn.testing import check_layer
        >>> check_layer(
        ...     layers.Dense, {"units": 3}, input_shape=(5,), output_shape=(3,),
        ...     parameters=18,
        ... )
    """
    kwargs = dict(kwargs or {})
    what = f"{cls.__name__}({', '.join(f'{k}={v!r}' for k, v in kwargs.items())})"
    random.set_seed(seed)
    x = _draw(input_shape, below, seed)
    layer = cls(**kwargs)
    y = _check_shapes(what, layer, x, output_shape)
    _check_weights(what, layer, parameters, seed)
    _check_config(what, layer, x)
    _check_saving(what, cls, kwargs, x)
    _check_learning(what, cls, kwargs, x, arrays.normal(seed + 1, BATCH, 2))
    if not jumps:
        of_inputs = below is None
        try:
            _check_gradients(what, cls(**kwargs), x, seed, of_inputs)
        except AssertionError:
            # A kink within the shortest step is 4 % of a small layer's gradient. There
            # is none at other weights; a wrong gradient is wrong there too.
            _check_gradients(what, cls(**kwargs), x, seed + 1, of_inputs)
    _require(not np.isnan(y).any(), f"{what}: NaN in the output for finite inputs")


def _draw(
    input_shape: Sequence[int] | Sequence[Sequence[int]], below: int | None, seed: int
) -> Inputs:
    if input_shape and not isinstance(input_shape[0], int):
        shapes = [list(shape) for shape in input_shape if not isinstance(shape, int)]
        return [_array(shape, below, seed + i) for i, shape in enumerate(shapes)]
    return _array([n for n in input_shape if isinstance(n, int)], below, seed)


def _array(shape: Sequence[int], below: int | None, seed: int) -> Array:
    if below is None:
        return arrays.normal(seed, BATCH, *shape)
    return arrays.labels(seed, below, BATCH, *shape).astype(np.float32)


def _each(function: Callable[[Array], Any], x: Inputs) -> Any:
    """Of an input, or a list of them for a list."""
    return [function(one) for one in x] if isinstance(x, list) else function(x)


def _tensors(x: Inputs) -> Any:
    return _each(lambda one: Input(one.shape[1:]), x)


def _stack(x: Inputs, *stacked: Layer) -> Model:
    """A model of layers, the first of which takes x."""
    if not isinstance(x, list):
        return Sequential([Input(x.shape[1:]), *stacked])
    inputs = y = _tensors(x)
    for layer in stacked:
        y = layer(y)
    return Model(inputs, y)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _check_shapes(
    what: str, layer: Layer, x: Inputs, output_shape: Sequence[int] | None
) -> Array:
    """Shapes as computed, symbolic and real; the same bits again."""
    shape = _each(lambda one: (None, *one.shape[1:]), x)
    promised = tuple(layer.compute_output_shape(shape))
    _require(promised[0] is None, f"{what}: the batch of {promised} is not open")
    symbolic = layer(_tensors(x)).shape
    y = layer(x)
    for name, found in (("symbolic", symbolic[1:]), ("real", y.shape[1:])):
        _require(
            tuple(found) == promised[1:],
            f"{what}: {name} shape {found}, compute_output_shape says {promised[1:]}",
        )
    _require(len(y) == BATCH, f"{what}: {len(y)} outputs for {BATCH} inputs")
    if output_shape is not None:
        _require(
            promised[1:] == tuple(output_shape),
            f"{what}: output shape {promised[1:]}, expected {tuple(output_shape)}",
        )
    _same(layer(x), y, f"{what}: two calls")
    # Another batch size is another plan, perhaps another layout.
    close = np.allclose(
        layer(_each(lambda one: one[:1], x)), y[:1], rtol=1e-4, atol=1e-5
    )
    _require(close, f"{what}: an image alone and in a batch give different outputs")
    return np.asarray(y)


def _check_weights(what: str, layer: Layer, parameters: int | None, seed: int) -> None:
    before = layer.get_weights()
    count = sum(w.size for w in before)
    counted = layer.count_params()
    _require(counted == count, f"{what}: count_params() is {counted}, not {count}")
    if parameters is not None:
        _require(count == parameters, f"{what}: {count} parameters, not {parameters}")
    _require(
        len(before) == len(layer.weights)
        and len(layer.weights)
        == len(layer.trainable_weights) + len(layer.non_trainable_weights),
        f"{what}: weights are not its trainable and non-trainable ones",
    )
    values = [arrays.normal(seed + i, *w.shape) for i, w in enumerate(before)]
    for weight, value in zip(layer.weights, values, strict=True):
        if "variance" in weight.name:
            value[...] = np.abs(value)
    layer.set_weights(values)
    for wanted, got in zip(values, layer.get_weights(), strict=True):
        _same(got, wanted, f"{what}: get_weights() after set_weights()")
    for wrong in ([*values, np.zeros(1)], [np.zeros((1, *v.shape)) for v in values]):
        if len(wrong) == 0:
            continue
        try:
            layer.set_weights(wrong)
        except ValueError:
            pass
        else:
            raise AssertionError(f"{what}: set_weights() took weights that do not fit")
        for wanted, got in zip(values, layer.get_weights(), strict=True):
            _same(got, wanted, f"{what}: weights after a refused set_weights()")


def _check_config(what: str, layer: Layer, x: Inputs) -> None:
    config = layer.get_config()
    copy = type(layer).from_config(json.loads(json.dumps(config)))
    _require(
        copy.get_config() == config,
        f"{what}: from_config() of {config} made a layer with {copy.get_config()}",
    )
    _require(copy.name == layer.name, f"{what}: the name is lost in the configuration")
    copy(_tensors(x))
    copy.set_weights(layer.get_weights())
    _same(copy(x), layer(x), f"{what}: the layer made from its configuration")


def _check_saving(
    what: str, cls: type[Layer], kwargs: Mapping[str, Any], x: Inputs
) -> None:
    models = [_stack(x, cls(**kwargs)) for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.weights.h5"
        models[0].save_weights(path)
        models[1].load_weights(path)
    got, expected = (model.predict(x, verbose=0) for model in models)
    _same(got, expected, f"{what}: predictions after saving and loading")


def _check_gradients(
    what: str, layer: Layer, x: Inputs, seed: int, of_inputs: bool
) -> None:
    """Gradients against central differences, in inference mode."""
    feeds = x if isinstance(x, list) else [x]
    images = [Input(feed.shape[1:]) for feed in feeds]
    model = Model(images, layer(images if isinstance(x, list) else images[0]))
    for place, weight in enumerate(layer.weights):
        weight.assign(weight.value + 0.1 * arrays.normal(seed + place, *weight.shape))
    y = np.asarray(layer(x), np.float64)
    factors = arrays.normal(seed, *y.shape).astype(np.float64)
    noise = float(np.finfo(np.float32).eps * np.linalg.norm(factors * y))

    def value(inputs: Inputs) -> float:
        return float(np.sum(factors * np.asarray(layer(inputs), np.float64)))

    # The factors are an input of the graph: a constant has no batch.
    scaled = Input(factors.shape[1:])
    checked = Model([*images, scaled], model(images) * scaled)
    weights = layer.trainable_weights
    images = images if of_inputs else []
    wanted = [*images, *weights]
    found = gradients(checked, [*feeds, factors], wanted) if wanted else []
    for number in range(len(images)):

        def with_input(values: Array, number: int = number) -> float:
            changed = [*feeds[:number], values, *feeds[number + 1 :]]
            return value(changed if isinstance(x, list) else values)

        title = f"{what}: gradient by input {number}"
        _close_to_differences(title, with_input, feeds[number], found[number], noise)
    for weight, gradient in zip(weights, found[len(images) :], strict=True):
        before = weight.numpy()

        def moved(values: Array, weight: Variable = weight) -> float:
            weight.assign(values)
            return value(x)

        title = f"{what}: gradient by weight '{weight.name}'"
        _close_to_differences(title, moved, before, gradient, noise)
        weight.assign(before)


def _close_to_differences(
    what: str,
    value: Callable[[Array], float],
    at: Array,
    gradient: Array,
    noise: float,
) -> None:
    """Compares along random directions; `noise` is how much rounding moves the value.

    Long steps meet kinks, short ones rounding, and a wrong gradient fails with all.
    """
    scale = float(np.linalg.norm(gradient)) + 1e-3 * np.sqrt(gradient.size)
    directions = [arrays.normal(place, *at.shape) for place in range(DIRECTIONS)]
    expected = [float(np.sum(gradient.astype(np.float64) * d)) for d in directions]
    error = np.inf
    for step in STEPS:
        slopes = [
            (value(at + np.float32(step) * d) - value(at - np.float32(step) * d))
            / (2 * step)
            for d in directions
        ]
        errors = [abs(a - b) for a, b in zip(slopes, expected, strict=True)]
        error = min(error, float(np.median(errors)) - noise / step)
    error /= scale
    _require(error < 0.03, f"{what} is off by {error:.1%} of its norm")


def _check_learning(
    what: str, cls: type[Layer], kwargs: Mapping[str, Any], x: Inputs, y: Array
) -> None:
    layer = cls(**kwargs)
    model = _stack(x, layer, Flatten(), Dense(2))
    model.compile(Adam(0.01), "mse")
    trained = layer.trainable_weights
    before = [w.numpy() for w in layer.weights]
    first = model.evaluate(x, y, verbose=0)
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    last = model.evaluate(x, y, verbose=0)
    _require(last < first, f"{what}: the loss went from {first} to {last}")
    for weight, old in zip(layer.weights, before, strict=True):
        if any(weight is one for one in trained):
            moved = not np.array_equal(weight.numpy(), old)
            _require(moved, f"{what}: no gradient reached weight '{weight.name}'")
    if before:
        layer.trainable = False
        frozen = [w.numpy() for w in layer.weights]
        model.compile(Adam(0.01), "mse")
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
        for weight, old in zip(layer.weights, frozen, strict=True):
            _same(weight.numpy(), old, f"{what}: weight '{weight.name}' while frozen")


def _same(got: Array, expected: Array, what: str) -> None:
    if got.shape != expected.shape or got.tobytes() != expected.tobytes():
        raise AssertionError(f"{what}: the values differ")
