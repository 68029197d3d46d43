# SPDX-License-Identifier: Apache-2.0
"""NaN goes where NumPy's rules send it, from vector bodies and tails alike, and never
into another image of the batch."""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, arrays
from pronghorn.testing.running import isas, run_op

WIDTHS = [1, 2, 3, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33]

OPS = {
    "relu": ("activation", {"kind": "relu"}, None),
    "tanh": ("activation", {"kind": "tanh"}, None),
    "sigmoid": ("activation", {"kind": "sigmoid"}, None),
    "ReLU": ("relu", {"negative_slope": 0.1, "threshold": 0.2, "max_value": 2.0}, None),
    "gelu": ("unary", {"kind": "gelu"}, None),
    "elu": ("unary", {"kind": "elu", "alpha": 0.5}, None),
    "hard_silu": ("unary", {"kind": "hard_silu"}, None),
    "log_sigmoid": ("unary", {"kind": "log_sigmoid"}, None),
    "softmax": ("softmax", {}, None),
    "log_softmax": ("log_softmax", {}, None),
    "max_pool2d": ("max_pool2d", {"pool_size": [2, 2], "strides": [1, 1]}, None),
    "average_pool2d": ("average_pool2d", {"padding": "same"}, None),
    "global_average_pool": ("global_average_pool", {}, None),
    "global_max_pool": ("global_max_pool", {}, None),
    "adaptive_max_pool": ("adaptive_max_pool", {"output_size": [3, 2]}, None),
    "adaptive_average_pool": ("adaptive_average_pool", {"output_size": [3, 2]}, None),
    "upsample_nearest": ("upsample_nearest", {"size": [2, 3]}, None),
    "flatten": ("flatten", {}, None),
    "conv2d": ("conv2d", {"padding": "same"}, lambda width: (3, 3, width, 5)),
    "conv2d grouped": ("conv2d", {"groups": 1}, lambda width: (2, 2, width, width)),
    "dense": ("dense", {}, lambda width: (width, 9)),
}


def agree(op, x, attributes, weights):
    clean = {isa: run_op(op, [x], attributes, weights, isa) for isa in isas()}
    for channel in {0, x.shape[-1] // 2, x.shape[-1] - 1}:
        for image in {0, len(x) - 1}:
            bad = x.copy()
            bad[image, 1, 2, channel] = np.nan
            with np.errstate(invalid="ignore"):
                expected = REFERENCES[op].forward([bad, *weights], attributes)
            for isa, without in clean.items():
                y = run_op(op, [bad], attributes, weights, isa)
                where = (
                    f"{op} [{isa}] batch {len(x)}, channel {channel} of {x.shape[-1]}"
                )
                np.testing.assert_array_equal(
                    np.isnan(y), np.isnan(expected), err_msg=where
                )
                good = ~np.isnan(expected)
                np.testing.assert_array_equal(y[good], without[good], err_msg=where)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", OPS)
def test_nan_propagates(name, width):
    op, attributes, kernel = OPS[name]
    weights = [] if kernel is None else [arrays.normal(2, *kernel(width))]
    for batch in (1, 17):
        agree(op, arrays.normal(1, batch, 4, 5, width), attributes, weights)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", ["conv2d", "dense"])
def test_nan_passes_a_fused_relu(op, width):
    x = arrays.normal(1, 17, 4, 5, width)
    x[3, 2, 2, width - 1] = np.nan
    weights = arrays.normal(2, *([3, 3] if op == "conv2d" else []), width, 7)
    expected = REFERENCES[op].forward([x, weights], {})
    for isa in isas():
        graph = _core.Graph(len(x), False, isa)
        buffer = _core.Buffer(weights.shape)
        buffer.array[...] = weights
        tensor = graph.add(op, [graph.input(x.shape[1:]), graph.parameter(buffer)], {})
        output = graph.add("activation", [tensor], {"kind": "relu"})
        y = np.zeros(graph.shape(output), np.float32)
        graph.compile([output]).run([x], np.arange(len(x)), [y])
        np.testing.assert_array_equal(np.isnan(y), np.isnan(expected), err_msg=isa)


@pytest.mark.parametrize(
    "name",
    ["mean_squared_error", "mean_absolute_error", "categorical_crossentropy",
     "binary_crossentropy", "sparse_categorical_crossentropy"],
)  # fmt: skip
@pytest.mark.parametrize("from_logits", [False, True])
def test_nan_reaches_the_loss_of_its_image_only(name, from_logits):
    attributes = {"from_logits": from_logits} if "crossentropy" in name else {}
    for width in WIDTHS:
        y_pred = arrays.probabilities(1, 9, width)
        y_true = arrays.probabilities(2, 9, width)
        if name.startswith("sparse"):
            y_true = arrays.labels(2, width, 9)
        y_pred[4, width - 1] = np.nan
        for isa in isas():
            y = run_op(name, [y_pred, y_true], attributes, isa=isa)
            assert np.flatnonzero(np.isnan(y)).tolist() == [4], (isa, width)
