# SPDX-License-Identifier: Apache-2.0
"""Functions that move elements: reshape, transpose, slices, concatenation.

Axes count the batch as 0. In a graph the batch stays where it is.
"""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn.ops import operation as base
from pronghorn.ops.elementwise import add, zeros_like
from pronghorn.ops.operation import operation
from pronghorn.tracing import Tensor

_MOST_INPUTS = 8  # of an op of the core


def _image(x: Tensor) -> tuple[int, ...]:
    """The shape without the batch."""
    return x.shape if x.parameter else x.shape[1:]


def _reshaped(x: Tensor, image: Sequence[int]) -> Tensor:
    return base.add("reshape", x, shape=list(image))


@operation
def reshape(x: Any, newshape: Any) -> Any:
    """The same elements in another shape; -1 stands for what remains."""
    sizes = [newshape] if isinstance(newshape, int) else list(newshape)
    if not base.traced(x):
        return base.array(x, "reshape").reshape([-1 if s is None else s for s in sizes])
    tensor = base.tensor(x)
    wanted = [-1 if size is None else int(size) for size in sizes]
    image = wanted if tensor.parameter else wanted[1:]
    elements = math.prod(_image(tensor))
    known = math.prod(size for size in image if size != -1)
    if -1 in image and known > 0 and elements % known == 0:
        image[image.index(-1)] = elements // known
    keeps_batch = tensor.parameter or wanted[:1] in ([-1], [tensor.shape[0]])
    if not keeps_batch or math.prod(image) != elements or min(image, default=1) < 1:
        raise ValueError(
            f"ops.reshape: expected a shape of the elements of {tensor.shape}"
            + ("" if tensor.parameter else " whose first axis is the batch, -1")
            + f", got {tuple(sizes)}"
        )
    return _reshaped(tensor, image)


@operation
def ravel(x: Any) -> Any:
    """All elements in one axis."""
    return reshape(x, (-1,))


@operation
def expand_dims(x: Any, axis: Any) -> Any:
    """Inserts axes of size 1."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    if not base.traced(x):
        return np.expand_dims(base.array(x, "expand_dims"), tuple(axes))
    tensor = base.tensor(x)
    rank = tensor.ndim + len(axes)
    places = {base.axis_in("expand_dims", one, rank) for one in axes}
    for one in places:
        base.not_batch("expand_dims", tensor, one)
    sizes = iter(tensor.shape)
    shape = [1 if i in places else next(sizes) for i in range(rank)]
    return _reshaped(tensor, shape if tensor.parameter else shape[1:])


@operation
def squeeze(x: Any, axis: Any = None) -> Any:
    """Drops axes of size 1, by default all (but the batch)."""
    if not base.traced(x):
        axes = tuple(axis) if isinstance(axis, list) else axis
        return np.squeeze(base.array(x, "squeeze"), axes)
    tensor = base.tensor(x)
    first = 0 if tensor.parameter else 1
    given = axis if isinstance(axis, list | tuple) or axis is None else [axis]
    if given is None:
        given = [i for i in range(first, tensor.ndim) if tensor.shape[i] == 1]
    dropped = {base.axis_in("squeeze", one, tensor.ndim) for one in given}
    for one in dropped:
        base.not_batch("squeeze", tensor, one)
        if tensor.shape[one] != 1:
            raise ValueError(
                f"ops.squeeze: expected axis {one} of {tensor.shape} to have size 1"
            )
    image = [s for i, s in enumerate(tensor.shape) if i >= first and i not in dropped]
    return _reshaped(tensor, image)


@operation
def transpose(x: Any, axes: Any = None) -> Any:
    """Reorders axes; without `axes` their order is reversed."""
    if not base.traced(x):
        return np.ascontiguousarray(np.transpose(base.array(x, "transpose"), axes))
    tensor = base.tensor(x)
    given = list(reversed(range(tensor.ndim))) if axes is None else list(axes)
    order = [base.axis_in("transpose", one, tensor.ndim) for one in given]
    if sorted(order) != list(range(tensor.ndim)) or (
        not tensor.parameter and order[0] != 0
    ):
        raise ValueError(
            f"ops.transpose: expected every axis of {tensor.shape} once"
            + ("" if tensor.parameter else ", the batch first")
            + f", got axes={axes}"
        )
    return base.add("transpose", tensor, axes=order)


@operation
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Exchanges two axes."""
    order = list(range(base.rank_of(x)))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


@operation
def moveaxis(x: Any, source: int, destination: int) -> Any:
    """Moves an axis to another place."""
    rank = base.rank_of(x)
    order = list(range(rank))
    moved = order.pop(base.axis_in("moveaxis", source, rank))
    order.insert(base.axis_in("moveaxis", destination, rank), moved)
    return transpose(x, order)


@operation
def broadcast_to(x: Any, shape: Any) -> Any:
    """Repeats axes of size 1 until the shape is `shape`."""
    if not base.traced(x):
        found = np.broadcast_to(base.array(x, "broadcast_to"), tuple(shape))
        return np.ascontiguousarray(found)
    tensor = base.tensor(x)
    sizes = [int(size) for size in shape]
    if not tensor.parameter:
        if sizes[0] not in (-1, tensor.shape[0]) or len(sizes) != tensor.ndim:
            raise ValueError(
                f"ops.broadcast_to: expected a shape with the batch and rank of "
                f"{tensor.shape}, got {tuple(shape)}"
            )
        sizes = sizes[1:]
    return base.add("broadcast", tensor, shape=sizes)


@operation
def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Joins tensors along an axis."""
    if not base.traced(*xs):
        return np.concatenate([base.array(x, "concatenate") for x in xs], axis)
    return _joined("concatenate", list(xs), axis)


def _joined(name: str, xs: list[Any], axis: int) -> Tensor:
    tensors = base.tensors(*xs)
    images = [tensor for tensor in tensors if not tensor.parameter]
    place = base.axis_in(name, axis, tensors[0].ndim)
    if images:
        place = base.not_batch(
            name, images[0], base.axis_in(name, axis, images[0].ndim)
        )
        tensors = [_per_image(tensor, images[0]) for tensor in tensors]
    while len(tensors) > 1:
        tensors = [
            part[0] if len(part) == 1 else base.add("concatenate", *part, axis=place)
            for part in _parts(tensors, _MOST_INPUTS)
        ]
    return tensors[0]


def _parts(tensors: list[Tensor], most: int) -> list[list[Tensor]]:
    return [tensors[i : i + most] for i in range(0, len(tensors), most)]


def _per_image(tensor: Tensor, like: Tensor) -> Tensor:
    """A constant of shape (1, ...) as a tensor with the batch of `like`."""
    if not tensor.parameter:
        return tensor
    rank = tensor.ndim
    corner = get_item(
        like, (builtins.slice(None), *([builtins.slice(0, 1)] * (rank - 1)))
    )
    result: Tensor = add(zeros_like(corner), tensor)
    return result


@operation
def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Joins tensors along a new axis."""
    if not base.traced(*x):
        return np.stack([base.array(one, "stack") for one in x], axis)
    place = base.axis_in("stack", axis, base.rank_of(x[0]) + 1)
    return concatenate([expand_dims(one, place) for one in x], place)


@operation
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Cuts a tensor along an axis: into equal parts, or at positions."""
    if not base.traced(x):
        return np.split(base.array(x, "split"), indices_or_sections, axis)
    tensor = base.tensor(x)
    place = base.axis_in("split", axis, tensor.ndim)
    size = tensor.shape[base.not_batch("split", tensor, place)]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or size % indices_or_sections:
            raise ValueError(
                f"ops.split: expected a number of parts that divides {size}, got "
                f"{indices_or_sections}"
            )
        step = size // indices_or_sections
        bounds = list(range(0, size + 1, step))
    else:
        bounds = [0, *(int(at) for at in indices_or_sections), size]
    lead = (builtins.slice(None),) * place
    return [
        get_item(tensor, (*lead, builtins.slice(first, last)))
        for first, last in itertools.pairwise(bounds)
    ]


@operation
def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    """Cuts a tensor into slices along an axis, which goes away."""
    place = base.axis_in("unstack", axis, base.rank_of(x))
    count = num or int(x.shape[place])
    lead = (builtins.slice(None),) * place
    return [get_item(x, (*lead, i)) for i in range(count)]


@operation
def flip(x: Any, axis: Any = None) -> Any:
    """Reverses the order of elements along axes."""
    rank = base.rank_of(x)
    given = range(rank) if axis is None else axis
    several = given if isinstance(given, list | tuple | range) else [given]
    axes = {base.axis_in("flip", one, rank) for one in several}
    step = builtins.slice(None, None, -1)
    if base.traced(x):
        for one in axes:
            base.not_batch("flip", base.tensor(x), one)
    return get_item(
        x, tuple(step if i in axes else builtins.slice(None) for i in range(rank))
    )


@operation
def pad(
    x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None
) -> Any:
    """Puts values around a tensor.

    Args:
        x: A tensor.
        pad_width: Pairs (before, after) for all axes, or one for all.
        mode: "constant"; for arrays all of NumPy's.
        constant_values: What to put, 0 by default.
    """
    rank = base.rank_of(x)
    widths = np.broadcast_to(np.asarray(pad_width, np.int64), (rank, 2))
    if not base.traced(x):
        values = {} if mode != "constant" else {"constant_values": constant_values or 0}
        return np.pad(base.array(x, "pad"), widths, mode, **values)  # type: ignore[call-overload]
    if mode != "constant":
        raise ValueError(f"ops.pad: expected mode 'constant' in a graph, got {mode!r}")
    tensor = base.tensor(x)
    first = 0 if tensor.parameter else 1
    if first and widths[0].any():
        base.not_batch("pad", tensor, 0)
    before, after = (widths[first:, side].tolist() for side in (0, 1))
    value = float(constant_values or 0.0)
    return base.add("pad", tensor, before=before, after=after, value=value)


@operation
def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """The part of a tensor that begins at `start_indices` and has that shape."""
    sizes = [int(size) for size in shape]
    starts = [int(start) for start in start_indices]
    key = [
        builtins.slice(start, None if size == -1 else start + size)
        for start, size in zip(starts, sizes, strict=True)
    ]
    return get_item(inputs, tuple(key))


@operation
def get_item(x: Any, key: Any) -> Any:
    """`x[key]`, with integers, slices, None and `...`."""
    if not base.traced(x):
        found = base.array(x, "get_item")[key]
        return np.ascontiguousarray(found).reshape(found.shape)
    tensor = base.tensor(x)
    entries = list(key) if isinstance(key, tuple) else [key]
    whole = builtins.slice(None)
    taken = builtins.sum(
        entry is not None and entry is not Ellipsis for entry in entries
    )
    if Ellipsis in [entry if entry is Ellipsis else None for entry in entries]:
        at = next(i for i, entry in enumerate(entries) if entry is Ellipsis)
        entries[at : at + 1] = [whole] * (tensor.ndim - taken)
    else:
        entries += [whole] * (tensor.ndim - taken)
    return _indexed(tensor, entries)


def _indexed(tensor: Tensor, entries: list[Any]) -> Tensor:
    """Indexing with an entry for every axis, and None for new ones."""
    sizes = iter(tensor.shape)
    bounds: list[tuple[int, int, int]] = []
    shape: list[int] = []
    for entry in entries:
        if entry is None:
            shape.append(1)
            continue
        size = next(sizes, None)
        if size is None:
            raise ValueError(f"Index {entries} has more axes than shape {tensor.shape}")
        if isinstance(entry, builtins.slice):
            picked = range(size)[entry]
            shape.append(len(picked))
            bounds.append((picked.start, picked.stop, picked.step))
        elif isinstance(entry, int | np.integer) and -size <= entry < size:
            bounds.append((int(entry) % size, int(entry) % size + 1, 1))
        else:
            raise ValueError(
                f"Index of {tensor!r}: expected slices, None and integers "
                f"below {size}, got {entry!r}"
            )
    if 0 in shape:
        raise ValueError(f"Index of {tensor!r}: nothing remains of an axis")
    if not tensor.parameter:
        if bounds[0] != (0, tensor.shape[0], 1) or entries[0] is None:
            base.not_batch("get_item", tensor, 0)
        bounds, shape = bounds[1:], shape[1:]
    image = _image(tensor)
    if bounds != [(0, size, 1) for size in image]:
        starts, stops, steps = (list(one) for one in zip(*bounds, strict=True))
        tensor = base.add("slice", tensor, starts=starts, stops=stops, steps=steps)
    return tensor if list(_image(tensor)) == shape else _reshaped(tensor, shape)


@operation
def repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    """Repeats every element along an axis."""
    if not base.traced(x):
        return np.repeat(base.array(x, "repeat"), repeats, axis)
    tensor = base.tensor(x)
    if axis is None:
        return repeat(ravel(tensor), repeats, 0)
    place = base.axis_in("repeat", axis, tensor.ndim)
    base.not_batch("repeat", tensor, place)
    return base.add("repeat", tensor, axis=place, repeats=int(repeats))


@operation
def tile(x: Any, repeats: Any) -> Any:
    """Repeats a tensor as a whole along its axes."""
    counts = [repeats] if isinstance(repeats, int) else [int(one) for one in repeats]
    if not base.traced(x):
        return np.tile(base.array(x, "tile"), counts)
    tensor = base.tensor(x)
    if len(counts) > tensor.ndim:
        raise ValueError(
            f"ops.tile: expected at most {tensor.ndim} repeats, got {len(counts)}"
        )
    counts = [1] * (tensor.ndim - len(counts)) + counts
    first = 0 if tensor.parameter else 1
    if first and counts[0] != 1:
        base.not_batch("tile", tensor, 0)
    for axis in range(first, tensor.ndim):
        if counts[axis] > 1:
            tensor = _joined("tile", [tensor] * counts[axis], axis)
    return tensor


@operation
def roll(x: Any, shift: int, axis: int | None = None) -> Any:
    """Moves elements along an axis; what leaves at the end comes in at the front."""
    if not base.traced(x):
        return np.roll(base.array(x, "roll"), shift, axis)
    tensor = base.tensor(x)
    if axis is None:
        return reshape(roll(ravel(tensor), shift, 0), tensor.shape)
    place = base.axis_in("roll", axis, tensor.ndim)
    at = -shift % tensor.shape[base.not_batch("roll", tensor, place)]
    if at == 0:
        return tensor
    first, last = split(tensor, [at], place)
    return concatenate([last, first], place)
