# SPDX-License-Identifier: Apache-2.0
"""Every layer keeps the promises of check_layer; one without cases fails."""

import inspect
import re
from pathlib import Path

import pytest

from pronghorn import layers
from pronghorn.testing import check_layer

# class, arguments, input, output, parameters
CASES = [
    ("Activation", {"activation": "tanh"}, (5,), (5,), 0),
    ("Activation", {"activation": "softmax"}, (4, 3), (4, 3), 0),
    ("AveragePooling2D", {}, (7, 6, 3), (3, 3, 3), 0),
    ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"},
     (7, 6, 3), (4, 3, 3), 0),
    ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, (6,), (6,), 0),
    ("Conv2D", {"filters": 6, "kernel_size": 5}, (28, 28, 1), (24, 24, 6), 156),
    ("Conv2D", {"filters": 4, "kernel_size": (3, 2), "strides": (2, 1),
                "padding": "same", "activation": "relu"}, (7, 6, 3), (4, 6, 4), 76),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2, "use_bias": False,
                "kernel_initializer": "he_normal"}, (6, 6, 4), (4, 4, 6), 108),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "dilation_rate": 2,
                "bias_initializer": "ones"}, (9, 8, 2), (5, 4, 3), 57),
    ("Dense", {"units": 7}, (5,), (7,), 42),
    ("Dense", {"units": 3, "activation": "sigmoid", "use_bias": False},
     (4, 5), (4, 3), 15),
    ("Dropout", {"rate": 0.3}, (4, 5), (4, 5), 0),
    ("Dropout", {"rate": 0.5, "seed": 7}, (6, 6, 3), (6, 6, 3), 0),
    ("Flatten", {}, (4, 3, 2), (24,), 0),
    ("GlobalAveragePooling2D", {}, (5, 4, 3), (3,), 0),
    ("GlobalAveragePooling2D", {"keepdims": True}, (5, 4, 3), (1, 1, 3), 0),
    ("MaxPooling2D", {}, (7, 6, 3), (3, 3, 3), 0),
    ("MaxPooling2D", {"pool_size": (3, 2), "strides": 1, "padding": "same"},
     (7, 6, 3), (7, 6, 3), 0),
    ("ReLU", {}, (6,), (6,), 0),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2},
     (6, 2), (6, 2), 0),
    ("Softmax", {}, (6,), (6,), 0),
    ("Softmax", {"axis": 1}, (6, 4), (6, 4), 0),
]  # fmt: skip
NOT_LAYERS_OF_A_STACK = {"Input", "InputLayer", "Layer"}


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(CASES)]
)
def test_layer(case):
    name, kwargs, input_shape, output_shape, parameters = case
    check_layer(
        getattr(layers, name),
        kwargs,
        input_shape=input_shape,
        output_shape=output_shape,
        parameters=parameters,
        jumps="threshold" in kwargs,
    )


def test_every_layer_has_cases():
    exported = {
        name
        for name in layers.__all__
        if inspect.isclass(getattr(layers, name))
        and issubclass(getattr(layers, name), layers.Layer)
    }
    aliases = {n for n in exported if getattr(layers, n).__name__ != n}
    files = Path(__file__).parent.glob("test_*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    covered = {name for name in exported if re.search(rf"\b{name}\b", text)}
    assert exported - aliases - NOT_LAYERS_OF_A_STACK <= covered


class Broken(layers.Dense):
    """Says it has another shape."""

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units + 1)


class Forgetful(layers.Dense):
    """Loses an argument in its configuration."""

    def get_config(self):
        return {**super().get_config(), "units": 1}


class Stuck(layers.Flatten):
    """Has a weight that nothing uses."""

    def build(self, input_shape):
        self.add_weight((3,), name="unused")


@pytest.mark.parametrize(
    ("cls", "kwargs", "error", "complaint"),
    [
        (Broken, {"units": 4}, AssertionError, "compute_output_shape says"),
        (Forgetful, {"units": 4}, ValueError, "expected"),  # weights do not fit
        (Stuck, {}, AssertionError, "no gradient reached weight 'unused'"),
    ],
)
def test_it_finds_what_is_wrong(cls, kwargs, error, complaint):
    with pytest.raises(error, match=complaint):
        check_layer(cls, kwargs, input_shape=(3,))
