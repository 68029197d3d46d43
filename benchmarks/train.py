# SPDX-License-Identifier: Apache-2.0
"""Times training steps of pronghorn and its peers, in turn, after checking answers.

    python -m benchmarks.train lenet5:1 lenet5:32 --against numpy,torch,keras-jax
    python -m benchmarks.train --all

A step is forward, softmax cross-entropy from logits, backward and SGD with momentum
0.9, in float32. Pronghorn and Keras train through `fit` over an epoch of many batches,
PyTorch in a loop over tensors made beforehand. Every engine starts from the same
weights and data; one whose loss after three steps differs from the NumPy baseline's is
marked WRONG, and the exit status is 1. Where the baseline cannot run, the engines are
compared, after one step, with the median of their losses. torch-bfloat16 is PyTorch in
channels_last with autocast; its losses may differ by 5 %, and it is no float32 peer.
"""

from __future__ import annotations

import argparse
import math
import sys

from . import contest, networks, peers
from .description import Network

NETWORKS = ["lenet5:1", "lenet5:32", "lenet_caffe:128", "cifar:128"]
SMOKE_NETWORKS = ["lenet5:1", "lenet5:33", "cifar:8", "odd_strides:5", "odd_pools:3"]
AGAINST = (
    "torch,torch-channels-last,torch-compile,torch-bfloat16,keras-tensorflow,keras-jax"
)
GOALS = {  # the best float32 peer's time over ours
    "lenet5:1": 12,
    "lenet5:32": 7,
    "lenet_caffe:128": 1.9,
    "cifar:128": 2.2,
    "resnet20:128": 2,
    "alexnet:16": 1.9,
    "alexnet:64": 1.9,
    "vgg11:16": 2.6,
    "vgg16:8": 2.6,
    "resnet18:1": 1.7,
    "resnet18:16": 2.1,
    "mobilenet:16": 1.6,
    "unet:8": 2.4,
}
CHECK_STEPS = 3
LARGEST_REFERENCE = 64 * 64 * 3  # floats of an image; beyond, NumPy takes minutes


def reference(network: Network, batch: int) -> list[float] | None:
    """The NumPy baseline's loss after the first steps; None where it cannot tell."""
    if network.wiring or math.prod(network.input_shape) > LARGEST_REFERENCE:
        return None
    problem = peers.Problem.create(network, batch, 1, CHECK_STEPS)
    engine = peers.create("numpy", problem)
    engine.train(CHECK_STEPS)
    return [engine.loss()]


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if pronghorn was there and every answer was right."""
    presets = {
        "networks": NETWORKS,
        "smoke": SMOKE_NETWORKS,
        "all": list(GOALS),
        "against": AGAINST,
    }
    options = contest.parse_arguments(arguments, "train", __doc__, presets)
    return contest.run(options, lambda name: task(name, options), GOALS, "a step")


def task(name: str, options: argparse.Namespace) -> contest.Task:
    """Epochs of a network."""
    network, batch = networks.parse(name)
    expected = reference(network, batch)
    # Large networks magnify rounding, where a maximum or a ReLU flips.
    checked = 1 if expected is None else CHECK_STEPS
    most = CHECK_STEPS + 1 if options.smoke else 2048
    steps = network.epoch_steps(batch, CHECK_STEPS + 1, most)
    gflop = 1e-9 * batch * network.step_flops()
    return contest.Task("train", steps, checked, expected, gflop)


if __name__ == "__main__":
    sys.exit(main())
