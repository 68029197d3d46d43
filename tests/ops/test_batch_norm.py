# SPDX-License-Identifier: Apache-2.0
"""batch_norm: by the batch's statistics, by the moving ones, with ReLU, folded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, Reference, arrays, check_graph, check_op
from pronghorn.testing.running import isas, with_threads


def weights(channels, scale=True, center=True):
    given = [arrays.normal(2, channels)] * scale + [arrays.normal(3, channels)] * center
    return [*given, arrays.normal(4, channels), arrays.normal(5, channels) ** 2]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "shape", [(5,), (80,), (4, 4, 3), (7, 5, 16), (3, 2, 70), (6, 3), (2, 3, 2, 5)]
)
def test_shapes(shape, training):
    x = 2 * arrays.normal(1, 33, *shape) + 3
    check_op(
        "batch_norm", [x], {"training": training}, parameters=weights(shape[-1]),
        coordinates=40,
    )  # fmt: skip


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(53, 61, 33), (97, 113, 10)])
def test_few_large_images_in_pieces(shape, training):
    x = 2 * arrays.normal(1, 3, *shape) + 3
    check_op(
        "batch_norm", [x], {"training": training}, parameters=weights(shape[-1]),
        batches=[1, 3], coordinates=20,
    )  # fmt: skip


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("center", [False, True])
def test_without_weights(training, scale, center):
    attributes = {"training": training, "scale": scale, "center": center}
    x = arrays.normal(1, 17, 3, 5, 6)
    check_op(
        "batch_norm", [x], {**attributes, "epsilon": 0.1},
        parameters=weights(6, scale, center), batches=[2, 17], coordinates=30,
    )  # fmt: skip


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.integers(1, 40),
    batch=st.integers(1, 20),
    training=st.booleans(),
)
def test_drawn(height, width, channels, batch, training):
    x = arrays.normal(batch, batch, height, width, channels)
    if height * width * batch == 1:
        x[:] = 0.5  # the difference quotient of a constant is a constant
    check_op(
        "batch_norm", [x], {"training": training}, parameters=weights(channels),
        batches=[batch], coordinates=10,
    )  # fmt: skip


def relu_reference(attributes):
    norm = REFERENCES["batch_norm"]
    return Reference(
        lambda i, a: np.maximum(norm.forward(i, attributes), 0),
        terms=norm.terms,
        magnitude=lambda i, a: norm.magnitude(i, attributes),
        slopes=lambda i, a, c: norm.slopes(i, attributes, c),
        across_images=True,
        states=2,
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(9,), (5, 4, 3), (4, 4, 20)])
def test_relu_behind_it(shape, training):
    attributes = {"training": training}

    def build(graph, images, parameters):
        y = graph.add("batch_norm", [*images, *parameters], attributes)
        return graph.add("activation", [y], {"kind": "relu"})

    check_graph(
        build, [arrays.normal(7, 17, *shape)], relu_reference(attributes),
        name="batch_norm relu", parameters=weights(shape[-1]), batches=[1, 3, 17],
        coordinates=30,
    )  # fmt: skip


def moved(x, isa="", momentum=0.9, order=None):
    """The output, and the moving statistics after one step."""
    graph = _core.Graph(len(x), True, isa)
    tensors, buffers = [graph.input(x.shape[1:])], []
    for value in (1, 0, 0.5, 2):  # gamma, beta, moving mean and variance
        buffers.append(_core.Buffer((x.shape[-1],)))
        buffers[-1].array[...] = value
        tensors.append(graph.parameter(buffers[-1]))
    y = graph.add("batch_norm", tensors, {"training": True, "momentum": momentum})
    out = np.empty(x.shape, np.float32)
    rows = np.arange(len(x)) if order is None else order
    graph.compile([y]).run([x], rows, [out])
    return out, buffers[2].array, buffers[3].array


@pytest.mark.parametrize("shape", [(7,), (6, 5, 3), (4, 4, 33)])
def test_moving_statistics(shape):
    x = 3 * arrays.normal(1, 21, *shape) - 1
    wide = x.astype(np.float64).reshape(-1, shape[-1])
    for isa in isas():
        _, mean, variance = moved(x, isa)
        np.testing.assert_allclose(mean, 0.45 + 0.1 * wide.mean(0), rtol=1e-5)
        np.testing.assert_allclose(variance, 1.8 + 0.1 * wide.var(0), rtol=1e-5)


@pytest.mark.parametrize("threads", [2, 3])
def test_moving_statistics_for_any_number_of_threads(threads):
    x = arrays.normal(1, 64, 16, 16, 24)
    with with_threads(1):
        expected = moved(x)
    with with_threads(threads):
        got = moved(x)
    for a, b in zip(expected, got, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("shape", [(16,), (8, 8, 3), (20, 20, 64)])
@pytest.mark.parametrize("offset", [0, 1e3, -3e5])
def test_a_mean_far_from_zero(shape, offset):
    """As good as the input's own digits allow: E[x^2] - E[x]^2 would leave none."""
    x = (arrays.normal(1, 40, *shape) + offset).astype(np.float32)
    axes = tuple(range(x.ndim - 1))
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(axes)) / np.sqrt(wide.var(axes) + 1e-3)
    for isa in isas():
        y, _, variance = moved(x, isa)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(variance, 1.8 + 0.1 * wide.var(axes), rtol=1e-5)


def test_outlier_at_the_beginning():
    x = arrays.normal(1, 40, 12, 12, 5)
    x[0, 0, 0] = 300
    wide = x.astype(np.float64)
    expected = (wide - wide.mean((0, 1, 2))) / np.sqrt(wide.var((0, 1, 2)) + 1e-3)
    np.testing.assert_allclose(moved(x)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "complaint"),
    [
        ([(4,)] * 3, "expected 5 inputs"),
        ([(4,), (4,), (4,), (3,)], "weights of shape"),
    ],
)
def test_refusals(shapes, complaint):
    graph = _core.Graph(2, False)
    tensors = [graph.input((3, 4))]
    tensors += [graph.parameter(_core.Buffer(shape)) for shape in shapes]
    with pytest.raises(ValueError, match=complaint):
        graph.add("batch_norm", tensors, {})


CONV = REFERENCES["conv2d"].forward
POOL = REFERENCES["average_pool2d"].forward
SAME, HALVES = {"padding": "same"}, {"pool_size": [2, 2]}


def chain(kernel, training, relu):
    """conv2d, batch_norm, maybe relu, and a pool: build, reference and parameters.

    In training there is no bias: nothing would depend on it.
    """
    attributes = {"training": training}
    given = [arrays.normal(5, *kernel), arrays.normal(6, kernel[3])][: 2 - training]
    first = len(given)  # parameter of batch_norm

    def build(graph, images, parameters):
        y = graph.add("conv2d", [*images, *parameters[:first]], SAME)
        y = graph.add("batch_norm", [y, *parameters[first:]], attributes)
        if relu:
            y = graph.add("activation", [y], {"kind": "relu"})
        return graph.add("average_pool2d", [y], HALVES)

    norm = REFERENCES["batch_norm"]

    def forward(values, _):
        y = CONV(values[: first + 1], SAME)
        y = norm.forward([y, *values[first + 1 :]], attributes)
        return POOL([np.maximum(y, 0) if relu else y], HALVES)

    def magnitude(values, _):
        y = CONV(values[: first + 1], SAME)
        sums = CONV([np.abs(a) for a in values[: first + 1]], SAME)
        gamma, _, mean, variance = values[first + 1 :]
        variance = y.var((0, 1, 2)) if training else variance
        own = norm.magnitude([y, *values[first + 1 :]], attributes)
        stretch = np.abs(gamma) / np.sqrt(variance + 1e-3)
        return POOL([own + (sums + np.abs(mean)) * stretch], HALVES)

    reference = Reference(
        forward,
        terms=lambda i, a: 4 + kernel[0] * kernel[1] * kernel[2],
        magnitude=magnitude,
        across_images=True,
        states=2,
    )
    return build, reference, [*given, *weights(kernel[3])]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    "kernel", [(3, 3, 3, 6), (1, 1, 20, 40), (3, 3, 1, 5), (5, 5, 2, 16)]
)
def test_behind_a_convolution(kernel, training, relu):
    """In lanes where channels are few; in inference, in the convolution's weights."""
    build, reference, parameters = chain(kernel, training, relu)
    check_graph(
        build, [arrays.normal(8, 33, 6, 6, kernel[2])], reference,
        name="conv batch_norm", parameters=parameters, batches=[3, 33],
        coordinates=12,
    )  # fmt: skip


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("op", ["conv2d", "depthwise_conv2d"])
@pytest.mark.parametrize("channels", [3, 20])
def test_before_a_convolution(channels, op, training):
    """The output is not kept for the convolution's gradient: it is computed again."""
    attributes = {"training": training}
    norm, conv = REFERENCES["batch_norm"], REFERENCES[op]
    kernel = arrays.normal(5, 3, 3, channels, 2 if op == "depthwise_conv2d" else 7)

    def build(graph, images, parameters):
        y = graph.add("batch_norm", [*images, *parameters[1:]], attributes)
        return graph.add(op, [y, parameters[0]], SAME)

    def forward(values, _):
        y = norm.forward([values[0], *values[2:]], attributes)
        return conv.forward([y, values[1]], SAME)

    def magnitude(values, _):
        y = norm.magnitude([values[0], *values[2:]], attributes)
        return conv.forward([y, np.abs(values[1])], SAME)

    reference = Reference(
        forward,
        terms=lambda i, a: 4 + 9 * channels,
        magnitude=magnitude,
        across_images=True,
        states=2,
    )
    check_graph(
        build, [arrays.normal(8, 33, 6, 5, channels)], reference,
        name=f"batch_norm {op}", parameters=[kernel, *weights(channels)],
        batches=[3, 33], coordinates=12,
    )  # fmt: skip


@pytest.mark.parametrize("batch", [3, 13, 17, 33])
def test_lanes_without_an_image_have_no_gradient(batch):
    """The bias before a norm changes nothing; lanes must not add what is no image's."""
    for isa in isas():
        graph = _core.Graph(batch, True, isa)
        shapes = [(3, 3, 3, 6), (6,), (6,), (6,), (6,), (6,)]
        buffers = [_core.Buffer(shape) for shape in shapes]
        for seed, buffer in enumerate(buffers):
            buffer.array[...] = np.abs(arrays.normal(seed, *buffer.array.shape))
        tensors = [
            graph.parameter(buffer, trainable=i < 4) for i, buffer in enumerate(buffers)
        ]
        y = graph.add("conv2d", [graph.input((6, 6, 3)), *tensors[:2]], SAME)
        y = graph.add("batch_norm", [y, *tensors[2:]], {"training": True})
        loss = graph.add("mean_squared_error", [y, graph.input((6, 6, 6))], {})
        plan = graph.compile(losses=[(loss, -1, "sum", float(6 * 6 * 6))])
        x, target = arrays.normal(7, batch, 6, 6, 3), arrays.normal(8, batch, 6, 6, 6)
        kernel, bias, *_ = plan.gradients([x, target], np.arange(batch))
        assert np.abs(bias).max() < 1e-5 * np.abs(kernel).max()


def stages(build, shape, parameters, batch=3):
    graph = _core.Graph(batch, False)
    images = [graph.input(shape)]
    tensors = []
    for value in parameters:
        buffer = _core.Buffer(value.shape)
        buffer.array[...] = value
        tensors.append(graph.parameter(buffer))
    y = build(graph, images, tensors)
    out = np.empty(graph.shape(y), np.float32)
    plan = graph.compile([y])
    x = arrays.normal(1, batch, *shape)
    return [name for name, *_ in plan.profile([x], np.arange(batch), [out])]


def test_inference_folds_into_the_convolution():
    build, _, parameters = chain((3, 3, 3, 6), training=False, relu=False)
    names = stages(build, (6, 6, 3), parameters)
    assert not any("batch_norm" in name for name in names)
    assert sum("fold" in name for name in names) == 2


def test_no_fold_where_the_convolution_has_other_readers():
    def build(graph, images, parameters):
        y = graph.add("conv2d", [*images, *parameters[:1]], {})
        z = graph.add("batch_norm", [y, *parameters[1:]], {})
        return graph.add("mean_squared_error", [y, z], {})

    parameters = [arrays.normal(1, 1, 1, 3, 4), *weights(4)]
    names = stages(build, (5, 5, 3), parameters)
    assert any("batch_norm" in name for name in names)
