# SPDX-License-Identifier: Apache-2.0
"""What `compile` asked for, sorted by the outputs of the model.

Some of it is known only when data come: "accuracy" is binary, categorical or sparse by
the shapes of predictions and truth, as in Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pronghorn import losses, metrics
from pronghorn.losses import Loss
from pronghorn.metrics import Metric

_ACCURACIES = ("accuracy", "acc")
_CROSSENTROPIES = ("crossentropy", "ce")


@dataclass
class Objective:
    """The loss and the metrics of one output."""

    name: str
    loss: Loss | None = None
    loss_weight: float = 1.0
    metrics: list[Metric] = field(default_factory=list)
    weighted_metrics: list[Metric] = field(default_factory=list)

    def kinds(self) -> list[str]:
        """Which forms of the truth are needed: "labels", "values" or both."""
        all_metrics = [*self.metrics, *self.weighted_metrics]
        targets = {one.target for one in [self.loss, *all_metrics] if one is not None}
        return sorted(targets - {"nothing"})

    def rows(self, shape: Sequence[int]) -> tuple[int, ...]:
        """What weights may be of, given the shape of the predictions."""
        parts = [self.loss, *self.weighted_metrics]
        if any(part is not None and part.per_sample for part in parts):
            return tuple(shape[:1])
        axis = -1 if self.loss is None else self.loss.axis
        if not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
            axis = -1
        sizes = list(shape)
        sizes.pop(axis)
        return tuple(sizes)

    @property
    def ignored(self) -> int | None:
        """The label that the loss does not count."""
        return None if self.loss is None else self.loss.ignore_class

    def classes_last(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape of predictions, the classes' axis of the loss behind the others."""
        axis = -1 if self.loss is None else self.loss.axis
        if self.loss is None or self.loss.target != "labels":
            axis = -1
        if not -len(shape) <= axis < len(shape):
            raise ValueError(
                f"loss: expected predictions with an axis {axis}, got {tuple(shape)}"
            )
        sizes = list(shape)
        sizes.append(sizes.pop(axis))
        return tuple(sizes)


class Compiled:
    """The arguments of `compile`; wrong names are refused at once."""

    def __init__(
        self, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any
    ) -> None:
        self.loss = loss
        self.loss_weights = loss_weights
        self.metrics = metrics
        self.weighted_metrics = weighted_metrics
        for name in _leaves(loss):
            _loss(name, (None, 2), (None, 2))
        for argument in ("metrics", "weighted_metrics"):
            value = getattr(self, argument)
            if value is not None and not isinstance(value, list | tuple | dict):
                raise ValueError(
                    f"{argument}: expected a list or a dict, got {value!r} of type "
                    f"{type(value).__name__}"
                )
            for name in _leaves(value):
                _metric(name, (None, 2), (None, 2))

    def direction(self, name: str) -> str:
        """Which results of a metric are better: "up", "down", or "" if unknown."""
        if name == "loss":
            return "down"
        for one in _leaves([self.metrics, self.weighted_metrics]):
            metric = _metric(one, (None, 2), (None, 2))
            if metric.name == name:
                return metric.direction
        return ""

    def objectives(
        self,
        names: Sequence[str],
        truths: Sequence[tuple[int | None, ...]],
        predictions: Sequence[tuple[int | None, ...]],
    ) -> list[Objective]:
        """Losses and metrics per output, given the names and shapes of the outputs."""
        found = _per_output("loss", self.loss, names, shared=True)
        weights = _per_output("loss_weights", self.loss_weights, names, shared=False)
        plain = _per_output_lists("metrics", self.metrics, names)
        weighted = _per_output_lists("weighted_metrics", self.weighted_metrics, names)
        return [
            Objective(
                name,
                None
                if found[i] is None
                else _loss(found[i], truths[i], predictions[i]),
                1.0 if weights[i] is None else float(weights[i]),
                [_metric(one, truths[i], predictions[i]) for one in plain[i]],
                [_metric(one, truths[i], predictions[i]) for one in weighted[i]],
            )
            for i, name in enumerate(names)
        ]


def result_names(objectives: Sequence[Objective]) -> tuple[list[str], list[str]]:
    """Keras's keys of all results, in the order of the core and in that of `evaluate`.

    The core's order is: total loss, loss of each output, metrics, weighted metrics.
    """
    several = len(objectives) > 1
    with_loss = [o for o in objectives if o.loss is not None]
    losses_names = [f"{o.name}_loss" for o in with_loss] if several else []
    plain = [
        (f"{o.name}_" if several else "", metric.name)
        for o in objectives
        for metric in o.metrics
    ]
    weighted = [
        (f"{o.name}_" if several else "", metric.name)
        for o in objectives
        for metric in o.weighted_metrics
    ]
    keys: list[str] = []
    counts: dict[str, int] = {}
    for prefix, name in plain:
        keys.append(_unique(f"{prefix}{name}", counts))
    for prefix, name in weighted:
        key = f"{prefix}{name}"
        keys.append(
            _unique(f"{prefix}weighted_{name}" if key in counts else key, counts)
        )
    if not losses_names:  # the only loss is the total
        losses_names = [""] * len(with_loss)
    core = ["loss", *losses_names, *keys]
    ordered = ["loss", *(name for _, name in plain + weighted), *losses_names]
    ordered = [name for name in dict.fromkeys(ordered) if name and name in core]
    return core, ordered + sorted(name for name in core if name and name not in ordered)


def _unique(key: str, counts: dict[str, int]) -> str:
    count = counts.get(key, 0)
    counts[key] = count + 1
    return f"{key}_{count}" if count else key


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, Mapping) and "class_name" not in value:
        yield from _leaves(list(value.values()))
    elif value is not None:
        yield value


def _per_output(
    argument: str, value: Any, names: Sequence[str], shared: bool
) -> list[Any]:
    """One entry per output, from one for all, a list, or a dict by name."""
    if isinstance(value, Mapping) and "class_name" not in value:
        if set(value) != set(names):
            raise ValueError(
                f"{argument}: expected the keys {list(names)}, got {list(value)}"
            )
        return [value[name] for name in names]
    if isinstance(value, list | tuple):
        if len(value) != len(names):
            raise ValueError(
                f"{argument}: expected one entry for each of the {len(names)} outputs "
                f"({', '.join(names)}), got {len(value)}"
            )
        return list(value)
    if value is not None and not shared and len(names) > 1:
        raise ValueError(f"{argument}: expected {len(names)} entries, got {value!r}")
    return [value] * len(names)


def _per_output_lists(
    argument: str, value: Any, names: Sequence[str]
) -> list[list[Any]]:
    """A list of metrics per output."""
    if not value:
        return [[] for _ in names]
    if len(names) == 1:
        return [list(_leaves(value))]
    if isinstance(value, Mapping):
        unknown = [name for name in value if name not in names]
        if unknown:
            raise ValueError(
                f"{argument}: expected keys among {list(names)}, got {unknown}"
            )
        entries = [value.get(name) for name in names]
    else:
        entries = _per_output(argument, value, names, shared=False)
    return [list(_leaves(entry)) for entry in entries]


def _loss(
    identifier: Any, truth: Sequence[int | None], prediction: Sequence[int | None]
) -> Loss:
    if isinstance(identifier, str) and identifier.lower() in _CROSSENTROPIES:
        chosen = _by_shapes(
            truth,
            prediction,
            "binary_crossentropy",
            "sparse_categorical_crossentropy",
            "categorical_crossentropy",
        )
        return losses.get(chosen)
    loss = losses.get(identifier)
    if loss.reduction in (None, "none"):
        raise ValueError(
            f"loss: expected '{loss.name}' to have a reduction in training, got "
            f"reduction={loss.reduction!r}"
        )
    return loss


def _metric(
    identifier: Any, truth: Sequence[int | None], prediction: Sequence[int | None]
) -> Metric:
    if isinstance(identifier, str) and identifier.lower() in _ACCURACIES:
        chosen = _by_shapes(
            truth,
            prediction,
            "binary_accuracy",
            "sparse_categorical_accuracy",
            "categorical_accuracy",
        )
        metric = metrics.get(chosen)
        metric.name = identifier
        return metric
    found = metrics.get(identifier)
    of_values = (metrics.Mean.update_state, metrics.Sum.update_state)
    if type(found).update_state in of_values:
        raise ValueError(
            f"metrics: expected a metric of y_true and y_pred, got "
            f"{type(found).__name__}, which takes values: in a loop of your own call "
            "its update_state(values)"
        )
    return found


def _by_shapes(
    truth: Sequence[int | None],
    prediction: Sequence[int | None],
    binary: str,
    sparse: str,
    categorical: str,
) -> str:
    """Keras's rule for "accuracy" and "crossentropy"."""
    if prediction[-1] == 1:
        return binary
    if len(truth) < len(prediction) or truth[-1] == 1:
        return sparse
    return categorical
