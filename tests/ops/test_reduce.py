# SPDX-License-Identifier: Apache-2.0
"""reduce: numbers along axes become one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES, arrays, check_op
from pronghorn.testing.running import gradients_of, isas, run_op

REFERENCE = REFERENCES["reduce"]
LINEAR = replace(REFERENCE, linear=True)
CHOOSING = replace(REFERENCE, exact=True)
FLAT = replace(REFERENCE, exact=True, differentiable=())
OF_KIND = {
    "sum": LINEAR, "mean": LINEAR, "prod": REFERENCE, "max": CHOOSING, "min": CHOOSING,
    "any": FLAT, "all": FLAT, "argmax": FLAT, "argmin": FLAT,
}  # fmt: skip


def numbers(kind, *shape):
    if kind in ("any", "all"):
        # One axis in four or so is all zero, or free of zeros.
        return (arrays.integers(1, *shape) > (2 if kind == "any" else -3)) * 2.5
    if kind == "prod":
        drawn = np.random.default_rng(5).uniform(0.7, 1.4, shape)
        return drawn * np.where(arrays.normal(6, *shape) > 0, 1, -1)
    return arrays.spread(7, *shape)


def check(kind, x, axes=(), keepdims=False, **keywords):
    attributes = {"kind": kind, "keepdims": keepdims}
    if axes:
        attributes["axes"] = list(axes)
    check_op(
        "reduce", [x], attributes, reference=OF_KIND[kind], coordinates=60, **keywords
    )


@pytest.mark.parametrize("kind", list(OF_KIND))
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((1,), ()),
        ((70,), (1,)),
        ((5, 7, 3), ()),
        ((5, 7, 3), (1, 2)),
        ((5, 7, 3), (-1,)),
        ((5, 7, 3), (1,)),
        ((3, 4, 70), (2,)),
        ((3, 4, 70), (1, 2)),
        ((4, 1, 3), (2,)),
    ],
)
def test_cases(kind, shape, axes, keepdims):
    check(kind, numbers(kind, 17, *shape), axes, keepdims, batches=[1, 17])


@pytest.mark.parametrize("kind", ["sum", "mean", "prod", "max", "min", "any", "all"])
def test_axes_apart(kind):
    check(kind, numbers(kind, 5, 4, 3, 5, 2), (1, 3), batches=[5])
    check(kind, numbers(kind, 5, 4, 3, 5, 2), (4, 2), batches=[5])


@given(
    kind=st.sampled_from(list(OF_KIND)),
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    keepdims=st.booleans(),
    batch=st.integers(1, 5),
    data=st.data(),
)
def test_drawn(kind, shape, keepdims, batch, data):
    most = 1 if kind.startswith("arg") else len(shape)
    axis = st.integers(1, len(shape))
    axes = data.draw(st.lists(axis, min_size=1, max_size=most, unique=True))
    check(kind, numbers(kind, batch, *shape), axes, keepdims, batches=[batch])


def test_a_long_sum():
    x = np.random.default_rng(1).normal(size=(2, 40000)).astype(np.float32)
    check("mean", x, batches=[2])


def test_gradients_where_factors_are_zero():
    x = np.array([[2, 3, 4], [2, 0, 4], [0, 3, 0]], np.float32)
    for isa in isas():
        (dx,) = gradients_of("reduce", [x], {"kind": "prod"}, isa=isa)
        np.testing.assert_array_equal(dx, [[12, 8, 6], [0, 8, 0], [0, 0, 0]])


def test_equal_extremes_share_the_gradient():
    x = np.array([[1, 3, 3, 2], [1, 1, 1, 1]], np.float32)
    for isa in isas():
        (dx,) = gradients_of("reduce", [x], {"kind": "max"}, isa=isa)
        np.testing.assert_array_equal(dx, [[0, 0.5, 0.5, 0], [0.25] * 4])


@pytest.mark.parametrize("width", [3, 16, 70])
def test_nan(width):
    for place in (0, width - 1, width // 2):
        x = arrays.normal(1, 1, width)
        x[0, place] = np.nan
        for isa in isas():
            for kind in ("sum", "mean", "prod", "max", "min"):
                assert np.isnan(run_op("reduce", [x], {"kind": kind}, isa=isa)).all()
            for kind in ("argmax", "argmin"):
                assert run_op("reduce", [x], {"kind": kind}, isa=isa)[0] == place


def test_refused():
    graph = _core.Graph(2, False)
    x = graph.input((3, 4, 5))
    for attributes, complaint in (
        ({"kind": "sum", "axes": [0]}, "batch"),
        ({"kind": "sum", "axes": [4]}, "expected an axis"),
        ({"kind": "sum", "axes": [1, -3]}, "twice"),
        ({"kind": "argmax", "axes": [1, 3]}, "neighbouring"),
        ({"kind": "average"}, "expected a kind"),
    ):
        with pytest.raises(ValueError, match=rf"\[reduce\].*{complaint}"):
            graph.add("reduce", [x], attributes)
