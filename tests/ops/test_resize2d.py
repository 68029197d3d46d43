# SPDX-License-Identifier: Apache-2.0
"""resize2d: every interpolation, larger and smaller, cropped and framed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import run_op

INTERPOLATIONS = ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]
CASES = {
    "twice": ((4, 5, 3), [8, 10], {}),
    "half": ((8, 6, 5), [4, 3], {}),
    "half, antialiased": ((8, 6, 5), [4, 3], {"antialias": True}),
    "odd": ((5, 7, 2), [8, 4], {}),
    "odd, antialiased": ((13, 5, 1), [4, 9], {"antialias": True}),
    "one axis": ((5, 6, 4), [5, 9], {}),
    "as it is": ((5, 6, 17), [5, 6], {}),
    "one cell": ((1, 1, 1), [3, 2], {}),
    "to one cell": ((6, 5, 3), [1, 1], {}),
    "cropped": ((7, 12, 3), [6, 5], {"crop_to_aspect_ratio": True}),
    "cropped high": ((12, 5, 3), [3, 5], {"crop_to_aspect_ratio": True}),
    "framed": ((7, 12, 3), [6, 5], {"pad_to_aspect_ratio": True, "fill_value": 2.5}),
    "framed high": ((12, 5, 1), [4, 6], {"pad_to_aspect_ratio": True}),
}


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("case", CASES)
def test_cases(case, interpolation):
    shape, size, more = CASES[case]
    x = arrays.normal(1, 17, *shape)
    attributes = {"size": size, "interpolation": interpolation, **more}
    check_op("resize2d", [x], attributes, batches=[1, 17])


@given(
    sizes=st.tuples(*[st.integers(1, 12)] * 4),
    channels=st.integers(1, 20),
    interpolation=st.sampled_from(INTERPOLATIONS),
    antialias=st.booleans(),
    ratio=st.sampled_from([None, None, "crop_to_aspect_ratio", "pad_to_aspect_ratio"]),
    batch=st.sampled_from([1, 2, 16, 21]),
)
def test_drawn(sizes, channels, interpolation, antialias, ratio, batch):
    x = arrays.normal(batch, batch, *sizes[:2], channels)
    attributes = {
        "size": list(sizes[2:]),
        "interpolation": interpolation,
        "antialias": antialias,
        "fill_value": -1.5,
    }
    if ratio is not None:
        attributes[ratio] = True
    check_op("resize2d", [x], attributes, batches=[batch], coordinates=60)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_constants_stay(interpolation):
    x = np.full((3, 5, 9, 4), 7, np.float32)
    attributes = {"size": [12, 4], "interpolation": interpolation}
    np.testing.assert_allclose(run_op("resize2d", [x], attributes), 7, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "attributes", "complaint"),
    [
        ((4, 2), {"size": [2, 2]}, "expected 4-D input"),
        ((4, 4, 2), {}, "two numbers"),
        ((4, 4, 2), {"size": [2]}, "expected 2 numbers"),
        ((4, 4, 2), {"size": [0, 2]}, "at least 1"),
        ((4, 4, 2), {"size": [2**30, 2]}, "16777216 cells"),
        ((4, 4, 2), {"size": [2, 2], "interpolation": "area"}, "'area'"),
        (
            (4, 4, 2),
            {
                "size": [2, 2],
                "crop_to_aspect_ratio": True,
                "pad_to_aspect_ratio": True,
            },
            "at most one",
        ),
    ],
)
def test_wrong(shape, attributes, complaint):
    with pytest.raises(ValueError, match=complaint):
        run_op("resize2d", [np.zeros((1, *shape), np.float32)], attributes)
