# SPDX-License-Identifier: Apache-2.0
"""`.weights.h5` files in Keras 3's own layout: Keras loads ours, we load Keras's.

    vars                          attribute "name": the model's name
    layers/<class>[_1, _2 ..]/vars/0, 1 ..        trainable, then other variables
    layers/functional/layers/ ..                  the layers of a nested model
    optimizer/vars/0, 1 ..        iteration, learning rate (a number), slots

Groups are named by class, in the order of `model.layers`; a layer's own name is only
an attribute. Every group has one attribute more, which Keras ignores: a checksum of its
variables, because nothing else would show a flipped bit in a weight.
"""

from __future__ import annotations

import contextlib
import os
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pronghorn.saving import h5_guard
from pronghorn.saving.atomic import replace_file
from pronghorn.utils.naming import to_snake_case
from pronghorn.utils.optional import require

if TYPE_CHECKING:
    from pronghorn.models.model import Model

_SUFFIX = ".weights.h5"
_CHECKSUM = "pronghorn_crc32"


@dataclass
class _Entry:
    """One group of variables: a layer, a model or the optimizer."""

    path: str  # "layers/conv2d"; "" is the model itself
    name: str
    kind: str  # class name, for messages
    variables: list[Any] = field(default_factory=list)

    @property
    def group(self) -> str:
        return f"{self.path}/vars" if self.path else "vars"


def save_weights(
    model: Model, filepath: str | os.PathLike[str], overwrite: bool = True
) -> None:
    """Saves the weights, and the optimizer's state once there is one.

    The file is replaced as a whole or, if anything fails, not at all.

    Args:
        model: A built model.
        filepath: Where to save; must end in `.weights.h5`.
        overwrite: Whether an existing file may be replaced.
    """
    path = _checked_path(filepath)
    _check_built(model, "saving")
    if not overwrite and path.exists():
        raise FileExistsError(f"'{path}' exists; pass overwrite=True to replace it")
    with replace_file(path) as temporary, _open_for_writing(temporary) as file:
        for entry in _entries(model, "", set()):
            _write_group(file, entry, [v.value for v in entry.variables])
        optimizer = model.optimizer
        if optimizer is not None and optimizer.built:
            entry = _Entry("optimizer", optimizer.name, type(optimizer).__name__)
            _write_group(file, entry, _optimizer_arrays(optimizer, model))


def load_weights(
    model: Model, filepath: str | os.PathLike[str], skip_mismatch: bool = False
) -> None:
    """Loads weights saved by pronghorn or by Keras 3.

    Everything is read and checked first: if anything is wrong, an exception is raised
    and the model has not changed.

    Args:
        model: A built model.
        filepath: The file; must end in `.weights.h5`.
        skip_mismatch: Whether layers that do not fit the file keep their weights, with
            a warning, instead of raising.
    """
    path = _checked_path(filepath)
    _check_built(model, "loading")
    with h5_guard.open_for_reading(path) as file:
        assignments, problems = _read_layers(file, model)
        update_optimizer = _read_optimizer(file, model, problems)
        unused = _unused_groups(file, model)
    if problems:
        message = (
            f"Weights file '{path}' does not fit model '{model.name}': "
            f"{next(iter(problems.values()))}. "
            f"Not loaded: {', '.join(problems)}."
        )
        if not skip_mismatch:
            raise ValueError(message)
        warnings.warn(message, stacklevel=3)
    if unused:
        warnings.warn(
            f"Weights file '{path}' has weights that model '{model.name}' has no "
            f"layers for: {', '.join(unused)}",
            stacklevel=3,
        )
    for variable, array in assignments:
        variable.assign(array)
    if update_optimizer is not None:
        update_optimizer()


def _entries(saveable: Any, path: str, visited: set[int]) -> Iterator[_Entry]:
    """The groups of a model or layer, in the order of Keras's files."""
    if id(saveable) in visited:
        return
    visited.add(id(saveable))
    layers = getattr(saveable, "layers", None)
    own = [] if layers is not None else list(saveable.weights)
    yield _Entry(path, saveable.name, type(saveable).__name__, own)
    used: dict[str, int] = {}
    for layer in layers or ():
        name = to_snake_case(type(layer).__name__)
        count = used.get(name, 0)
        used[name] = count + 1
        child = f"{name}_{count}" if count else name
        prefix = f"{path}/layers" if path else "layers"
        yield from _entries(layer, f"{prefix}/{child}", visited)


@contextlib.contextmanager
def _open_for_writing(path: Path) -> Iterator[Any]:
    h5py = require("h5py", "Saving weights")
    try:
        with h5py.File(path, "w") as file:
            yield file
    except RuntimeError as error:  # how h5py reports a full disk while closing
        raise OSError(f"Cannot write '{path}': {error}") from error


def _write_group(file: Any, entry: _Entry, arrays: Sequence[NDArray[Any]]) -> None:
    group = file.create_group(entry.group)
    group.attrs["name"] = entry.name
    for index, array in enumerate(arrays):
        group.create_dataset(str(index), data=array)
    if arrays:
        group.attrs[_CHECKSUM] = np.uint32(_checksum(arrays))


def _checksum(arrays: Sequence[NDArray[Any]]) -> int:
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(array.tobytes(), checksum)
    return checksum


def _read_layers(
    file: Any, model: Model
) -> tuple[list[tuple[Any, NDArray[Any]]], dict[str, str]]:
    """Reads the layers' variables: (variable, array) pairs, and problems by layer."""
    assignments: list[tuple[Any, NDArray[Any]]] = []
    problems: dict[str, str] = {}
    for entry in _entries(model, "", set()):
        try:
            group = h5_guard.get_group(file, entry.group)
            count = 0 if group is None else len(group)
            if count != len(entry.variables):
                found = "no such group" if group is None else f"{count} variables"
                raise ValueError(
                    f"expected {len(entry.variables)} variables at '{entry.group}', "
                    f"got {found}"
                )
            expected = [(v.name, tuple(v.shape), v.dtype) for v in entry.variables]
            arrays = _read_group(group, expected)
        except Exception as error:  # h5py raises nearly anything for damaged files
            problems[entry.name] = f"Layer '{entry.name}' ({entry.kind}): {error}"
        else:
            assignments += zip(entry.variables, arrays, strict=True)
    return assignments, problems


def _read_group(
    group: Any, expected: Sequence[tuple[str, tuple[int, ...], str]]
) -> list[NDArray[Any]]:
    """Reads the variables "0", "1" .. given their names, shapes and types."""
    arrays = []
    for index, (name, shape, dtype) in enumerate(expected):
        try:
            arrays.append(h5_guard.read_dataset(group, str(index), shape, dtype))
        except Exception as error:
            raise ValueError(f"variable '{name}': {error}") from error
    if arrays and _CHECKSUM in group.attrs:
        stored = int(group.attrs[_CHECKSUM])
        if stored != _checksum(arrays):
            raise ValueError(
                f"the values do not match the checksum in attribute '{_CHECKSUM}': the "
                "file is damaged, or was changed without removing the attribute"
            )
    return arrays


def _optimizer_arrays(optimizer: Any, model: Model) -> list[NDArray[Any]]:
    arrays: list[NDArray[Any]] = [np.asarray(optimizer.iterations, np.int32)]
    if optimizer.schedule is None:  # a schedule is not stored
        arrays.append(np.asarray(optimizer.learning_rate, np.float32))
    slots = [optimizer.slot_arrays(w) for w in model.trainable_weights]
    for group in optimizer.slot_groups:
        arrays += [one[i] for one in slots for i in group if i < len(one)]
    return arrays


def _read_optimizer(
    file: Any, model: Model, problems: dict[str, str]
) -> Callable[[], None] | None:
    """Reads the optimizer's state; returns what puts it in place."""
    optimizer = model.optimizer
    if optimizer is None:
        return None
    current = _optimizer_arrays(optimizer, model) if optimizer.built else []
    try:
        group = h5_guard.get_group(file, "optimizer/vars")
        if group is None:
            return None
        if len(group) != len(current):
            reason = "" if current else ", as it has not been built by a training step"
            warnings.warn(
                f"Skipping the optimizer's state: '{optimizer.name}' has "
                f"{len(current)} variables{reason}; the file has {len(group)}",
                stacklevel=4,
            )
            return None
        loaded = _read_group(group, [("", a.shape, str(a.dtype)) for a in current])
        _check_numbers(loaded, optimizer)
    except Exception as error:
        problems[optimizer.name] = f"Optimizer '{optimizer.name}': {error}"
        return None
    return lambda: _set_optimizer(optimizer, current, loaded)


def _check_numbers(loaded: list[NDArray[Any]], optimizer: Any) -> None:
    if loaded[0] < 0:
        raise ValueError(f"expected a number of iterations >= 0, got {loaded[0]}")
    has_rate = optimizer.schedule is None
    if has_rate and not (np.isfinite(loaded[1]) and loaded[1] >= 0):
        raise ValueError(f"expected a learning rate >= 0, got {loaded[1]}")


def _set_optimizer(
    optimizer: Any, current: list[NDArray[Any]], loaded: list[NDArray[Any]]
) -> None:
    optimizer.iterations = int(loaded[0])
    first_slot = 1
    if optimizer.schedule is None:
        first_slot = 2
        if loaded[1] != current[1]:  # else keep the digits that float32 drops
            optimizer.learning_rate = float(loaded[1])
    for array, value in zip(current[first_slot:], loaded[first_slot:], strict=True):
        array[...] = value


def _unused_groups(file: Any, model: Model) -> list[str]:
    """Groups of layers with variables that the model has no layers for."""
    known = {entry.path for entry in _entries(model, "", set())}
    found = h5_guard.get_group(file, "layers") or ()
    unused = []
    for name in found:
        path = f"layers/{name}"
        if path not in known and h5_guard.get_group(file, f"{path}/vars"):
            unused.append(path)
    return unused


def _checked_path(filepath: str | os.PathLike[str]) -> Path:
    path = Path(filepath)
    if not path.name.endswith(_SUFFIX):
        raise ValueError(
            f"The filename must end in `{_SUFFIX}`. Received: filepath={filepath}"
        )
    return path


def _check_built(model: Model, doing: str) -> None:
    if not model.built:
        raise ValueError(
            f"Model '{model.name}' has no weights yet, {doing} them is not possible: "
            "call build() or fit() first, or give the first layer an input shape"
        )
