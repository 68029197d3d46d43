# SPDX-License-Identifier: Apache-2.0
"""MNIST from its four original files (also Fashion-MNIST and others of their format).

An IDX file: two zero bytes, 8 for uint8, the number of axes, the axes as big-endian
32-bit numbers, then the bytes. Gzipped files are read as they are. Sizes are checked
against the header before memory is asked for.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.uint8]
_MAX_DEFLATE_RATIO = 1032  # of the format


def load_data(
    path: str | os.PathLike[str] | None = None,
) -> tuple[tuple[_Array, _Array], tuple[_Array, _Array]]:
    """Loads MNIST from a folder; nothing is downloaded.

    Args:
        path: Folder with the files `train-images-idx3-ubyte`,
            `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
            `t10k-labels-idx1-ubyte`, each with or without `.gz`
            (`train-images.idx3-ubyte` is found too).

    Returns:
        `(x_train, y_train), (x_test, y_test)`: `uint8` arrays, images of shape
        (60000, 28, 28) and (10000, 28, 28), labels of shape (60000,) and (10000,).
    """
    if path is None:
        raise ValueError(
            "mnist.load_data: expected the folder of the four IDX files "
            "(train-images-idx3-ubyte.gz, ...), as nothing is downloaded: "
            'load_data("path/to/folder")'
        )
    folder = Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(f"mnist.load_data: there is no folder '{folder}'")
    return _load_pair(folder, "train"), _load_pair(folder, "t10k")


def _load_pair(folder: Path, part: str) -> tuple[_Array, _Array]:
    image_file = _find(folder, f"{part}-images", "idx3-ubyte")
    label_file = _find(folder, f"{part}-labels", "idx1-ubyte")
    images = _read_idx(image_file, axes=3)
    labels = _read_idx(label_file, axes=1)
    if len(images) != len(labels):
        raise ValueError(
            f"'{image_file}' has {len(images)} images but '{label_file}' has "
            f"{len(labels)} labels"
        )
    return images, labels


def _find(folder: Path, stem: str, kind: str) -> Path:
    names = [f"{stem}{dot}{kind}{gz}" for dot in "-." for gz in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"mnist.load_data: '{folder}' has none of the files {', '.join(names)}"
    )


def _read_idx(path: Path, axes: int) -> _Array:
    """Reads an IDX file of bytes with the given number of axes."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            return _parse_idx(cast(IO[bytes], file), path, axes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"'{path}' is a truncated or damaged gzip file") from error


def _parse_idx(file: IO[bytes], path: Path, axes: int) -> _Array:
    header = file.read(4 + 4 * axes)
    magic = bytes([0, 0, 8, axes])
    if header[:4] != magic:
        raise ValueError(
            f"'{path}' is not an IDX file of bytes with {axes} axes: expected it to "
            f"begin with {magic.hex(' ')}, got {header[:4].hex(' ') or 'nothing'}"
        )
    if len(header) < 4 + 4 * axes:
        raise ValueError(f"'{path}' is truncated: it ends within its header")
    shape = struct.unpack(f">{axes}I", header[4:])
    size = math.prod(shape)
    stored = path.stat().st_size
    limit = stored * _MAX_DEFLATE_RATIO if path.suffix == ".gz" else stored
    data = file.read(size + 1) if size <= limit else b""
    if len(data) != size:
        got = f"more than {size}" if len(data) > size else f"{len(data) or 'fewer'}"
        raise ValueError(
            f"'{path}' is truncated or damaged: its header announces {size} bytes "
            f"(shape {shape}), it has {got}"
        )
    return np.frombuffer(data, np.uint8).reshape(shape).copy()
