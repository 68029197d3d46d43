# SPDX-License-Identifier: Apache-2.0
"""Runs a single op of the core on arrays: what the checks and special tests need."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn._native import core as _core
from pronghorn.testing.reference import Array

LOWEST = -3e38  # every output is above it, so that |y - LOWEST| grows with y


def isas() -> list[str]:
    """Instruction sets that this CPU runs."""
    return list(_core.supported_isas())


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """Sets the number of threads for a while."""
    before = _core.num_threads()
    _core.set_num_threads(count)
    try:
        yield
    finally:
        _core.set_num_threads(before)


def narrow(array: Array) -> Array:
    """float32, or int32 for labels; C-contiguous."""
    kind = np.int32 if np.asarray(array).dtype.kind in "iu" else np.float32
    return np.ascontiguousarray(array, dtype=kind)


def add_inputs(
    graph: Any, arrays: Sequence[Array], differentiable: Sequence[int]
) -> list[int]:
    """Inputs for arrays with images first."""
    return [
        int(graph.input(a.shape[1:], str(a.dtype), i in differentiable))
        for i, a in enumerate(arrays)
    ]


def add_parameters(graph: Any, arrays: Sequence[Array], trainable: bool) -> list[int]:
    """Parameters that hold copies of the arrays."""
    tensors = []
    for array in arrays:
        buffer = _core.Buffer(array.shape)
        buffer.array[...] = array
        tensors.append(int(graph.parameter(buffer, trainable)))
    return tensors


def run_op(
    op: str,
    inputs: Sequence[Array],
    attributes: Mapping[str, Any] | None = None,
    parameters: Sequence[Array] = (),
    isa: str = "",
) -> NDArray[np.float32]:
    """The op's output on all images of `inputs` as one batch."""
    inputs, parameters = [narrow(a) for a in inputs], [narrow(a) for a in parameters]
    graph = _core.Graph(len(inputs[0]), False, isa)
    tensors = add_inputs(graph, inputs, ()) + add_parameters(graph, parameters, False)
    output = graph.add(op, tensors, dict(attributes or {}))
    y = np.full(graph.shape(output), np.nan, np.float32)
    plan = graph.compile([output])
    plan.run(inputs, np.arange(len(inputs[0])), [y])
    return y


def gradients_of(
    op: str,
    inputs: Sequence[Array],
    attributes: Mapping[str, Any] | None = None,
    parameters: Sequence[Array] = (),
    isa: str = "",
    loss: bool = False,
) -> list[NDArray[np.float32]]:
    """Gradients of the sum of the op's output: by the first input, then the parameters.

    Args:
        op: The op's registered name.
        inputs: Arrays with images first.
        attributes: The op's attributes.
        parameters: The op's weights.
        isa: Instruction set; "" is the process's.
        loss: The output has shape (batch,) and is a loss itself.
    """
    inputs, parameters = [narrow(a) for a in inputs], [narrow(a) for a in parameters]
    batch = len(inputs[0])
    graph = _core.Graph(batch, True, isa)
    tensors = add_inputs(graph, inputs, (0,)) + add_parameters(graph, parameters, True)
    output = graph.add(op, tensors, dict(attributes or {}))
    size = batch
    if not loss:
        if len(graph.shape(output)) == 1:
            output = graph.add("reshape", [output], {"shape": [1]})
        shape = graph.shape(output)
        size = int(np.prod(shape))
        inputs.append(np.full(shape, LOWEST, np.float32))
        target = graph.input(shape[1:])
        output = graph.add("mean_absolute_error", [output, target], {})
    plan = graph.compile(losses=[(output, -1, "sum_over_batch_size", float(size))])
    return list(plan.gradients(inputs, np.arange(batch)))
