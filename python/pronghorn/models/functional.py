# SPDX-License-Identifier: Apache-2.0
"""Functional: a model given by its symbolic inputs and outputs."""

from __future__ import annotations

from typing import Any

from pronghorn.models import configuration
from pronghorn.models.model import Model


class Functional(Model):
    """What `Model(inputs, outputs)` gives: any graph of layer calls.

    Layers may be shared and models may be layers. See `Model` for the arguments.
    """

    def get_config(self) -> dict[str, Any]:
        """The layers and their calls, in Keras's layout."""
        return configuration.write(self)

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        custom_objects: configuration.Classes | None = None,
    ) -> Functional:
        """A model with new weights from the dict of `get_config`."""
        inputs, outputs = configuration.read(config, custom_objects)
        trainable = bool(config.get("trainable", True))
        return cls(inputs, outputs, name=config.get("name"), trainable=trainable)
