# SPDX-License-Identifier: Apache-2.0
"""Time, GFLOP/s and GB/s of each layer of the networks, forward and backward.

    python -m benchmarks.ops cifar:128 --filter conv2d

Each layer is a model of its own on inputs of the shape it has in the network, and the
stages of its plan are timed one by one. Unless the layer is the network's first, a
pointwise layer called `ahead` stands before it, so that there is a dx to compute.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import networks, peers
from .description import BatchNorm, Conv, Dense, Depthwise, Layer, Network, Pool, Up
from .harness import cpu_name, say, say_table
from .keras_model import build_layer

NETWORKS = ["lenet5:1", "lenet5:32", "lenet_caffe:128", "cifar:128", "mlp:128"]
AHEAD = "ahead"


def operation(layer: Layer) -> str | None:
    """The name of the op behind a layer; None for those that compute nothing."""
    match layer:
        case Conv():
            return "conv2d"
        case Depthwise():
            return "depthwise_conv2d"
        case Up():
            return "conv2d_transpose"
        case BatchNorm():
            return "batch_norm"
        case Dense():
            return "dense"
        case Pool():
            return f"{layer.kind}_pool2d"
        case _:
            return None


def build(keras: Any, network: Network, index: int) -> Any:
    """A model of the layer at `index` alone, or with one ahead of it."""
    shape = network.shapes()[network.inputs(index)[0]]
    layers = [keras.Input(shape=shape), build_layer(keras, network.layers[index])]
    if any(map(operation, network.layers[:index])):
        pointwise = (
            keras.layers.Conv2D(shape[-1], 1, name=AHEAD)
            if len(shape) == 3
            else keras.layers.Dense(shape[-1], name=AHEAD)
        )
        layers.insert(1, pointwise)
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.01), keras.losses.MeanSquaredError())
    return model


def rows(keras: Any, name: str, wanted: str) -> Iterator[list[str]]:
    """A row of the table for each stage of each layer whose id has `wanted` in it."""
    network, batch = networks.parse(name)
    shapes = network.shapes()
    rng = np.random.default_rng(0)
    for index, layer in enumerate(network.layers):
        op = operation(layer)
        identity = f"{op}/{name}/{index}"
        if op is None or wanted not in identity:
            continue
        shape = shapes[network.inputs(index)[0]]
        x = rng.standard_normal((batch, *shape), dtype=np.float32)
        y = np.zeros((batch, *shapes[index + 1]), np.float32)
        for row in build(keras, network, index).profile(x, y):
            if AHEAD not in row.stage:
                numbers = row.milliseconds, row.gflops, row.gbytes_per_second
                yield [identity, row.stage, *(f"{number:.4g}" for number in numbers)]


def main(arguments: list[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ops",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK:BATCH")
    parser.add_argument("--filter", default="", help="part of <op>/<network>/<layer>")
    parser.add_argument("--isa", help="as PRONGHORN_ISA: baseline, avx2, avx512")
    options = parser.parse_args(arguments)
    if options.isa:
        os.environ["PRONGHORN_ISA"] = options.isa  # read when pronghorn is imported
    keras = importlib.import_module(peers.OURS)
    say(cpu_name())
    table = [
        row
        for name in options.networks or NETWORKS
        for row in rows(keras, name, options.filter)
    ]
    say_table(["layer", "stage", "ms", "GFLOP/s", "GB/s"], table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
