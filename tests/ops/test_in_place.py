# SPDX-License-Identifier: Apache-2.0
"""Maps that a plan keeps for the batch: activations, and gradients in their places."""

import numpy as np
import pytest

from pronghorn._native import core as _core


def memory(shape, sides, batch):
    """Of a plan of convolutions with ReLUs, their kernels of these sides."""
    graph = _core.Graph(batch, True, "")
    x = graph.input(shape)
    for side in sides:
        kernel = graph.parameter(_core.Buffer((side, side, 16, 16)), True)
        x = graph.add("conv2d", [x, kernel], {"padding": "same"})
        x = graph.add("activation", [x], {"kind": "relu"})
    y = graph.add("global_average_pool", [x], {})
    target = graph.input((16,))
    loss = graph.add("mean_squared_error", [y, target], {})
    return graph.compile(losses=[(loss, -1, "sum", 1.0)]).memory


def maps(shape, sides):
    """That a plan has for each image; what threads have is full with 128 of them."""
    difference = memory(shape, sides, 256) - memory(shape, sides, 128)
    return difference / (128 * 4 * int(np.prod(shape)))


@pytest.mark.parametrize(("sides", "most"), [((3, 3, 3), 5), ((3, 3, 1), 3)])
def test_dx_takes_the_place_of_its_gate(sides, most):
    """The images, activations, and the first dy where no activation dies before it."""
    assert most - 1 < maps((4, 150, 16), sides) < most + 0.1


@pytest.mark.parametrize("sides", [(3, 3, 3), (3, 5, 1, 3)])
def test_a_chain_of_large_images_keeps_none(sides):
    """A slice passes through all of the step, forward and back, before the next."""
    assert maps((64, 60, 16), sides) < 0.01


def test_a_large_kernel_is_transformed_in_parts():
    """Of 512 x 512 channels 36 points are 38 MB; three parts share their memory."""
    graph = _core.Graph(16, True, "")
    x = graph.input((12, 12, 512))
    for side in (1, 3):
        kernel = graph.parameter(_core.Buffer((side, side, 512, 512)), True)
        x = graph.add("conv2d", [x, kernel], {"padding": "same"})
    y = graph.add("global_average_pool", [x], {})
    loss = graph.add("mean_squared_error", [y, graph.input((512,))], {})
    sgd = _core.Optimizer("sgd", {})
    plan = graph.compile(losses=[(loss, -1, "sum", 1.0)], optimizer=sgd)
    before = _core.num_threads()
    _core.set_num_threads(1)  # each has a slot
    memory = plan.memory
    _core.set_num_threads(before)
    assert 38e6 < memory < 50e6


def test_large_kernels_are_packed_for_one_pass_at_a_time():
    """And their memory is free behind it: neighbours in the plan need two at a time."""
    graph = _core.Graph(1, True, "")
    x = graph.input((7, 7, 512))
    for _ in range(4):
        kernel = graph.parameter(_core.Buffer((3, 3, 512, 512)), True)
        x = graph.add("conv2d", [x, kernel], {"padding": "same"})
    y = graph.add("global_average_pool", [x], {})
    loss = graph.add("mean_squared_error", [y, graph.input((512,))], {})
    sgd = _core.Optimizer("sgd", {})
    plan = graph.compile(
        losses=[(loss, -1, "sum", 1.0)], optimizer=sgd, conv_algorithm="direct"
    )
    kernel_bytes = 4 * 3 * 3 * 512 * 512
    assert plan.memory < 2.1 * kernel_bytes


@pytest.mark.parametrize("algorithm", ["direct", "winograd"])
def test_a_computed_kernel_is_read_once(algorithm):
    """Maps lie where it was, when it is packed or transformed."""
    kernel_bytes = 4 * 3 * 3 * 128 * 128

    def evaluation(computed):
        graph = _core.Graph(16, False, "")
        x = graph.input((16, 16, 128))
        for _ in range(3):
            kernel = graph.parameter(_core.Buffer((3, 3, 128, 128)), False)
            if computed:
                kernel = graph.add("unary", [kernel], {"kind": "square"})
            x = graph.add("conv2d", [x, kernel], {"padding": "same"})
            x = graph.add("softmax", [x], {})
        y = graph.add("global_average_pool", [x], {})
        loss = graph.add("mean_squared_error", [y, graph.input((128,))], {})
        plan = graph.compile(losses=[(loss, -1, "sum", 1.0)], conv_algorithm=algorithm)
        return plan.memory

    least = max(evaluation(computed=False), 2 * 3 * kernel_bytes)
    assert evaluation(computed=True) < 1.01 * least
