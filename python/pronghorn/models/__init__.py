# SPDX-License-Identifier: Apache-2.0
"""Models with Keras's names."""

from pronghorn.models.configuration import clone_model, model_from_json
from pronghorn.models.functional import Functional
from pronghorn.models.gradients import gradients
from pronghorn.models.model import Model
from pronghorn.models.sequential import Sequential

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "gradients",
    "model_from_json",
]
