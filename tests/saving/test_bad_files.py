# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile weights files: ValueError, and the model is as it was."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pronghorn
from pronghorn import layers

h5py = pytest.importorskip("h5py")

KERNEL = "layers/dense/vars/0"


def make_model():
    return pronghorn.Sequential(
        [layers.Input((6,)), layers.Dense(5), layers.Dense(3)], name="net"
    )


def weights(model):
    return [weight.value.tobytes() for weight in model.weights]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "net.weights.h5"
    make_model().save_weights(path)
    return path


def check_refused(path, match):
    model = make_model()
    before = weights(model)
    with pytest.raises(ValueError, match=match):
        model.load_weights(path)
    assert weights(model) == before


def replace_kernel(path, **arguments):
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file.create_dataset(KERNEL, **arguments)


def test_not_hdf5(path):
    for content in (b"", b"hello", b"PK\x03\x04" + bytes(1000)):
        path.write_bytes(content)
        check_refused(path, "is not an HDF5 file, or is truncated")


def test_flipped_bit_in_a_weight(path):
    with h5py.File(path) as file:
        offset = file[KERNEL].id.get_offset()
    content = bytearray(path.read_bytes())
    content[offset + 9] ^= 16
    path.write_bytes(content)
    check_refused(path, "'dense.*do not match the checksum")


def test_external_link(path, tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["kernel"] = np.zeros((6, 5), np.float32)
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file[KERNEL] = h5py.ExternalLink(str(other), "kernel")
    check_refused(path, "ExternalLink, which is not allowed")


@pytest.mark.parametrize("place", [KERNEL, "layers/dense/vars", "layers/dense"])
def test_soft_link(path, place):
    with h5py.File(path, "r+") as file:
        file.move(place, "elsewhere")
        file[place] = h5py.SoftLink("/elsewhere")
    check_refused(path, "SoftLink, which is not allowed")


def test_virtual_dataset(path, tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["kernel"] = np.zeros((6, 5), np.float32)
    layout = h5py.VirtualLayout(shape=(6, 5), dtype="f4")
    layout[:] = h5py.VirtualSource(str(other), "kernel", shape=(6, 5))
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file.create_virtual_dataset(KERNEL, layout)
    check_refused(path, "refers to other files")


def test_external_storage(path, tmp_path):
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(120))
    replace_kernel(path, shape=(6, 5), dtype="f4", external=[(str(raw), 0, 120)])
    check_refused(path, "refers to other files")


@pytest.mark.parametrize(
    "data",
    [
        np.full((6, 5), b"x"),
        np.zeros((6, 5), [("a", "f4")]),
        np.zeros((6, 5), np.complex64),
        np.zeros((6, 5), bool),
    ],
)
def test_not_numbers(path, data):
    replace_kernel(path, data=data)
    check_refused(path, "expected numbers, got")


def test_dataset_in_place_of_a_group(path):
    with h5py.File(path, "r+") as file:
        del file["layers/dense"]
        file["layers/dense"] = np.zeros(3)
    check_refused(path, "expected a group")


def test_group_in_place_of_a_dataset(path):
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file.create_group(KERNEL)
    check_refused(path, "expected a dataset")


def test_huge_declared_shape(path):
    replace_kernel(path, shape=(2**20, 2**20), dtype="f4", chunks=(64, 64))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    check_refused(path, r"expected shape \(6, 5\), got \(1048576, 1048576\)")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024  # KiB


def test_huge_chunks(path):
    replace_kernel(
        path,
        shape=(6, 5),
        maxshape=(None, None),
        dtype="f4",
        chunks=(2**14, 2**14),
        compression="gzip",
    )
    check_refused(path, "has chunks of 1073741824 bytes")


def test_expansion(tmp_path):
    model = pronghorn.Sequential(
        [layers.Input((4096,)), layers.Dense(4352)], name="wide"
    )
    path = tmp_path / "wide.weights.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", (4096, 4352), "f4", chunks=(256, 256))
        group["1"] = np.zeros(4352, np.float32)
    with pytest.raises(ValueError, match="declares 71303168 bytes but stores 0"):
        model.load_weights(path)


# Damaged metadata can make the HDF5 library itself fail, so a child process tries.
DAMAGE = """
import sys, warnings
import numpy as np
import pronghorn
from pronghorn import layers

def make_model():
    return pronghorn.Sequential([layers.Input((6,)), layers.Dense(5), layers.Dense(3)])

path, kind = sys.argv[1:]
warnings.simplefilter("ignore")
good = open(path, "rb").read()
source = make_model()
source.load_weights(path)
expected = [weight.value.tobytes() for weight in source.weights]
model = make_model()
zeros = [np.zeros(weight.shape, np.float32) for weight in model.weights]
rng = np.random.default_rng(0)
damaged = path.replace("net.", "damaged.")
refused = 0
for place in range(0, len(good), 11):
    content = bytearray(good)
    if kind == "flip":
        content[place] ^= 1 << int(rng.integers(8))
    else:
        del content[place:]
    with open(damaged, "wb") as file:
        file.write(content)
    for weight, zero in zip(model.weights, zeros, strict=True):
        weight.assign(zero)
    try:
        model.load_weights(damaged)
    except ValueError:
        refused += 1
        assert all(not weight.value.any() for weight in model.weights), place
    else:
        assert [w.value.tobytes() for w in model.weights] == expected, place
print(refused, len(range(0, len(good), 11)))
"""


@pytest.mark.parametrize("kind", ["flip", "truncate"])
def test_damage_anywhere_is_refused_or_harmless(path, kind):
    # The file declares nothing large: whatever asks for much memory is a bug.
    package = str(Path(pronghorn.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", DAMAGE, str(path), kind],
        env=os.environ | {"PYTHONPATH": package},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    refused, tried = map(int, done.stdout.split())
    assert tried > 1000
    assert refused == tried if kind == "truncate" else refused > tried // 100
