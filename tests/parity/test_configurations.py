# SPDX-License-Identifier: Apache-2.0
"""Drawn models trained three steps by Keras and by pronghorn: same numbers."""

import numpy as np
import pytest

import pronghorn

keras = pytest.importorskip("keras", reason="the extra [parity] is not installed")
jax = pytest.importorskip("jax", reason="the extra [parity] is not installed")

from drawing.choices import branches_of  # noqa: E402
from drawing.comparison import build, differences, draw_data, made, run  # noqa: E402
from drawing.configuration import draw  # noqa: E402
from drawing.families import FAMILIES  # noqa: E402

# A ReLU may sit on its bend within rounding, a softmax saturate, a vector of zeros be
# normalised, of which Keras's gradient is NaN. With the next data they do not.
ATTEMPTS = 2
MOST_REPEATED = 0.02
KEPT = 50  # models whose programs stay compiled; each takes 6 MB


def output_shape(layer, shape):
    merged = [shape]
    for branch in branches_of(layer):
        after = shape
        for one in branch:
            after = output_shape(one, after)
        merged.append(after)
    shapes = [(None, *one) for one in merged]
    shapes = shapes if branches_of(layer) else shapes[0]
    return tuple(made(keras, layer).compute_output_shape(shapes)[1:])


def by_keras(configuration, data, dtype):
    before = keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        said = run(build(keras, configuration), configuration, data)
        if any(np.isnan(value).any() for value in said.values()):
            # The gradient of a maximum asks which values equal it. Where XLA computes
            # them anew with another rounding, none does: 0 / 0. Op by op they are kept.
            model = build(keras, configuration, jit_compile=False, run_eagerly=True)
            said = run(model, configuration, data)
        return said
    finally:
        keras.config.set_floatx(before.name)
        keras.config.set_dtype_policy(before)


def compare(configuration, attempt):
    """What differs, if anything."""
    model = build(pronghorn, configuration)
    data = draw_data(configuration, model, attempt)
    ours = run(model, configuration, data)
    expected = by_keras(configuration, data, "float64")
    found = differences(ours, expected, data)
    if found:
        theirs = by_keras(configuration, data, "float32")
        found = differences(ours, expected, data, theirs)
    return found


@pytest.fixture(scope="module")
def repeated():
    """Numbers of the configurations that needed a second attempt, and of all."""
    counts = [0, 0]
    yield counts
    keras.backend.clear_session()
    assert counts[0] <= 1 + MOST_REPEATED * counts[1], f"{counts} needed other data"


def test_configuration(seed, number, repeated):
    configuration = draw(seed, number, output_shape)
    repeated[1] += 1
    if repeated[1] % KEPT == 0:
        keras.backend.clear_session()
        jax.clear_caches()
    complaints = []
    for attempt in range(ATTEMPTS):
        found = compare(configuration, attempt)
        if not found:
            repeated[0] += attempt > 0
            return
        complaints.append("\n  ".join([f"data {attempt}:", *found]))
    pytest.fail("\n".join([*complaints, str(configuration)]), pytrace=False)


def in_both(part):
    """Names of the classes that Keras has too."""
    ours, theirs = getattr(pronghorn, part), getattr(keras, part)
    names = {n for n in dir(ours) if isinstance(getattr(ours, n), type)}
    return {getattr(ours, n).__name__ for n in names if hasattr(theirs, n)}


def test_everything_is_drawn():
    layers, losses, optimizers, words = set(), set(), set(), ""
    for index in range(20 * len(FAMILIES)):
        drawn = draw(0, index, output_shape)
        layers |= {layer[0] for layer in drawn.layers}
        losses.add(drawn.loss[0])
        optimizers.add(drawn.optimizer[0])
        words += str(drawn.layers)
    # A Lambda is around what a user writes: test_custom.py.
    assert layers == in_both("layers") - {"Layer", "InputLayer", "Lambda"}
    # What CTC and Circle take is no output of a drawn model: test_losses.py.
    assert losses == in_both("losses") - {"Loss", "CTC", "Circle"}
    assert optimizers == in_both("optimizers") - {"Optimizer"}
    rules = in_both("constraints") | in_both("regularizers")
    for name in rules - {"Constraint", "Regularizer"}:
        assert f"'{name}'" in words
