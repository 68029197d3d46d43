# SPDX-License-Identifier: Apache-2.0
"""Base class of callbacks and the list that calls them.

The hooks, their arguments and their order are Keras's. A hook that does nothing is
marked; as long as no callback needs a batch hook, `fit` runs many steps in one call
of the core and reports once per chunk (`CallbackList.needs_batches`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pronghorn.models.model import Model

Logs = Mapping[str, Any] | None
_Hook = TypeVar("_Hook", bound=Callable[..., None])


def default(hook: _Hook) -> _Hook:
    """Marks a hook that does not need to be called for every batch.

    Keras marks its own default hooks with the same attribute, so a callback written
    for Keras is understood too.
    """
    hook._is_default = True  # type: ignore[attr-defined]
    return hook


def is_default(hook: Callable[..., None]) -> bool:
    """Whether a hook was marked by `default`."""
    return getattr(hook, "_is_default", False)


class Callback:
    """Base class for callbacks; subclasses override the hooks they need.

    `self.model` is the model in training and `self.params` a dict with "verbose",
    "epochs" and "steps". Overriding a batch hook makes `fit` return to Python after
    every step, which costs speed on small models.

    Example:
        >>> class Print(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, sorted(logs))
        >>> Print().on_epoch_end(0, {"loss": 1.0, "accuracy": 0.5})
        0 ['accuracy', 'loss']
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Model | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Receives "verbose", "epochs" and "steps" before anything else is called."""
        self.params = params

    def set_model(self, model: Model) -> None:
        """Receives the model before training, evaluation or prediction begins."""
        self._model = model

    @property
    def model(self) -> Model | None:
        """The model that is being trained, evaluated or asked to predict."""
        return self._model

    @default
    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Alias of `on_train_batch_begin`, kept as in Keras."""

    @default
    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Alias of `on_train_batch_end`, kept as in Keras."""

    @default
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Called at the start of an epoch of training, `epoch` counts from 0."""

    @default
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called at the end of an epoch; logs include the validation results."""

    @default
    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a training step."""
        self.on_batch_begin(batch, logs)

    @default
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a training step; logs are the averages of the epoch so far."""
        self.on_batch_end(batch, logs)

    @default
    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of `evaluate`, also of the validation in `fit`."""

    @default
    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of `evaluate`, also of the validation in `fit`."""

    @default
    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of `predict`."""

    @default
    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of `predict`; logs hold its "outputs"."""

    @default
    def on_train_begin(self, logs: Logs = None) -> None:
        """Called once when `fit` begins."""

    @default
    def on_train_end(self, logs: Logs = None) -> None:
        """Called once when `fit` ends; logs are those of the last epoch."""

    @default
    def on_test_begin(self, logs: Logs = None) -> None:
        """Called when `evaluate` or a validation begins."""

    @default
    def on_test_end(self, logs: Logs = None) -> None:
        """Called when `evaluate` or a validation ends."""

    @default
    def on_predict_begin(self, logs: Logs = None) -> None:
        """Called when `predict` begins."""

    @default
    def on_predict_end(self, logs: Logs = None) -> None:
        """Called when `predict` ends."""
