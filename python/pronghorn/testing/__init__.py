# SPDX-License-Identifier: Apache-2.0
"""Conformance checks for ops of the core and for layers, yours included."""

from pronghorn.testing import arrays
from pronghorn.testing.check_layer import check_layer
from pronghorn.testing.check_op import check_graph, check_op
from pronghorn.testing.conformance import Reference
from pronghorn.testing.references import REFERENCES

__all__ = [
    "REFERENCES",
    "Reference",
    "arrays",
    "check_graph",
    "check_layer",
    "check_op",
]
