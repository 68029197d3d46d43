# SPDX-License-Identifier: Apache-2.0
"""Many steps per call of the core.

A call is sized to take about 50 ms, so that Ctrl-C and progress bars are prompt and the
cost of a call vanishes. If a callback wants to see every batch, a call is one step.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import random
from pronghorn._native import core as _core
from pronghorn.metrics.metric import in_core
from pronghorn.training import plans
from pronghorn.training.objectives import result_names
from pronghorn.training.samples import Samples

if TYPE_CHECKING:
    from pronghorn.training.trainer import Trainer

_SECONDS_PER_CALL = 0.05
_FASTEST_STEP = 1e-6  # keeps the division finite

Order = NDArray[np.int64]


class Pace:
    """How many steps fit into a call, learned from the calls so far."""

    def __init__(self, one_by_one: bool) -> None:
        self._one_by_one = one_by_one
        self._steps = 1

    def steps(self) -> int:
        """Steps for the next call."""
        return self._steps

    @contextlib.contextmanager
    def timed(self, steps: int) -> Iterator[None]:
        """Learns from the call made in the block, which runs `steps` steps."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        if not self._one_by_one:
            fitting = _SECONDS_PER_CALL * steps / max(seconds, steps * _FASTEST_STEP)
            self._steps = max(1, min(int(fitting), 8 * self._steps))


def chunks(order: Order, batch: int, pace: Pace) -> Iterator[tuple[int, int, Order]]:
    """Cuts row numbers into calls: (first step, last step, row numbers).

    The last, smaller batch is a call of its own.
    """
    full = len(order) // batch
    step = 0
    while step < full:
        end = min(step + pace.steps(), full)
        yield step, end - 1, order[step * batch : end * batch]
        step = end
    if len(order) % batch:
        yield full, full, order[full * batch :]


class Passes:
    """Row numbers, epoch by epoch.

    Args:
        rows: Number of samples.
        batch: Batch size.
        shuffle: Whether each pass over the samples has an order of its own.
        steps: Steps of an epoch; None means a pass. As in Keras, shorter epochs
            continue a pass, and a pass that ends cuts an epoch short.
    """

    def __init__(self, rows: int, batch: int, shuffle: bool, steps: int | None) -> None:
        self._rows = rows
        self._shuffle = shuffle
        self._batch = batch
        self._steps = math.ceil(rows / batch) if steps is None else steps
        self._left = np.empty(0, np.int64)

    def next_epoch(self) -> Order:
        """The row numbers of the next epoch."""
        if len(self._left) == 0:
            rows = self._rows
            self._left = random.permutation(rows) if self._shuffle else np.arange(rows)
        order, self._left = np.split(self._left, [self._steps * self._batch])
        if math.ceil(len(order) / self._batch) < self._steps:
            warnings.warn(
                "The samples ended before `steps_per_epoch` steps were done: this "
                "epoch is shorter than the others",
                stacklevel=3,
            )
        return order


class Stepper:
    """Runs training or evaluation steps and sums up losses and metrics.

    Args:
        model: A built and compiled model.
        samples: The data.
        batch_size: Number of samples of a step; the last step may have fewer.
        training: Whether weights are updated.
        one_by_one: Whether each call is a single step.
    """

    def __init__(
        self,
        model: Trainer,
        samples: Samples,
        batch_size: int,
        training: bool,
        one_by_one: bool = False,
    ) -> None:
        self.samples = samples
        self.batch = min(batch_size, samples.rows)
        self.pace = Pace(one_by_one)
        self._model = model
        self._training = training
        self._feeds = samples.feeds
        self._names, self._order = result_names(samples.objectives)
        self._metrics = [
            *(metric for o in samples.objectives for metric in o.metrics),
            *(metric for o in samples.objectives for metric in o.weighted_metrics),
        ]
        self._on_host = [metric for metric in self._metrics if not in_core(metric)]
        self._shapes = model.output_shapes_for(samples.inputs)
        # What is wrong shows here, before anything has changed.
        self._plans = {
            size: plans.step_plan(model, samples, size, training)
            for size in {self.batch, samples.rows % self.batch} - {0}
        }
        self.reset()

    def reset(self) -> None:
        """Forgets the sums."""
        self._sums = np.zeros((len(self._names) - len(self._on_host), 2))
        for metric in self._on_host:
            metric.reset_state()

    def run(self, rows: Order) -> None:
        """Runs the steps of one call: whole batches, or one smaller batch."""
        batch = min(self.batch, len(rows))
        steps = len(rows) // batch
        plan = self._plans[batch]
        outputs = self.samples.prediction_arrays(self._shapes, len(rows))
        with self.pace.timed(steps):
            # The core goes on adding where it stopped: the sums do not depend on the
            # cuts between calls.
            if self._training:
                self._sums = self._train(plan, rows, steps, outputs)
            else:
                self._sums = plan.run(self._feeds, rows, outputs, totals=self._sums)
            self._count(rows, outputs)

    def _count(self, rows: Order, outputs: Sequence[NDArray[np.float32]]) -> None:
        """Updates the metrics that the core does not know."""
        samples = self.samples
        for i, predictions in zip(samples.handed_out, outputs, strict=True):
            objective, weights = samples.objectives[i], samples.weights[i]
            for metrics, weighted in (
                (objective.metrics, None),
                (objective.weighted_metrics, weights),
            ):
                for metric in metrics:
                    if in_core(metric):
                        continue
                    truth = samples.truths[i][metric.target]
                    step = self.batch if metric.by_batch else len(rows)
                    for at in range(0, len(rows), step):
                        part = rows[at : at + step]
                        given = None if weighted is None else weighted[part]
                        found = predictions[at : at + step]
                        metric.update_state(truth[part], found, sample_weight=given)

    def _train(
        self,
        plan: _core.Plan,
        rows: Order,
        steps: int,
        outputs: Sequence[NDArray[np.float32]],
    ) -> NDArray[np.float64]:
        optimizer = self._model.compiled_optimizer
        before = optimizer.iterations
        rates = optimizer.learning_rates(steps)
        # First, because Ctrl-C arrives right behind the call: the weights have changed.
        optimizer.iterations = before + steps
        try:
            return plan.run(self._feeds, rows, outputs, rates, before, self._sums)
        except Exception:
            optimizer.iterations = before
            raise

    def logs(self) -> dict[str, float]:
        """Means so far, in the order of Keras's `evaluate`.

        They are rounded to float32, as Keras's are.
        """
        sums, counts = self._sums[:, 0], self._sums[:, 1]
        means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts != 0)
        first = len(self._names) - len(self._metrics)
        results: list[Any] = list(means[:first])
        left = iter(means[first:])
        for metric in self._metrics:
            results.append(
                metric.finish(float(next(left))) if in_core(metric) else metric.result()
            )
        with np.errstate(over="ignore"):  # a diverged loss is inf
            rounded = [np.asarray(one).astype(np.float32).tolist() for one in results]
        values = dict(zip(self._names, rounded, strict=True))
        return {name: values[name] for name in self._order}
