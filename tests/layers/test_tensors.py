# SPDX-License-Identifier: Apache-2.0
"""Layers that merge, move, border, rescale, encode and look up: the promises of
check_layer, what they compute, and what they refuse."""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, config, layers
from pronghorn.testing import arrays, check_layer

# class, arguments, input, output, parameters
CASES = [
    ("Add", {}, [(5,), (5,)], (5,), 0),
    ("Add", {}, [(7, 6, 3), (1, 1, 3), (3,)], (7, 6, 3), 0),
    ("Subtract", {}, [(7, 6, 3), (7, 6, 1)], (7, 6, 3), 0),
    ("Multiply", {}, [(7, 6, 3), (3,), (7, 1, 3)], (7, 6, 3), 0),
    ("Average", {}, [(4, 3)] * 3, (4, 3), 0),
    ("Maximum", {}, [(4, 3), (4, 3)], (4, 3), 0),
    ("Minimum", {}, [(4, 3), (1, 3)], (4, 3), 0),
    ("Concatenate", {}, [(7, 6, 3), (7, 6, 2)], (7, 6, 5), 0),
    ("Concatenate", {"axis": 1}, [(3,)] * 20, (60,), 0),
    ("Dot", {"axes": 1}, [(5,), (5,)], (1,), 0),
    ("Dot", {"axes": (1, 2), "normalize": True}, [(5, 3), (4, 5)], (3, 4), 0),
    ("Dot", {"axes": (2, 1)}, [(2, 5, 3), (5,)], (2, 3), 0),
    ("Dot", {"axes": -1}, [(2, 3, 5), (4, 5)], (2, 3, 4), 0),
    ("Permute", {"dims": (3, 1, 2)}, (5, 4, 3), (3, 5, 4), 0),
    ("Reshape", {"target_shape": (6, 10)}, (5, 4, 3), (6, 10), 0),
    ("Reshape", {"target_shape": (-1, 2)}, (5, 4, 3), (30, 2), 0),
    ("RepeatVector", {"n": 3}, (4,), (3, 4), 0),
    ("Identity", {}, (5, 4), (5, 4), 0),
    ("Cropping1D", {"cropping": (1, 2)}, (7, 3), (4, 3), 0),
    ("Cropping1D", {}, (7, 3), (5, 3), 0),
    ("Cropping2D", {"cropping": ((1, 0), (0, 2))}, (5, 4, 3), (4, 2, 3), 0),
    ("Cropping2D", {"cropping": (1, 2), "data_format": "channels_first"},
     (3, 5, 6), (3, 3, 2), 0),
    ("Cropping3D", {"cropping": (1, (0, 2), 1)}, (4, 5, 6, 2), (2, 3, 4, 2), 0),
    ("ZeroPadding1D", {"padding": (1, 0)}, (5, 3), (6, 3), 0),
    ("ZeroPadding1D", {"data_format": "channels_first"}, (5, 3), (5, 5), 0),
    ("ZeroPadding2D", {}, (5, 4, 3), (7, 6, 3), 0),
    ("ZeroPadding2D", {"padding": ((1, 0), 2), "data_format": "channels_first"},
     (3, 5, 4), (3, 6, 8), 0),
    ("ZeroPadding3D", {"padding": 2}, (2, 3, 4, 2), (6, 7, 8, 2), 0),
    ("Rescaling", {"scale": 0.5, "offset": -1}, (5, 4, 3), (5, 4, 3), 0),
    ("Rescaling", {"scale": [1, 2, 3], "offset": [0.5, 0, -1]}, (4, 3), (4, 3), 0),
]  # fmt: skip
OF_WHOLE_NUMBERS = [
    ("CategoryEncoding", {"num_tokens": 9}, (6,), (9,), 0),
    ("CategoryEncoding", {"num_tokens": 9, "output_mode": "count"}, (6,), (9,), 0),
    ("CategoryEncoding", {"num_tokens": 9, "output_mode": "one_hot"}, (6,), (6, 9), 0),
    ("CategoryEncoding", {"num_tokens": 9, "output_mode": "one_hot"}, (1,), (9,), 0),
    ("Embedding", {"input_dim": 9, "output_dim": 3}, (6,), (6, 3), 27),
    ("Embedding", {"input_dim": 9, "output_dim": 17,
                   "embeddings_initializer": "zeros"}, (2, 5), (2, 5, 17), 153),
    ("Embedding", {"input_dim": 9, "output_dim": 3, "embeddings_regularizer": "l2",
                   "embeddings_constraint": "unit_norm"}, (6,), (6, 3), 27),
]  # fmt: skip


def ids(cases):
    return [f"{name}-{i}" for i, (name, *_) in enumerate(cases)]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_layer(case):
    name, kwargs, shape, output, parameters = case
    check_layer(
        getattr(layers, name), kwargs, input_shape=shape, output_shape=output,
        parameters=parameters,
    )  # fmt: skip


@pytest.mark.parametrize("case", OF_WHOLE_NUMBERS, ids=ids(OF_WHOLE_NUMBERS))
def test_layer_of_whole_numbers(case):
    name, kwargs, shape, output, parameters = case
    check_layer(
        getattr(layers, name), kwargs, input_shape=shape, output_shape=output,
        parameters=parameters, below=9,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("add", lambda a, b, c: a + b + c),
        ("multiply", lambda a, b, c: a * b * c),
        ("average", lambda a, b, c: (a + b + c) / np.float32(3)),
        ("maximum", lambda a, b, c: np.maximum(np.maximum(a, b), c)),
        ("minimum", lambda a, b, c: np.minimum(np.minimum(a, b), c)),
    ],
)
def test_functions(name, function):
    x = [arrays.normal(i, 5, 4, 3) for i in range(3)]
    merged = getattr(layers, name)(x)
    np.testing.assert_allclose(merged, function(*x), rtol=1e-6)
    symbolic = getattr(layers, name)([Input((4, 3))] * 3, name="merged")
    assert symbolic.shape == (None, 4, 3)


def test_functions_with_arguments():
    x, y = arrays.normal(1, 5, 4, 3), arrays.normal(2, 5, 4, 3)
    np.testing.assert_array_equal(layers.subtract([x, y]), x - y)
    both = np.concatenate([x, y], axis=1)
    np.testing.assert_array_equal(layers.concatenate([x, y], axis=1), both)
    products = np.einsum("bik,bjk->bij", x, y)
    np.testing.assert_allclose(layers.dot([x, y]), products, rtol=1e-5)


def test_one_tensor_many_times():
    x = Input((4,))
    model = Model(x, layers.Concatenate()([layers.Add()([x] * 11), x, x]))
    data = arrays.normal(1, 3, 4)
    expected = np.concatenate([11 * data, data, data], axis=1)
    np.testing.assert_allclose(model.predict(data, verbose=0), expected, rtol=1e-6)


def test_cosine():
    x, y = arrays.normal(1, 5, 7), arrays.normal(2, 5, 7)
    y[0] = 0  # and no division by it
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    expected = (x * y).sum(axis=1) / np.where(lengths == 0, 1, lengths)
    got = layers.Dot(1, normalize=True)([x, y])
    np.testing.assert_allclose(got[:, 0], expected, rtol=1e-5, atol=1e-6)


def test_open_sizes():
    x, y = Input((None, None, 3)), Input((None, None, 2))
    assert layers.Concatenate()([x, y]).shape == (None, None, None, 5)
    assert layers.Add()([x, x]).shape == (None, None, None, 3)
    assert layers.ZeroPadding2D(1)(x).shape == (None, None, None, 3)
    assert layers.Reshape((-1, 3))(x).shape == (None, None, 3)


def test_rescaling_of_bytes():
    image = np.array([[0, 51, 255]], np.uint8)
    np.testing.assert_allclose(layers.Rescaling(1 / 255)(image), [[0, 0.2, 1]])
    model = Sequential([Input((3,)), layers.Rescaling(1 / 255, -0.5)])
    np.testing.assert_allclose(
        model.predict(image, verbose=0), [[-0.5, -0.3, 0.5]], rtol=1e-6
    )


def test_rescaling_by_channel_channels_first():
    x = arrays.normal(1, 2, 3, 4, 5)
    config.set_image_data_format("channels_first")
    try:
        y = layers.Rescaling([1, 2, 3], offset=0.5)(x)
    finally:
        config.set_image_data_format("channels_last")
    scale = np.array([1, 2, 3], np.float32).reshape(3, 1, 1)
    np.testing.assert_array_equal(y, x * scale + np.float32(0.5))


def test_counts():
    numbers = np.array([[0, 2, 2, 5]])
    counts = layers.CategoryEncoding(4, "count")(numbers)
    np.testing.assert_array_equal(counts, [[1, 0, 2, 0]])  # 5 is no category
    hot = layers.CategoryEncoding(4)(numbers)
    np.testing.assert_array_equal(hot, [[1, 0, 1, 0]])


def test_embedding_trains_the_rows_it_sees():
    model = Sequential([Input((2,), dtype="int32"), layers.Embedding(5, 3)])
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    x = np.array([[0, 3], [3, 3]])
    model.fit(x, np.ones((2, 2, 3)), verbose=0)
    moved = (model.get_weights()[0] != before).all(axis=1)
    assert moved.tolist() == [True, False, False, True, False]


def test_embedding_with_a_penalty_and_a_constraint():
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    layer = layers.Embedding(
        3,
        2,
        embeddings_regularizer="l2",
        embeddings_constraint={"class_name": "MaxNorm", "config": {"axis": 1}},
        weights=table,
    )
    model = Sequential([Input((2,), dtype="int32"), layer])
    model.compile("sgd", "mse")
    history = model.fit(np.zeros((1, 2)), np.zeros((1, 2, 2)), verbose=0).history
    assert history["loss"][0] == pytest.approx(0.5 + 0.01 * np.sum(table**2))
    shrunk = table * (1 - 0.01 * 0.02)  # the gradient of 0.01 x^2, and row 0's own
    shrunk[0, 1] -= 0.01
    limit = np.minimum(1, 2 / np.maximum(np.linalg.norm(shrunk, axis=1), 1e-7))
    np.testing.assert_allclose(
        model.get_weights()[0], shrunk * limit[:, None], atol=1e-5
    )


@pytest.mark.parametrize("wrong", [-1, 5, 0.5, np.nan])
def test_embedding_refuses_what_is_no_row(wrong):
    model = Sequential([Input((2,)), layers.Embedding(5, 3)])
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    x = np.array([[0, 3], [3, wrong]])
    for call in (
        lambda: model.predict(x, verbose=0),
        lambda: model.fit(x, np.ones((2, 2, 3)), verbose=0),
        lambda: layers.Embedding(5, 3)(x),
    ):
        with pytest.raises(ValueError, match="whole numbers from 0 to 4"):
            call()
    np.testing.assert_array_equal(model.get_weights()[0], before)


IMAGE, VECTOR = np.zeros((2, 5, 6, 3), np.float32), np.zeros((2, 6), np.float32)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: layers.Add()(IMAGE), "list of 1 or more inputs"),
        (lambda: layers.Add()([VECTOR, IMAGE]), "broadcast"),
        (lambda: layers.Subtract()([VECTOR]), "list of 2 inputs"),
        (lambda: layers.Subtract()([VECTOR] * 3), "list of 2 inputs"),
        (lambda: layers.Concatenate()([VECTOR, IMAGE]), "differ along axis"),
        (lambda: layers.Concatenate(0)([VECTOR, VECTOR]), "batch"),
        (lambda: layers.Concatenate("x"), "`axis`"),
        (lambda: layers.Add()([VECTOR, VECTOR[:1]]), "equally many samples"),
        (lambda: layers.Dot(1)([VECTOR, IMAGE]), "equal sizes"),
        (lambda: layers.Dot(0)([VECTOR, VECTOR]), "behind the batch"),
        (lambda: layers.Dot((1, 4))([VECTOR, IMAGE]), "inside inputs"),
        (lambda: layers.Dot((1, 2, 3)), "two integers"),
        (lambda: layers.Permute((1, 3)), "in any order"),
        (lambda: layers.Permute((2, 1))(IMAGE), "input of 3 axes"),
        (lambda: layers.Reshape((-1, -1)), "-1 at most"),
        (lambda: layers.Reshape((-2, 1)), "-1 at most"),
        (lambda: layers.Reshape((4, -1))(VECTOR), "multiple of 4"),
        (lambda: layers.Reshape((4, 2))(VECTOR), "elements per image"),
        (lambda: layers.RepeatVector(0), "`n`"),
        (lambda: layers.RepeatVector(2)(IMAGE), "input of 2 axes"),
        (lambda: layers.Cropping2D(3)(IMAGE), "leave something"),
        (lambda: layers.Cropping2D(-1), "`cropping`"),
        (lambda: layers.Cropping2D((1, 2, 3)), "`cropping`"),
        (lambda: layers.Cropping1D(1)(IMAGE), "3-D input"),
        (lambda: layers.ZeroPadding2D("1"), "`padding`"),
        (lambda: layers.ZeroPadding3D(((1, 2, 3), 1, 1)), "`padding`"),
        (lambda: layers.Rescaling("a"), "`scale`"),
        (lambda: layers.Rescaling([1, 2])(IMAGE), "broadcast"),
        (layers.CategoryEncoding, "`num_tokens`"),
        (lambda: layers.CategoryEncoding(3, "tf_idf"), "`output_mode`"),
        (lambda: layers.CategoryEncoding(3)(IMAGE), "input of 2 axes"),
        (lambda: layers.Embedding(0, 3), "`input_dim`"),
        (
            lambda: layers.Embedding(3, 3, mask_zero=True),
            "expected mask_zero=False",
        ),
        (lambda: layers.Embedding(3, 3, weights=[np.zeros((2, 3))]), "shape"),
    ],
)
def test_refusals(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()


def test_wrong_types():
    with pytest.raises(TypeError, match="`axes`"):
        layers.Dot("x")
    with pytest.raises(TypeError, match="`n`"):
        layers.RepeatVector(2.5)
