# SPDX-License-Identifier: Apache-2.0
"""Where a training step spends its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pronghorn.training import plans

if TYPE_CHECKING:
    from pronghorn.training.samples import Samples
    from pronghorn.training.trainer import Trainer


@dataclass(frozen=True)
class StageTime:
    """The share of one stage in a step.

    Args:
        stage: Layer, op and pass, or "update".
        milliseconds: Time in one step, on one thread.
        gflops: Arithmetic executed, in GFLOP/s.
        gbytes_per_second: Bytes of the stage's tensors, each counted once, by its time.
    """

    stage: str
    milliseconds: float
    gflops: float
    gbytes_per_second: float


def profile(model: Trainer, samples: Samples, repeats: int) -> list[StageTime]:
    """Times the stages of training steps on one batch; the model stays as it is."""
    plan = plans.step_plan(model, samples, samples.rows, training=True)
    optimizer = model.compiled_optimizer
    order = np.tile(np.arange(samples.rows), repeats)
    rates = optimizer.learning_rates(repeats)
    shapes = model.output_shapes_for(samples.inputs)
    outputs = samples.prediction_arrays(shapes, len(order))
    state = [
        array
        for weight in model.trainable_weights
        for array in (weight.value, *optimizer.slot_arrays(weight))
    ]
    before = [array.copy() for array in state]
    try:
        rows = plan.profile(samples.feeds, order, outputs, rates, optimizer.iterations)
    finally:
        for array, values in zip(state, before, strict=True):
            array[...] = values
    return [
        StageTime(
            stage,
            1e3 * seconds / repeats,
            1e-9 * flops / seconds if seconds else 0.0,
            1e-9 * count / seconds if seconds else 0.0,
        )
        for stage, seconds, flops, count in rows
    ]
