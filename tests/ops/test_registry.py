# SPDX-License-Identifier: Apache-2.0
"""Every op of the core has a reference and a file of cases; unknown ones are errors."""

from pathlib import Path

import pytest

from pronghorn._native import core as _core
from pronghorn.testing import REFERENCES

# Ops that draw: no reference can say what. Their cases, by file.
RANDOM = {
    "alpha_dropout": "noise",
    "dropout": "dropout",
    "gaussian_dropout": "noise",
    "gaussian_noise": "noise",
}


@pytest.mark.parametrize("op", _core.op_names())
def test_op_has_cases(op):
    cases = Path(__file__).with_name(f"test_{RANDOM.get(op, op)}.py")
    assert cases.is_file(), f"{op} has no tests/ops/{cases.name}"
    assert f'"{op}"' in cases.read_text(encoding="utf-8")
    assert op in REFERENCES or op in RANDOM


def test_references_are_of_ops():
    assert set(REFERENCES) <= set(_core.op_names())


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("no_such_op", {}),
        ("flatten", {"spelt_wrong": 1}),
        ("activation", {"kind": "x"}),
    ],
)
def test_unknown_names(op, attributes):
    graph = _core.Graph(1, False)
    x = graph.input([4])
    with pytest.raises(ValueError, match=op):
        graph.add(op, [x], attributes)
