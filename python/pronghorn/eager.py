# SPDX-License-Identifier: Apache-2.0
"""Ops of the core on NumPy arrays, one at a time.

Formulas are written once, in the core: `activations.relu(x)` or a loss called on arrays
runs a graph of a single op.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn._native import core as _core

Array = NDArray[np.float32]


def run_op(op: str, arrays: Sequence[NDArray[Any]], **attributes: Any) -> Array:
    """Runs one op over the rows of `arrays` (float32 or int32, C-contiguous)."""
    rows = len(arrays[0])
    graph = _core.Graph(max(rows, 1), False)
    inputs = [graph.input(array.shape[1:], str(array.dtype)) for array in arrays]
    output = graph.add(op, inputs, attributes)
    result = np.empty((rows, *graph.shape(output)[1:]), np.float32)
    if rows:
        plan = graph.compile(outputs=[output])
        plan.run(arrays, np.arange(rows), outputs=[result])
    return result


def as_float(x: Any, name: str) -> Array:
    """`x` as a float32 array, C-contiguous; what is no number is refused."""
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        got = repr(x) if array.ndim == 0 else f"dtype {array.dtype}"
        raise ValueError(f"{name}: expected numbers, got {got}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32).reshape(array.shape)
