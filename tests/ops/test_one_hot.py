# SPDX-License-Identifier: Apache-2.0
"""one_hot: a 1 at the place of each id."""

import numpy as np
import pytest

from pronghorn._native import core as _core
from pronghorn.testing import arrays, check_op
from pronghorn.testing.running import isas, run_op


@pytest.mark.parametrize("shape", [(), (7,), (3, 4)])
@pytest.mark.parametrize("classes", [1, 5, 33])
def test_cases(shape, classes):
    ids = arrays.labels(1, classes, 17, *shape)
    check_op("one_hot", [ids], {"classes": classes}, batches=[1, 17])
    check_op("one_hot", [ids.astype(np.float32)], {"classes": classes}, batches=[1, 17])


def test_what_is_no_class_has_no_place():
    ids = np.array([[-1, 0, 2, 3, 0.5, np.nan, np.inf, 1e30]], np.float32)
    for isa in isas():
        y = run_op("one_hot", [ids], {"classes": 3}, isa=isa)
        assert y.sum() == 2
        assert y[0, 1, 0] == y[0, 2, 2] == 1


def test_refused():
    graph = _core.Graph(2, False)
    with pytest.raises(ValueError, match=r"\[one_hot\] expected at least one row"):
        graph.add("one_hot", [graph.input((3,), "int32")], {"classes": 0})
