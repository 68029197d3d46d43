# SPDX-License-Identifier: Apache-2.0
"""Layers between raw data and a network: rescaling, categories, tables of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from pronghorn import config, constraints, initializers, regularizers
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.reshaping import require_axes
from pronghorn.regularizers import RegularizerLike

_MODES = ("multi_hot", "one_hot", "count")


class Rescaling(Layer):
    """`inputs * scale + offset`.

    Args:
        scale: A number, or one for each channel.
        offset: A number, or one for each channel.
        **kwargs: See `Layer`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> Rescaling(1 / 127.5, offset=-1)([[0.0, 127.5, 255.0]])
        array([[-1.,  0.,  1.]], dtype=float32)
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = self._numbers("scale", scale)
        self.offset = self._numbers("offset", offset)

    def _numbers(self, name: str, value: Any) -> Any:
        try:
            array = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            array = np.array(np.nan)
        if isinstance(value, str) or np.isnan(array).any():
            raise ValueError(
                f"{self.label}: expected `{name}` to be numbers, got {value!r}"
            )
        return array.tolist()

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the product and the sum."""
        scale, offset = np.asarray(self.scale), np.asarray(self.offset)
        if scale.ndim and config.image_data_format() == "channels_first":
            scale = scale.reshape(*scale.shape, *[1] * (3 - scale.ndim))
        x = graph.add("binary", [tensors[0], graph.constant(scale)], kind="multiply")
        return graph.add("binary", [x, graph.constant(offset)], kind="add")


class CategoryEncoding(Layer):
    """Category numbers as vectors.

    Args:
        num_tokens: How many categories there are.
        output_mode: "multi_hot": 1 for each category that a sample has; "count": how
            often it has each; "one_hot": a vector with a single 1 for each number.
        sparse: False; nothing else is supported.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, length)`, for "one_hot" any. Numbers outside of
        `0 <= number < num_tokens` belong to no category.

    Output shape:
        `(batch, num_tokens)`, for "one_hot" the input's with `num_tokens` behind it or
        in the place of a last axis of size 1.

    Example:
        >>> CategoryEncoding(4)([[0, 1], [3, 3]])
        array([[1., 1., 0., 0.],
               [0., 0., 0., 1.]], dtype=float32)
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_tokens = arguments.whole(self.label, "num_tokens", num_tokens)
        mode = "multi_hot" if output_mode == "binary" else output_mode
        self.output_mode = arguments.choice(self.label, "output_mode", mode, _MODES)
        self.sparse = False
        arguments.unsupported(self.label, sparse=sparse or None)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the vectors, and what a sample makes of them."""
        ids = tensors[0]
        sizes = graph.shape(ids)[1:]
        if self.output_mode == "one_hot":
            if sizes and sizes[-1] == 1:
                ids = graph.add("reshape", [ids], shape=list(sizes[:-1]))
            return graph.add("one_hot", [ids], classes=self.num_tokens)
        require_axes(self, graph, ids, 2)
        vectors = graph.add("one_hot", [ids], classes=self.num_tokens)
        kind = "max" if self.output_mode == "multi_hot" else "sum"
        return graph.add("reduce", [vectors], kind=kind, axes=[1])


class Embedding(Layer):
    """A table of vectors, looked up by number.

    Args:
        input_dim: Rows of the table: numbers are below it.
        output_dim: Width of the table.
        embeddings_initializer: Initial values of the table.
        embeddings_regularizer: Term of the loss that depends on the table.
        embeddings_constraint: What the table must fulfil after every update.
        mask_zero: False; masks are not supported.
        weights: The initial table itself, or None.
        lora_rank: None; nothing else is supported, as for the next two.
        lora_alpha: None.
        quantization_config: None.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, ...)`, whole numbers

    Output shape:
        `(batch, ..., output_dim)`

    Example:
        >>> layer = Embedding(3, 2, weights=[[0, 1], [2, 3], [4, 5]])
        >>> layer([[2, 0]])
        array([[[4., 5.],
                [0., 1.]]], dtype=float32)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: None = None,
        lora_alpha: None = None,
        quantization_config: None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("input_length", None)  # without effect in Keras
        super().__init__(**kwargs)
        self.input_dim = arguments.whole(self.label, "input_dim", input_dim)
        self.output_dim = arguments.whole(self.label, "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        if mask_zero:
            raise ValueError(
                f"{self.label}: expected mask_zero=False, as layers pass no masks on, "
                "got True; multiply what the padding must not reach by "
                "ops.not_equal(ids, 0), or weigh its rows with sample_weight"
            )
        arguments.unsupported(
            self.label,
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            quantization_config=quantization_config,
        )
        self.lora_rank = self.lora_alpha = self.quantization_config = None
        self.mask_zero = False
        if weights is not None:
            self.build()
            self.set_weights([weights])
            self.built = True

    def build(self, input_shape: Any = None) -> None:  # noqa: ARG002
        """Makes the table."""
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            name="embeddings",
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, without its weights."""
        config = super().get_config()
        del config["weights"]
        return config

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the look-up."""
        table = graph.parameter(self.embeddings)
        return graph.add("embedding", [tensors[0], table])
