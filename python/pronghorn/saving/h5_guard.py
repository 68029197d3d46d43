# SPDX-License-Identifier: Apache-2.0
"""Reading HDF5 files that may be damaged or hostile.

Nothing outside the file is opened (external links, soft links, external storage and
virtual datasets are refused) and no dataset is read before its shape, type and chunks
are known to fit what the model expects, so that a small file cannot ask for much
memory. Everything that is wrong is a ValueError.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn.utils.optional import require

# Datasets above the floor must have stored at least a 1000th of what they declare:
# Keras's limit (real weights, compressed or not, are far from it) with a lower floor.
_EXPANSION_FLOOR = 1 << 26
_MAX_EXPANSION = 1000
# A chunk is decompressed as a whole, whatever part of it is needed.
_MAX_CHUNK = 1 << 26


@contextlib.contextmanager
def open_for_reading(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Opens an HDF5 file; whatever fails while it is open names the file."""
    h5py = require("h5py", "Loading weights")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"Weights file '{path}' does not exist")
    if not path.is_file():
        raise ValueError(f"Weights file '{path}' is not a file")
    try:
        file = h5py.File(path, "r")
    except Exception as error:
        raise ValueError(
            f"Weights file '{path}' is not an HDF5 file, or is truncated or damaged "
            f"({error})"
        ) from error
    try:
        yield file
    except ValueError:
        raise
    except Exception as error:  # h5py raises nearly anything for damaged files
        raise ValueError(f"Weights file '{path}' is damaged ({error})") from error
    finally:
        with contextlib.suppress(Exception):
            file.close()


def get_group(file: Any, path: str) -> Any | None:
    """The group at `path`, or None if there is none."""
    h5py = require("h5py", "Loading weights")
    group = file
    for name in path.split("/"):
        if name not in group:
            return None
        _refuse_links(group, name)
        group = group[name]
        if not isinstance(group, h5py.Group):
            raise ValueError(f"expected a group at '{path}', got {type(group)}")
    return group


def read_dataset(
    group: Any, name: str, shape: tuple[int, ...], dtype: str
) -> NDArray[Any]:
    """Reads a dataset of the given shape, converted to `dtype`."""
    h5py = require("h5py", "Loading weights")
    _refuse_links(group, name)
    dataset = group[name]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"expected a dataset named '{name}', got {type(dataset)}")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"dataset '{name}' refers to other files")
    if dataset.shape != shape:
        raise ValueError(f"expected shape {shape}, got {dataset.shape}")
    is_bfloat16 = dataset.attrs.get("dtype") == "bfloat16"
    if dataset.dtype.kind not in "fiu" and not (
        is_bfloat16 and dataset.dtype.itemsize == 2
    ):
        raise ValueError(f"expected numbers, got {dataset.dtype}")
    _refuse_expansion(dataset, name)
    if is_bfloat16:
        bits = np.asarray(dataset[()]).view(np.uint16).astype(np.uint32)
        return (bits << np.uint32(16)).view(np.float32).astype(dtype)
    return np.asarray(dataset[()]).astype(dtype)


def _refuse_links(group: Any, name: str) -> None:
    h5py = require("h5py", "Loading weights")
    link = group.get(name, getclass=True, getlink=True)
    if link is not h5py.HardLink:
        raise ValueError(f"'{name}' is a {link.__name__}, which is not allowed")


def _refuse_expansion(dataset: Any, name: str) -> None:
    item = dataset.dtype.itemsize
    declared = math.prod(dataset.shape) * item
    stored = dataset.id.get_storage_size()
    if declared > _EXPANSION_FLOOR and declared > _MAX_EXPANSION * stored:
        raise ValueError(
            f"dataset '{name}' declares {declared} bytes but stores {stored}"
        )
    chunk = math.prod(dataset.chunks or ()) * item
    if chunk > max(_MAX_CHUNK, declared):
        raise ValueError(f"dataset '{name}' has chunks of {chunk} bytes")
