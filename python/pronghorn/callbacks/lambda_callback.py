# SPDX-License-Identifier: Apache-2.0
"""LambdaCallback: hooks that are functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pronghorn.callbacks.callback import Callback

Hook = Callable[..., Any] | None


class LambdaCallback(Callback):
    """A callback made of functions.

    A hook of batches makes `fit` return to Python after every step.

    Args:
        on_epoch_begin: Takes the number of the epoch and logs, as `on_epoch_end`.
        on_epoch_end: See there.
        on_train_begin: Takes logs, as `on_train_end`.
        on_train_end: See there.
        on_train_batch_begin: Takes the number of the batch and logs, as
            `on_train_batch_end`.
        on_train_batch_end: See there.
        **kwargs: The other hooks of `Callback`.

    Example:
        >>> tell = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
        >>> tell.on_epoch_end(0, {"loss": 1.0})
        0 {'loss': 1.0}
    """

    def __init__(
        self,
        on_epoch_begin: Hook = None,
        on_epoch_end: Hook = None,
        on_train_begin: Hook = None,
        on_train_end: Hook = None,
        on_train_batch_begin: Hook = None,
        on_train_batch_end: Hook = None,
        **kwargs: Hook,
    ) -> None:
        super().__init__()
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, hook in hooks.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise ValueError(f"LambdaCallback: expected names of hooks, got {name}")
            if hook is not None:
                setattr(self, name, hook)
