# SPDX-License-Identifier: Apache-2.0
"""The op `custom` means what its own function computes."""

from collections.abc import Sequence

import numpy as np

from pronghorn.testing.conformance import Reference
from pronghorn.testing.reference import Array, Attributes


def custom(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The function given."""
    forward, _ = attributes["function"]
    return np.asarray(forward(*inputs))


REFERENCES = {"custom": Reference(forward=custom)}
