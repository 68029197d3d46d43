# SPDX-License-Identifier: Apache-2.0
"""The core's plans: layers, losses, metrics and optimizer recorded in one graph.

A plan belongs to a model, a batch size, shapes and a purpose. Plans are kept with the
model; the least recently used ones go, as each owns the memory of its activations.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pronghorn._native import core as _core
from pronghorn.layers.lowering import GraphBuilder, choices, named
from pronghorn.metrics.metric import in_core

if TYPE_CHECKING:
    from pronghorn.calls import Arguments
    from pronghorn.layers.layer import Layer
    from pronghorn.training.samples import Samples
    from pronghorn.training.trainer import Trainer

Array = NDArray[Any]
T = TypeVar("T")

# Full and last batch of training, validation and prediction, and two to spare.
_KEPT_PLANS = 8


class PlanCache:
    """The plans used last.

    Safe to use from several threads: at worst one builds a plan that another is
    building too.
    """

    def __init__(self) -> None:
        self._plans: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The plan of that key, made now if need be."""
        plan: T = self._plans.pop(key, None) or make()
        self._plans[key] = plan
        while len(self._plans) > _KEPT_PLANS:
            self._plans.pop(next(iter(self._plans)), None)
        return plan

    def clear(self) -> None:
        """Forgets all plans."""
        self._plans.clear()


class ForwardPlan:
    """A plan that computes a layer's or model's outputs, and their shapes."""

    def __init__(
        self,
        layer: Layer,
        feeds: Sequence[Array],
        batch: int,
        training: bool,
        call: Arguments | None = None,
    ) -> None:
        graph = GraphBuilder(batch, training)
        with named(layer):
            inputs = [graph.input(feed.shape[1:], str(feed.dtype)) for feed in feeds]
        outputs = graph.lower(layer, inputs, call=call)
        self.shapes = [graph.shape(tensor) for tensor in outputs]
        self.plan = graph.compile(outputs=outputs)


def forward_plan(
    layer: Layer,
    feeds: Sequence[Array],
    batch: int,
    training: bool = False,
    call: Arguments | None = None,
) -> ForwardPlan:
    """A plan that computes a built layer's or model's outputs."""

    def make() -> ForwardPlan:
        return ForwardPlan(layer, feeds, batch, training, call)

    signature = tuple([(feed.shape[1:], feed.dtype.char) for feed in feeds])
    modes = _modes(layer) if training else ()
    mode = (training, modes, batch, call and call.key)
    key = ("forward", *mode, *choices().values(), signature)
    return layer.plans.get(key, make)


def _modes(layer: Layer) -> tuple[bool, ...]:
    """Which layers are trainable: some compute something else when frozen."""
    inner = (mode for sublayer in layer.sublayers() for mode in _modes(sublayer))
    return (layer.trainable, *inner)


def forward(
    layer: Layer,
    feeds: Sequence[Array],
    training: bool,
    call: Arguments | None = None,
) -> list[NDArray[np.float32]]:
    """A built layer's outputs for arrays, as one batch."""
    rows = len(feeds[0])
    found = forward_plan(layer, feeds, max(rows, 1), training, call)
    if rows == 0:
        return [np.empty((0, *shape[1:]), np.float32) for shape in found.shapes]
    return found.plan.forward(feeds)


def step_plan(
    model: Trainer, samples: Samples, batch: int, training: bool
) -> _core.Plan:
    """A plan of training steps or, without `training`, of evaluation."""
    trainable = tuple(id(w) for w in model.trainable_weights)

    def make() -> _core.Plan:
        with named(model):
            return _make_step_plan(model, samples, batch, trainable, training)

    key = (
        "step",
        training,
        _modes(model) if training else (),
        batch,
        trainable,
        samples.signature,
        *choices().values(),
    )
    return model.plans.get(key, make)


def _make_step_plan(
    model: Trainer,
    samples: Samples,
    batch: int,
    trainable: Sequence[int],
    training: bool,
) -> _core.Plan:
    optimizer = model.optimizer if training else None
    moved = trainable if training else ()
    graph = GraphBuilder(batch, training, moved, optimizer, penalized=trainable)
    inputs = [graph.input(x.shape[1:], str(x.dtype)) for x in samples.inputs]
    predictions = graph.lower(model, inputs)
    # Feeds are numbered in the order of these calls: that of Samples.feeds.
    truths = [
        {kind: graph.input(y.shape[1:], str(y.dtype)) for kind, y in truth.items()}
        for truth in samples.truths
    ]
    weights = [
        -1 if w is None else graph.input(w.shape[1:], "float32")
        for w in samples.weights
    ]
    losses, plain, weighted = [], [], []
    for objective, prediction, truth, weight in zip(
        samples.objectives, predictions, truths, weights, strict=True
    ):
        loss = objective.loss
        of_rows = weight if weight >= 0 and len(graph.shape(weight)) > 1 else -1
        if loss is not None:
            target = truth.get(loss.target, -1)
            tensor = loss.lower(graph, prediction, target, of_rows)
            reduction = loss.core_reduction(weight >= 0)
            losses.append((tensor, weight, reduction, objective.loss_weight))
        for metric in filter(in_core, objective.metrics):
            plain.append((metric.lower(graph, prediction, truth[metric.target]), -1))
        for metric in filter(in_core, objective.weighted_metrics):
            tensor = metric.lower(graph, prediction, truth[metric.target], of_rows)
            weighted.append((tensor, weight))
    if not losses and not graph.penalties:
        raise ValueError(
            f"Model '{model.name}': no loss to compute, give compile() a `loss` or "
            "call add_loss in a layer"
        )
    return graph.compile(
        outputs=[predictions[i] for i in samples.handed_out],
        losses=losses,
        metrics=plain + weighted,
        optimizer=None if optimizer is None else optimizer.rule(),
        penalties=graph.penalties,
    )
