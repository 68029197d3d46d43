# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime and OpenVINO as engines that only predict.

Both read the model that PyTorch exports, where batch normalisation is folded already.
The batch is channels first, as they take it, beforehand.
"""

from __future__ import annotations

import importlib
import io
import warnings
from typing import Any

import numpy as np
import torch

from . import Problem
from .torch_engine import build


class OnnxEngine:
    """The network and the batch as ONNX wants them."""

    def __init__(self, problem: Problem) -> None:
        """Exports the network."""
        x = problem.x[: problem.batch]
        axes = (0, 3, 1, 2) if x.ndim == 4 else (0, 1)
        self.first = np.ascontiguousarray(x.transpose(axes))
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter
            torch.onnx.export(
                build(problem).eval(),
                (torch.from_numpy(self.first),),
                file,
                input_names=["x"],
                output_names=["y"],
                dynamo=False,
            )
        self.onnx = file.getvalue()

    def train(self, steps: int) -> None:
        """Not possible."""
        raise NotImplementedError(f"no training, {steps} steps asked for")

    def loss(self) -> float:
        """Not possible."""
        raise NotImplementedError("no training, no loss")


def channels_last(y: Any) -> Any:
    """A view of the outputs."""
    return y.transpose(0, 2, 3, 1) if y.ndim == 4 else y


class OnnxRuntime(OnnxEngine):
    """A session on that many threads, all optimisations on."""

    def __init__(self, problem: Problem, _name: str) -> None:
        """Loads the model."""
        super().__init__(problem)
        runtime: Any = importlib.import_module("onnxruntime")
        self.version = f"onnxruntime {runtime.__version__}"
        options = runtime.SessionOptions()
        options.intra_op_num_threads = problem.threads
        self.session = runtime.InferenceSession(
            self.onnx, options, ["CPUExecutionProvider"]
        )

    def predict(self) -> Any:
        """The logits of the first batch."""
        return channels_last(self.session.run(None, {"x": self.first})[0])


class OpenVino(OnnxEngine):
    """A compiled model in float32, for latency; it reads and hands out memory as is."""

    def __init__(self, problem: Problem, _name: str) -> None:
        """Compiles the model."""
        super().__init__(problem)
        openvino: Any = importlib.import_module("openvino")
        self.version = f"openvino {openvino.__version__}"
        core = openvino.Core()
        compiled = core.compile_model(
            core.read_model(self.onnx),
            "CPU",
            {
                "INFERENCE_NUM_THREADS": problem.threads,
                "INFERENCE_PRECISION_HINT": "f32",  # bfloat16 where the CPU has it
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        self.request = compiled.create_infer_request()

    def predict(self) -> Any:
        """The logits of the first batch."""
        found = self.request.infer([self.first], share_inputs=True, share_outputs=True)
        return channels_last(found[0])
