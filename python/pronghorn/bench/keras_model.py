# SPDX-License-Identifier: Apache-2.0
"""A network as a model of Keras, or of anything that speaks its API: of pronghorn.

Defaults everywhere: what a user writes.
"""

from __future__ import annotations

from typing import Any

from .description import (
    LEARNING_RATE,
    MOMENTUM,
    Add,
    Array,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Flatten,
    GlobalPool,
    Layer,
    Network,
    Pool,
    Relu,
    Up,
    Upsample,
    weight_shapes,
)


def compiled_model(keras: Any, network: Network, weights: list[Array]) -> Any:
    """The network with these weights, ready to be trained."""
    model = build_model(keras, network, weights)
    model.compile(
        optimizer=keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def build_model(keras: Any, network: Network, weights: list[Array]) -> Any:
    """The network with these weights: a Sequential, or a functional model."""
    layers = [build_layer(keras, layer) for layer in network.layers]
    inputs = keras.Input(shape=network.input_shape)
    if not network.wiring:
        model = keras.Sequential([inputs, *layers])
    else:
        values = [inputs]
        for index, layer in enumerate(layers):
            taken = [values[i] for i in network.inputs(index)]
            values.append(layer(taken if len(taken) > 1 else taken[0]))
        model = keras.Model(inputs, values[-1])
    queue, shapes = list(weights), network.shapes()
    for index, layer in enumerate(layers):
        shape = shapes[network.inputs(index)[0]]
        count = len(weight_shapes(network.layers[index], shape))
        layer.set_weights([queue.pop(0) for _ in range(count)])
    return model


def build_layer(keras: Any, layer: Layer) -> Any:
    """The Keras layer for a description."""
    layers = keras.layers
    match layer:
        case Conv():
            return layers.Conv2D(
                layer.filters,
                layer.kernel,
                strides=layer.stride,
                padding=layer.padding,
                activation=layer.activation,
                use_bias=layer.bias,
            )
        case Depthwise():
            return layers.DepthwiseConv2D(
                3, strides=layer.stride, padding="same", use_bias=False
            )
        case Up():
            return layers.Conv2DTranspose(
                layer.filters, layer.kernel, strides=2, padding="same"
            )
        case Upsample():
            return layers.UpSampling2D()
        case BatchNorm():
            return layers.BatchNormalization()
        case Relu():
            return layers.ReLU()
        case Add():
            return layers.Add()
        case Concat():
            return layers.Concatenate()
        case Pool():
            kind = (
                layers.MaxPooling2D if layer.kind == "max" else layers.AveragePooling2D
            )
            return kind(layer.size, strides=layer.stride, padding=layer.padding)
        case GlobalPool():
            return layers.GlobalAveragePooling2D()
        case Flatten():
            return layers.Flatten()
        case Dense():
            return layers.Dense(layer.units, activation=layer.activation)
