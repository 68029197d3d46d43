# SPDX-License-Identifier: Apache-2.0
"""Trainer: compile, fit, evaluate, predict and their one-batch forms.

Arguments, callbacks, keys and numbers are Keras's. Data are checked and plans are made
before anything changes or any callback is called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from pronghorn import optimizers
from pronghorn.callbacks import CallbackList, History
from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.optimizers import Optimizer
from pronghorn.training import data, plans
from pronghorn.training.objectives import Compiled, Objective
from pronghorn.training.profile import StageTime, profile
from pronghorn.training.samples import Samples, prepare
from pronghorn.training.steps import Pace, Passes, Stepper, chunks

if TYPE_CHECKING:
    from pronghorn.layers.symbolic import Shape
    from pronghorn.models.model import Model

_BATCH_SIZE = 32


class Trainer(Layer):
    """Base class of models: everything about training.

    Attributes:
        optimizer: The optimizer given to `compile`, or None.
        compiled: Whether `compile` was called.
        stop_training: Set it in a callback to end `fit`.
        history: The `History` of the last `fit`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.optimizer: Optimizer | None = None
        self.history: History | None = None
        self.stop_training = False
        self._compiled: Compiled | None = None

    # What models know.

    @property
    def output_names(self) -> list[str]:
        """Names of the layers that the outputs come from."""
        raise NotImplementedError

    def checked_inputs(self, x: Any) -> list[data.Array]:
        """Users' inputs as the core takes them; builds the model if need be."""
        raise NotImplementedError

    def output_shapes_for(self, inputs: Sequence[data.Array]) -> list[Shape]:
        """The shapes of the outputs for these inputs."""
        raise NotImplementedError

    # compile.

    def compile(
        self,
        optimizer: optimizers.OptimizerLike = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,  # noqa: ARG002
        steps_per_execution: int = 1,  # noqa: ARG002
        jit_compile: str | bool = "auto",  # noqa: ARG002
        auto_scale_loss: bool = True,  # noqa: ARG002
    ) -> None:
        """Says how to train.

        Args:
            optimizer: Name or object.
            loss: Name or object; for several outputs one for all, a list or a dict.
            loss_weights: Factors of the losses, a list or a dict.
            metrics: List of names or objects; for several outputs a list of lists or a
                dict. "accuracy" is the one that fits the shapes.
            weighted_metrics: Metrics that respect the weights of samples.
            run_eagerly: Without effect, as the three that follow: the core compiles
                whole training steps anyway and runs many of them per call.
            steps_per_execution: Without effect.
            jit_compile: Without effect.
            auto_scale_loss: Without effect.
        """
        compiled = Compiled(loss, loss_weights, metrics, weighted_metrics)
        self.optimizer = optimizers.get(optimizer)
        self._compiled = compiled
        self.plans.clear()

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compiled is not None

    @property
    def loss(self) -> Any:
        """The loss given to `compile`."""
        return None if self._compiled is None else self._compiled.loss

    @property
    def compiled_optimizer(self) -> Optimizer:
        """The optimizer of a compiled model."""
        if self.optimizer is None:
            raise ValueError(f"Model '{self.name}': call compile() before training")
        return self.optimizer

    def compiled_objectives(
        self, truths: Sequence[Shape], predictions: Sequence[Shape]
    ) -> list[Objective]:
        """Losses and metrics per output, for these shapes."""
        if self._compiled is None:
            raise ValueError(f"Model '{self.name}': call compile() first")
        return self._compiled.objectives(self.output_names, truths, predictions)

    def metric_direction(self, name: str) -> str:
        """Whether larger results of a compiled metric are better.

        Args:
            name: "loss" or the name of a metric.

        Returns:
            "up", "down", or "" if that is not known.
        """
        return "" if self._compiled is None else self._compiled.direction(name)

    def _check_compiled(self, method: str) -> None:
        if self._compiled is None:
            raise ValueError(
                f"Model '{self.name}': call compile() before calling {method}()"
            )

    # fit.

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Trains the model.

        Args:
            x: Inputs, an array; for several inputs a list or a dict by name.
            y: Truth, likewise.
            batch_size: Samples per step, 32 by default.
            epochs: Number of the last epoch.
            verbose: 0 silent, 1 or "auto" a progress bar, 2 a line per epoch.
            callbacks: Objects with Keras's hooks.
            validation_split: Share of the samples, taken from the end before shuffling,
                that is for validation.
            validation_data: (x, y) or (x, y, sample_weight) for validation.
            shuffle: Whether each epoch has a random order.
            class_weight: Weights of classes in the loss.
            sample_weight: Weights of samples in the loss.
            initial_epoch: Number of the first epoch.
            steps_per_epoch: Steps of an epoch; by default all samples.
            validation_steps: Steps of a validation; by default all samples.
            validation_batch_size: Samples per validation step; default `batch_size`.
            validation_freq: Validate every so many epochs, or after the epochs listed,
                counted from 1.

        Returns:
            The record of losses and metrics per epoch.
        """
        self._check_compiled("fit")
        for name, value, least in (
            ("epochs", epochs, 0),
            ("initial_epoch", initial_epoch, 0),
            ("steps_per_epoch", steps_per_epoch, 1),
            ("validation_steps", validation_steps, 1),
            ("validation_batch_size", validation_batch_size, 1),
        ):
            if value is not None:
                arguments.whole("fit", name, value, least)
        _checked_batch("fit", batch_size)
        epochs_to_validate = _validated_epochs(validation_freq, epochs)
        samples = prepare(self, x, y, sample_weight, class_weight)
        validation = None
        if validation_data is not None:
            validation = prepare(self, *data.unpack(validation_data, "validation_data"))
        elif validation_split:
            samples, validation = _split(samples, validation_split)
            if class_weight is not None:
                validation = validation.unweighted()
        if batch_size is None and steps_per_epoch is not None:
            batch_size = math.ceil(samples.rows / steps_per_epoch)
        batch = batch_size or _BATCH_SIZE

        steps = steps_per_epoch or math.ceil(samples.rows / batch)
        hooks = self._hooks(
            callbacks, verbose, epochs=epochs, steps=steps, history=True
        )
        stepper = Stepper(self, samples, batch, True, hooks.needs_batches)
        validator = None
        if validation is not None:
            size = validation_batch_size or batch
            validator = Stepper(self, validation, size, False, hooks.needs_batches)
        passes = Passes(samples.rows, stepper.batch, bool(shuffle), steps_per_epoch)
        self.stop_training = False
        logs: dict[str, float] = {}
        hooks.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            hooks.on_epoch_begin(epoch)
            logs = self._train_epoch(stepper, passes, hooks)
            if validator is not None and epoch + 1 in epochs_to_validate:
                results = self._test(validator, hooks, validation_steps)
                logs |= {f"val_{name}": value for name, value in results.items()}
            hooks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        hooks.on_train_end(logs)
        return hooks.history or History()

    def _train_epoch(
        self, stepper: Stepper, passes: Passes, hooks: CallbackList
    ) -> dict[str, float]:
        stepper.reset()
        for first, last, rows in chunks(
            passes.next_epoch(), stepper.batch, stepper.pace
        ):
            hooks.on_train_batch_begin(first)
            stepper.run(rows)
            hooks.on_train_batch_end(last, stepper.logs())
            if self.stop_training:
                break
        return stepper.logs()

    def _hooks(
        self, callbacks: Any, verbose: str | int, epochs: int, steps: int, history: bool
    ) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            return callbacks
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"verbose: expected 'auto', 0, 1 or 2, got {verbose!r}")
        return CallbackList(
            callbacks,
            add_history=history,
            add_progbar=verbose != 0,
            model=cast("Model", self),
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )

    # evaluate and predict.

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Computes loss and metrics.

        Args:
            x: Inputs, an array; for several inputs a list or a dict by name.
            y: Truth, likewise.
            batch_size: Samples per step, 32 by default.
            verbose: 0 silent, 1 or "auto" a progress bar, 2 a line.
            sample_weight: Weights of samples in the loss.
            steps: Number of steps; by default all samples.
            callbacks: Objects with Keras's hooks.
            return_dict: Whether to return a dict by name.

        Returns:
            The loss, or a list of loss and metrics, or a dict.
        """
        self._check_compiled("evaluate")
        batch = _checked_batch("evaluate", batch_size)
        if steps is not None:
            arguments.whole("evaluate", "steps", steps)
        samples = prepare(self, x, y, sample_weight)
        count = steps or math.ceil(samples.rows / batch)
        hooks = self._hooks(callbacks, verbose, epochs=1, steps=count, history=False)
        stepper = Stepper(self, samples, batch, False, hooks.needs_batches)
        return _results(self._test(stepper, hooks, steps), return_dict)

    def _test(
        self, stepper: Stepper, hooks: CallbackList, steps: int | None
    ) -> dict[str, float]:
        stepper.reset()
        rows = stepper.samples.rows if steps is None else steps * stepper.batch
        order = np.arange(min(rows, stepper.samples.rows))
        hooks.on_test_begin()
        for first, last, chunk in chunks(order, stepper.batch, stepper.pace):
            hooks.on_test_batch_begin(first)
            stepper.run(chunk)
            hooks.on_test_batch_end(last, stepper.logs())
        logs = stepper.logs()
        hooks.on_test_end(logs)
        return logs

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Computes the outputs.

        Args:
            x: Inputs, an array; for several inputs a list or a dict by name.
            batch_size: Samples per step, 32 by default.
            verbose: 0 silent, 1 or "auto" a progress bar, 2 a line.
            steps: Number of steps; by default all samples.
            callbacks: Objects with Keras's hooks.

        Returns:
            An array, or a list of arrays for several outputs.
        """
        batch = _checked_batch("predict", batch_size)
        if steps is not None:
            arguments.whole("predict", "steps", steps)
        feeds = self.checked_inputs(x)
        rows = len(feeds[0]) if steps is None else min(steps * batch, len(feeds[0]))
        shapes = plans.forward_plan(self, feeds, max(min(batch, rows), 1)).shapes
        outputs = [np.empty((rows, *shape[1:]), np.float32) for shape in shapes]
        if rows:
            count = math.ceil(rows / batch)
            hooks = self._hooks(
                callbacks, verbose, epochs=1, steps=count, history=False
            )
            self._predict(feeds, outputs, min(batch, rows), hooks)
        return self._pack(outputs)

    def _predict(
        self,
        feeds: Sequence[data.Array],
        outputs: Sequence[NDArray[np.float32]],
        batch: int,
        hooks: CallbackList,
    ) -> None:
        hooks.on_predict_begin()
        pace = Pace(hooks.needs_batches)
        for first, last, rows in chunks(np.arange(len(outputs[0])), batch, pace):
            hooks.on_predict_batch_begin(first)
            size = min(batch, len(rows))
            plan = plans.forward_plan(self, feeds, size).plan
            parts = [output[rows[0] : rows[-1] + 1] for output in outputs]
            with pace.timed(len(rows) // size):
                plan.run(feeds, rows, parts)
            hooks.on_predict_batch_end(last, {"outputs": self._pack(parts)})
        hooks.on_predict_end()

    # One batch.

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Does one training step with all samples given.

        Returns:
            Loss and metrics before the step: a number, a list or a dict.
        """
        self._check_compiled("train_on_batch")
        samples = prepare(self, x, y, sample_weight, class_weight)
        return self._on_batch(samples, True, return_dict)

    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Computes loss and metrics of all samples given, as one batch."""
        self._check_compiled("test_on_batch")
        return self._on_batch(prepare(self, x, y, sample_weight), False, return_dict)

    def _on_batch(self, samples: Samples, training: bool, return_dict: bool) -> Any:
        stepper = Stepper(self, samples, samples.rows, training)
        stepper.run(np.arange(samples.rows))
        return _results(stepper.logs(), return_dict)

    def profile(self, x: Any, y: Any = None, repeats: int = 10) -> list[StageTime]:
        """Times the stages of a training step on one thread; weights stay as they are.

        Args:
            x: Inputs of one batch.
            y: Targets.
            repeats: Steps to average over.

        Returns:
            A `StageTime` for every stage: `.stage`, `.milliseconds`, `.gflops`,
            `.gbytes_per_second`.
        """
        self._check_compiled("profile")
        repeats = arguments.whole("profile", "repeats", repeats)
        return profile(self, prepare(self, x, y, None), repeats)

    def predict_on_batch(self, x: Any) -> Any:
        """Computes the outputs of all samples given, as one batch."""
        feeds = self.checked_inputs(x)
        return self._pack(plans.forward(self, feeds, False))


def _checked_batch(method: str, batch_size: int | None) -> int:
    if batch_size is None:
        return _BATCH_SIZE
    return arguments.whole(method, "batch_size", batch_size)


def _validated_epochs(freq: int | Sequence[int], epochs: int) -> Sequence[int]:
    """The numbers, counted from 1, of the epochs that end with a validation."""
    if isinstance(freq, list | tuple | set):
        return [arguments.whole("fit", "validation_freq", one) for one in freq]
    step = arguments.whole("fit", "validation_freq", freq)
    return range(step, epochs + 1, step)


def _split(samples: Samples, share: float) -> tuple[Samples, Samples]:
    """Samples for training, and the last ones for validation."""
    share = arguments.number("fit", "validation_split", share, 0.0, 1.0)
    at = math.floor(samples.rows * (1.0 - share))
    if at in (0, samples.rows):
        raise ValueError(
            "validation_split: expected a share that leaves samples on both sides, "
            f"got {share} of {samples.rows} samples"
        )
    return samples.between(0, at), samples.between(at, samples.rows)


def _results(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return dict(sorted(logs.items()))
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
