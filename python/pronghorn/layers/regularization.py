# SPDX-License-Identifier: Apache-2.0
"""Layers that act in training only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn import random
from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder


class Dropout(Layer):
    """Sets inputs to zero at random in training and scales the others up.

    What is dropped depends on the seed, the number of the training step and the
    position in the batch, and not on the number of threads.

    Args:
        rate: Share of the inputs to drop, from 0 to 1.
        noise_shape: None; nothing else is supported.
        seed: Integer that fixes what is dropped.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> x = np.ones((1, 4))
        >>> Dropout(0.5)(x)
        array([[1., 1., 1., 1.]], dtype=float32)

    Reference:
        Srivastava et al., Dropout: a simple way to prevent neural networks from
        overfitting, JMLR 2014.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        arguments.unsupported(self.label, noise_shape=noise_shape)
        self.noise_shape = None
        self.rate = arguments.number(self.label, "rate", rate, 0.0, 1.0)
        if seed is not None:
            seed = arguments.whole(self.label, "seed", seed, 0)
        self.seed = seed
        self._seed = random.draw_seed() if seed is None else seed

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the op in training, and nothing in inference."""
        if not graph.training or self.rate == 0:
            return tensors[0]
        return graph.add("dropout", tensors, rate=self.rate, seed=self._seed)
