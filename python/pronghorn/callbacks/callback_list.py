# SPDX-License-Identifier: Apache-2.0
"""The callbacks of one call of `fit`, `evaluate` or `predict`, called as one.

Objects need not derive from `Callback`: whatever has some of Keras's hooks will do
(Keras's own callbacks included), and hooks it lacks are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pronghorn.callbacks.callback import Callback, Logs, is_default
from pronghorn.callbacks.history import History
from pronghorn.callbacks.progbar_logger import ProgbarLogger

if TYPE_CHECKING:
    from pronghorn.models.model import Model

_HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
_BATCH_HOOKS = tuple(name for name in _HOOKS if "batch" in name)

_ALIASES = {
    "on_train_batch_begin": "on_batch_begin",
    "on_train_batch_end": "on_batch_end",
}


class CallbackList(Callback):
    """Calls a list of callbacks at once.

    Args:
        callbacks: A callback, a (nested) list of callbacks, or None.
        add_history: Whether to add a `History` unless the list has one.
        add_progbar: Whether to add a `ProgbarLogger` unless the list has one.
        model: The model the callbacks are used with.
        **params: Passed to every callback's `set_params`.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Model | None = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks: list[Any] = list(_flatten(callbacks))
        for callback in self.callbacks:
            _check(callback)
        if add_history and not self._has(History):
            self.callbacks.append(History())
        if add_progbar and not self._has(ProgbarLogger):
            self.callbacks.append(ProgbarLogger())
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    @property
    def needs_batches(self) -> bool:
        """Whether some callback wants to be called for every single batch.

        If not, the batch hooks may be called once per chunk of steps, with the number
        of the chunk's last batch.
        """
        return any(
            not is_default(getattr(callback, name))
            for callback in self.callbacks
            for name in _BATCH_HOOKS
            if hasattr(callback, name)
        )

    @property
    def history(self) -> History | None:
        """The `History` in the list, if there is one."""
        found = [c for c in self.callbacks if isinstance(c, History)]
        return found[-1] if found else None

    def set_params(self, params: dict[str, Any]) -> None:
        """Passes the parameters on to all callbacks."""
        self.params = params
        if params:
            self._call("set_params", params)

    def set_model(self, model: Model) -> None:
        """Passes the model on to all callbacks."""
        super().set_model(model)
        self._call("set_model", model)

    def _has(self, kind: type[Callback]) -> bool:
        return any(isinstance(callback, kind) for callback in self.callbacks)

    def _call(self, name: str, *args: Any) -> None:
        for callback in self.callbacks:
            hook = getattr(callback, name, None)
            if hook is None and name in _ALIASES:
                hook = getattr(callback, _ALIASES[name], None)
            if hook is not None:
                hook(*args)


def _with_index(name: str) -> Callable[..., None]:
    def hook(self: CallbackList, index: int, logs: Logs = None) -> None:
        self._call(name, index, _as_python(logs))

    return hook


def _without_index(name: str) -> Callable[..., None]:
    def hook(self: CallbackList, logs: Logs = None) -> None:
        self._call(name, _as_python(logs))

    return hook


for _name in _HOOKS:
    _has_index = "batch" in _name or "epoch" in _name
    setattr(CallbackList, _name, (_with_index if _has_index else _without_index)(_name))


def _as_python(logs: Logs) -> dict[str, Any]:
    """A new dict, sorted by name, of floats where values are scalars (as Keras's)."""
    result = {}
    for name, value in sorted((logs or {}).items()):
        try:
            result[name] = float(value)
        except (TypeError, ValueError):
            result[name] = value
    return result


def _flatten(callbacks: Any) -> Iterable[Any]:
    if callbacks is None:
        return
    if isinstance(callbacks, list | tuple):
        for callback in callbacks:
            yield from _flatten(callback)
    else:
        yield callbacks


def _check(callback: Any) -> None:
    if isinstance(callback, type):
        raise TypeError(
            f"callbacks: expected objects, got the class {callback.__name__}; "
            f"write {callback.__name__}()"
        )
    if not any(hasattr(callback, name) for name in _HOOKS):
        raise TypeError(
            "callbacks: expected objects with Keras's hooks (on_epoch_end, ...), got "
            f"{callback!r} of type {type(callback).__name__}"
        )
