# SPDX-License-Identifier: Apache-2.0
"""MNIST's IDX files: names, gzip, and every way a file can be wrong."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from pronghorn.datasets import mnist

NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(1)
    shapes = [(7, 28, 28), (7,), (3, 28, 28), (3,)]
    return [rng.integers(0, 10, shape, np.uint8) for shape in shapes]


@pytest.fixture
def folder(tmp_path, arrays):
    for name, array in zip(NAMES, arrays, strict=True):
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


def check(loaded, arrays):
    (x_train, y_train), (x_test, y_test) = loaded
    for got, expected in zip((x_train, y_train, x_test, y_test), arrays, strict=True):
        assert got.dtype == np.uint8
        assert got.flags.writeable
        np.testing.assert_array_equal(got, expected)


def test_original_files(folder, arrays):
    check(mnist.load_data(folder), arrays)


def test_gzipped_files_and_string_path(folder, arrays):
    for name in NAMES:
        content = (folder / name).read_bytes()
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        (folder / name).unlink()
    check(mnist.load_data(str(folder)), arrays)


def test_dotted_names(folder, arrays):
    for name in NAMES:
        (folder / name).rename(folder / name.replace("-idx", ".idx"))
    check(mnist.load_data(folder), arrays)


def test_without_path_the_error_says_how_to_give_one():
    with pytest.raises(ValueError, match=r"load_data\(\"path/to/folder\"\)"):
        mnist.load_data()


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        mnist.load_data(tmp_path / "nowhere")


@pytest.mark.parametrize("name", NAMES)
def test_missing_file_names_what_was_looked_for(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}, {name}.gz"):
        mnist.load_data(folder)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("keep", [0, 3, 4, 10, 16, 100, -1])
def test_truncated_at_any_place(folder, keep, zipped):
    path = folder / NAMES[0]
    content = path.read_bytes()[:keep]
    if zipped:
        path.unlink()
        path = path.with_name(path.name + ".gz")
        content = gzip.compress(content)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="train-images-idx3-ubyte"):
        mnist.load_data(folder)


def test_truncated_gzip(folder):
    path = folder / NAMES[2]
    zipped = gzip.compress(path.read_bytes())
    path.unlink()
    for keep in (0, 5, 20, len(zipped) - 1):
        path.with_name(path.name + ".gz").write_bytes(zipped[:keep])
        with pytest.raises(ValueError, match="t10k-images-idx3-ubyte"):
            mnist.load_data(folder)


def test_wrong_magic(folder):
    labels = (folder / NAMES[1]).read_bytes()
    (folder / NAMES[0]).write_bytes(labels)
    with pytest.raises(ValueError, match="begin with 00 00 08 03, got 00 00 08 01"):
        mnist.load_data(folder)


def test_extra_bytes(folder):
    path = folder / NAMES[3]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"announces 3 bytes .* more than 3"):
        mnist.load_data(folder)


def test_counts_that_differ(folder):
    (folder / NAMES[1]).write_bytes(idx(np.zeros(6, np.uint8)))
    with pytest.raises(ValueError, match=r"7 images but .* 6 labels"):
        mnist.load_data(folder)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_small_file_cannot_ask_for_much_memory(folder, zipped):
    path = folder / NAMES[0]
    content = struct.pack(">BBBBIII", 0, 0, 8, 3, 2**31, 2**31, 2**31)
    if zipped:
        path.unlink()
        path = path.with_name(path.name + ".gz")
        content = gzip.compress(content)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="truncated or damaged"):
        mnist.load_data(folder)


def test_real_files():
    default = Path(__file__).parents[2].parent / "shared" / "data" / "mnist"
    folder = Path(os.environ.get("PRONGHORN_MNIST_DIR", default))
    if not folder.is_dir():
        pytest.skip("no MNIST: set PRONGHORN_MNIST_DIR to the folder of its files")
    (x_train, y_train), (x_test, y_test) = mnist.load_data(folder)
    assert x_train.shape == (60000, 28, 28)
    assert x_test.shape == (10000, 28, 28)
    assert np.bincount(y_test).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert x_train.mean() == pytest.approx(33.318, abs=0.001)
