# SPDX-License-Identifier: Apache-2.0
"""The engines: one small module each, all with the same three methods.

`create` imports an engine's module only when it is asked for, so an engine that is
not installed disturbs nobody.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..description import Array, Network

OURS = "pronghorn"
CLASSES = {
    OURS: ("ours", "Ours"),
    "numpy": ("numpy_engine", "NumpyEngine"),
    "torch": ("torch_engine", "TorchEngine"),
    "torch-channels-last": ("torch_engine", "TorchEngine"),
    "torch-compile": ("torch_engine", "TorchEngine"),
    "torch-bfloat16": ("torch_engine", "TorchEngine"),
    "onnxruntime": ("onnx_engines", "OnnxRuntime"),
    "openvino": ("onnx_engines", "OpenVino"),
    "keras-": ("keras_engine", "KerasEngine"),  # keras-<backend>
}


@dataclass(frozen=True)
class Problem:
    """What every engine gets: the same network, weights and batches, in order."""

    network: Network
    batch: int
    threads: int
    x: Array
    y: NDArray[np.int32]
    weights: list[Array]

    @classmethod
    def create(cls, network: Network, batch: int, threads: int, steps: int) -> Problem:
        """Weights and `steps` batches of data, equal in every process."""
        x, y = network.data(steps * batch)
        return cls(network, batch, threads, x, y, network.weights())

    @property
    def steps(self) -> int:
        """How many batches there are."""
        return len(self.x) // self.batch


class Engine(Protocol):
    """A model that is ready to be trained."""

    version: str

    def train(self, steps: int) -> None:
        """Train on the first `steps` batches."""

    def loss(self) -> float:
        """The loss on the first batch."""

    def predict(self) -> NDArray[np.floating[Any]]:
        """The outputs for the first batch, from and to NumPy, channels last."""


def is_bfloat16(name: str) -> bool:
    """Whether the engine computes in less than float32."""
    return name.endswith("bfloat16")


def create(name: str, problem: Problem) -> Engine:
    """The engine called `name`, with the problem's weights; ImportError if absent."""
    key = "keras-" if name.startswith("keras-") else name
    if key not in CLASSES:
        raise ValueError(f"unknown engine {name!r}")
    module, class_name = CLASSES[key]
    engine = getattr(importlib.import_module(f".{module}", __name__), class_name)
    return cast(Engine, engine(problem, name))
