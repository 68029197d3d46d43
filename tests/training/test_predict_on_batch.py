# SPDX-License-Identifier: Apache-2.0
"""Arrays that are ready go to the core as they are; all others get there too."""

import numpy as np
import pytest

from pronghorn import Input, Model, Sequential, layers
from pronghorn._native import core as _core

X = np.random.default_rng(4).integers(0, 9, (6, 5, 4, 1)).astype("float32")

FORMS = {
    "lists": lambda x: x.tolist(),
    "float64": lambda x: x.astype("float64"),
    "uint8": lambda x: x.astype("uint8"),
    "int64": lambda x: x.astype("int64"),
    "big-endian": lambda x: x.astype(">f4"),
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "Fortran": np.asfortranarray,
    "subclass": lambda x: x.view(np.memmap),
    "no channels": lambda x: x[..., 0],
    "in a list": lambda x: [x],
    "by name": lambda x: {"x": x},
}


@pytest.fixture(scope="module")
def model():
    return Sequential(
        [Input((5, 4, 1), name="x"), layers.Conv2D(3, 3), layers.Flatten()]
    )


@pytest.mark.parametrize("form", FORMS)
def test_any_form_gives_the_same(model, form):
    got = model.predict_on_batch(FORMS[form](X))
    np.testing.assert_array_equal(got, model.predict_on_batch(X))
    assert got.dtype == np.float32


def test_open_sizes_are_ready_too():
    model = Sequential([Input((None, None, 1)), layers.GlobalAveragePooling2D()])
    for x in (X, X[:, :3], X[:, :, 1:]):
        got = model.predict_on_batch(x)
        np.testing.assert_allclose(got, x.mean((1, 2)), rtol=1e-6)


def test_no_rows(model):
    assert model.predict_on_batch(X[:0]).shape == (0, 18)


def test_other_shapes_are_refused(model):
    for x in (X[:, 1:], X[0], np.float32(1)):
        with pytest.raises(ValueError, match="input 'x'"):
            model.predict_on_batch(x)


def test_outputs_are_the_callers(model):
    first = model.predict_on_batch(X)
    kept = first.copy()
    model.predict_on_batch(X + 1)
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(model.predict_on_batch(X), kept)


def test_several_inputs_of_unequal_length_are_refused():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    model = Model([a, b], layers.Add()([a, b]))
    x = np.ones((4, 3), np.float32)
    np.testing.assert_array_equal(model.predict_on_batch([x, x]), x + x)
    with pytest.raises(ValueError, match="equally many samples, got 4, 3"):
        model.predict_on_batch([x, x[:3]])


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ([], "expected 1 arrays, got 0"),
        ([X[:3]], "expected a multiple of 2 row numbers, got 3"),
        ([X[:0]], "expected a multiple of 2 row numbers, got 0"),
        ([X[:2].astype("float64")], "input 0. expected dtype float32, got float64"),
        ([X[:2, ::2]], "input 0. expected a C-contiguous array"),
        ([X[:2, 1:].copy()], "input 0. expected rows of shape"),
        ([np.array(1, "float32")], "input 0. expected rows of shape"),
    ],
)
def test_the_core_refuses_what_does_not_fit(feeds, message):
    graph = _core.Graph(2, False, "")
    x = graph.input(X.shape[1:])
    plan = graph.compile(outputs=[graph.add("activation", [x], {"kind": "relu"})])
    (y,) = plan.forward([X])
    np.testing.assert_array_equal(y, X)
    with pytest.raises(ValueError, match=message):
        plan.forward(feeds)


def test_the_core_refuses_to_predict_with_what_trains():
    graph = _core.Graph(2, True, "")
    x, target = graph.input((3,)), graph.input((3,))
    kernel = graph.parameter(_core.Buffer((3, 3)), True)
    y = graph.add("dense", [x, kernel], {})
    loss = graph.add("mean_squared_error", [y, target], {})
    sgd = _core.Optimizer("sgd", {})
    plan = graph.compile(losses=[(loss, -1, "sum", 1.0)], optimizer=sgd)
    with pytest.raises(ValueError, match="expected a plan without an optimizer"):
        plan.forward([np.ones((2, 3), np.float32)] * 2)
