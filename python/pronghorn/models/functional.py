# SPDX-License-Identifier: Apache-2.0
"""Functional: a model given by its symbolic inputs and outputs."""

from __future__ import annotations

from typing import Any

from pronghorn.models.model import Model


class Functional(Model):
    """What `Model(inputs, outputs)` gives: any graph of layer calls.

    Layers may be shared and models may be layers. See `Model` for the arguments.
    """

    def get_config(self) -> dict[str, Any]:
        """Not supported yet."""
        raise ValueError(f"{self.label}: get_config is not supported")
