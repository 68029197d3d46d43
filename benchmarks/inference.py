# SPDX-License-Identifier: Apache-2.0
"""Times predictions of pronghorn and its peers, in turn, after checking answers.

    python -m benchmarks.inference resnet18:1 unet:8 --against onnxruntime,openvino
    python -m benchmarks.inference --all

A call computes the logits of one batch, from NumPy to NumPy, in float32:
`predict_on_batch` of pronghorn and Keras, the module in inference mode of PyTorch, a
session of ONNX Runtime and a compiled model of OpenVINO, both of the ONNX file that
PyTorch exports. The batch lies in memory as the engine takes it. Numbers drawn from the
logits must be the NumPy baseline's, or where it cannot run what most engines say; an
engine that differs is marked WRONG, and the exit status is 1. At the end stands what a
call of ours costs whatever the network.
"""

from __future__ import annotations

import argparse
import math
import sys
from contextlib import closing

from . import contest, networks, peers
from .description import Network
from .harness import say, say_table
from .train import LARGEST_REFERENCE
from .worker import Served, Worker, WorkerError

NETWORKS = ["lenet5:1", "lenet5:32", "cifar:128"]
SMOKE_NETWORKS = ["lenet5:1", "cifar:3", "odd_strides:5", "odd_pools:3"]
AGAINST = "onnxruntime,openvino,torch-channels-last,keras-jax"
GOALS = {  # the best float32 peer's time over ours
    "lenet5:1": 1.2,
    "lenet5:32": 1.5,
    "cifar:128": 1.4,
    "resnet18:1": 1.4,
    "resnet18:16": 1.4,
    "mobilenet:1": 1.1,
    "mobilenet:16": 1.1,
    "vgg11:1": 1.3,
    "vgg16:8": 1.8,
    "unet:1": 1.6,
    "unet:8": 1.6,
}
SAMPLE_GFLOP = 2.0  # of a sample: some 10 ms
COSTS = {  # microseconds at most; of a model of one small dense layer
    "predict_on_batch": 10,
    "model(x)": 10,
    "predict, one image": 100,
}


def reference(network: Network, batch: int) -> list[float] | None:
    """The NumPy baseline's answer; None where it cannot tell."""
    if network.wiring or math.prod(network.input_shape) > LARGEST_REFERENCE:
        return None
    problem = peers.Problem.create(network, batch, 1, 1)
    return Served(peers.create("numpy", problem), 1, "predict").answer()


def task(name: str, smoke: bool) -> contest.Task:
    """Calls for a batch."""
    network, batch = networks.parse(name)
    gflop = 1e-9 * batch * network.predict_flops()
    calls = 1 if smoke else max(1, int(SAMPLE_GFLOP / gflop))
    return contest.Task("predict", calls, 0, reference(network, batch), gflop)


def report_costs(options: argparse.Namespace) -> None:
    """What a call of ours costs beside the arithmetic."""
    arguments = ("lenet5:1", str(options.threads), "1", "predict")
    try:
        with closing(
            Worker(sys.executable, peers.OURS, options.threads, *arguments)
        ) as worker:
            costs = worker.call("fixed_costs", 0.0 if options.smoke else 1.0)
    except WorkerError as error:
        say(f"fixed costs: skipped: {error}")
        return
    say("\nfixed cost of a call")
    rows = [
        [name, f"{cost:.1f}", str(COSTS[name]), "yes" if cost <= COSTS[name] else "no"]
        for name, cost in costs.items()
    ]
    say_table(["call", "us", "goal", "reached"], rows)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if pronghorn was there and every answer was right."""
    presets = {
        "networks": NETWORKS,
        "smoke": SMOKE_NETWORKS,
        "all": list(GOALS),
        "against": AGAINST,
    }
    options = contest.parse_arguments(arguments, "inference", __doc__, presets)
    status = contest.run(
        options, lambda name: task(name, options.smoke), GOALS, "a batch"
    )
    report_costs(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
