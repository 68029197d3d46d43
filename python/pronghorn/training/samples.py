# SPDX-License-Identifier: Apache-2.0
"""Samples: the arrays of one call of `fit` or `evaluate`, ready for the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pronghorn.metrics.metric import in_core
from pronghorn.training import data
from pronghorn.training.data import Array
from pronghorn.training.objectives import Objective

if TYPE_CHECKING:
    from pronghorn.training.trainer import Trainer


@dataclass(frozen=True)
class Samples:
    """Inputs, truths and weights with equally many rows.

    Attributes:
        inputs: One array per input of the model.
        truths: Per output the forms of the truth that are needed, by kind.
        weights: Per output the weights of the samples, or of their rows, or None.
        objectives: Per output its loss and metrics.
    """

    inputs: list[Array]
    truths: list[dict[str, Array]]
    weights: list[Array | None]
    objectives: list[Objective]

    @property
    def rows(self) -> int:
        """Number of samples."""
        return len(self.inputs[0])

    @property
    def feeds(self) -> list[Array]:
        """All arrays, in the order in which plans expect them."""
        truths = [array for truth in self.truths for array in truth.values()]
        weights = [array for array in self.weights if array is not None]
        return [*self.inputs, *truths, *weights]

    @property
    def signature(self) -> tuple[Any, ...]:
        """What a plan depends on."""
        shapes = [(array.shape[1:], array.dtype.char) for array in self.feeds]
        weighted = [weights is not None for weights in self.weights]
        return (tuple(shapes), tuple(weighted))

    @property
    def handed_out(self) -> list[int]:
        """Numbers of the outputs whose predictions are counted outside of the core."""
        return [
            i
            for i, objective in enumerate(self.objectives)
            if not all(map(in_core, [*objective.metrics, *objective.weighted_metrics]))
        ]

    def prediction_arrays(
        self, shapes: Sequence[Sequence[int | None]], rows: int
    ) -> list[Array]:
        """Room for those predictions, given the shapes of all outputs."""
        return [
            np.empty((rows, *(size or 0 for size in shapes[i][1:])), np.float32)
            for i in self.handed_out
        ]

    def between(self, start: int, stop: int) -> Samples:
        """Some of the samples, without a copy."""
        return replace(
            self,
            inputs=[array[start:stop] for array in self.inputs],
            truths=[
                {kind: array[start:stop] for kind, array in truth.items()}
                for truth in self.truths
            ],
            weights=[w if w is None else w[start:stop] for w in self.weights],
        )

    def unweighted(self) -> Samples:
        """The same samples without weights."""
        return replace(self, weights=[None] * len(self.weights))


def prepare(
    model: Trainer,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
) -> Samples:
    """Checks and converts users' arrays; builds the model if it is not built yet."""
    inputs = model.checked_inputs(x)
    rows = len(inputs[0])
    if rows == 0:
        raise ValueError(f"Model '{model.name}': expected samples in x, got none")
    names = model.output_names
    predictions = model.output_shapes_for(inputs)
    if y is None:
        return _without_truths(model, inputs, predictions)
    truths = data.per_name(y, names, "y")
    truths = [
        data.as_numbers(truth, _title("y", name, names))
        for truth, name in zip(truths, names, strict=True)
    ]
    for truth, name in zip(truths, names, strict=True):
        _check_rows(truth, rows, _title("y", name, names))
    objectives = model.compiled_objectives(
        [truth.shape for truth in truths], predictions
    )
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError(
                "class_weight and sample_weight: expected one of them, got both"
            )
        if len(names) > 1:
            raise ValueError(
                f"class_weight: expected a model with one output, got {len(names)}"
            )
        sample_weight = data.class_weights(truths[0], class_weight)
    full_shapes = [(rows, *(size or 0 for size in s[1:])) for s in predictions]
    converted = [
        {
            kind: data.as_target(
                truth,
                kind,
                objective.classes_last(shape) if kind == "labels" else shape,
                _title("y", name, names),
                objective.ignored,
            )
            for kind in objective.kinds()
        }
        for truth, shape, name, objective in zip(
            truths, full_shapes, names, objectives, strict=True
        )
    ]
    weight_shapes = [
        objective.rows(shape)
        for objective, shape in zip(objectives, full_shapes, strict=True)
    ]
    weights = _weights(sample_weight, names, rows, weight_shapes)
    return Samples(inputs, converted, weights, objectives)


def _without_truths(
    model: Trainer, inputs: list[Array], predictions: Sequence[tuple[int | None, ...]]
) -> Samples:
    """Samples of a model whose layers alone say what its loss is."""
    objectives = model.compiled_objectives(predictions, predictions)
    if any(one.loss or one.kinds() for one in objectives):
        raise ValueError(f"Model '{model.name}': expected y, got None")
    nothing: list[Array | None] = [None] * len(objectives)
    return Samples(inputs, [{} for _ in objectives], nothing, objectives)


def _weights(
    value: Any, names: Sequence[str], rows: int, shapes: Sequence[tuple[int, ...]]
) -> list[Array | None]:
    """Weights per output; one array is for all outputs."""
    if value is None:
        return [None] * len(names)
    if isinstance(value, np.ndarray):
        given: list[Any] = [value] * len(names)
    else:
        given = data.per_name(value, names, "sample_weight")
    weights: list[Array | None] = []
    for one, name, shape in zip(given, names, shapes, strict=True):
        if one is None:
            weights.append(None)
            continue
        title = _title("sample_weight", name, names)
        array = data.as_numbers(one, title)
        _check_rows(array, rows, title)
        weights.append(data.as_weights(array, shape, title))
    return weights


def _check_rows(array: Array, rows: int, name: str) -> None:
    if len(array) != rows:
        raise ValueError(
            f"{name}: expected as many samples as x has, {rows}, got {len(array)}"
        )


def _title(argument: str, name: str, names: Sequence[str]) -> str:
    return argument if len(names) == 1 else f"{argument} of output '{name}'"
