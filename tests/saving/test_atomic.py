# SPDX-License-Identifier: Apache-2.0
"""Files are replaced as a whole or not at all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pronghorn
from pronghorn import layers
from pronghorn.saving import atomic

pytest.importorskip("h5py")


def make_model():
    return pronghorn.Sequential([layers.Input((300,)), layers.Dense(200)])


def test_a_failing_block_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail():
        with atomic.replace_file(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_folder_are_synced_in_the_right_order(tmp_path, monkeypatch):
    journal = []
    sync, replace = os.fsync, Path.replace

    def logging_sync(descriptor):
        journal.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def logging_replace(self, target):
        journal.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", logging_sync)
    monkeypatch.setattr(Path, "replace", logging_replace)
    with atomic.replace_file(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert journal == [temporary.name, "replace", tmp_path.name]


def test_a_symbolic_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with atomic.replace_file(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_files_of_dead_processes_are_removed_and_others_kept(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead = tmp_path / f".file.{child.pid}.0123abcd.tmp"
    kept = [
        tmp_path / f".file.{os.getpid()}.0123abcd.tmp",
        tmp_path / f".other.{child.pid}.0123abcd.tmp",
        tmp_path / f".file.{child.pid}.tmp",
    ]
    for path in (dead, *kept):
        path.touch()
    with atomic.replace_file(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert sorted(tmp_path.iterdir()) == sorted([*kept, tmp_path / "file"])


def test_a_full_disk_leaves_the_old_weights(tmp_path):
    # A limit on the size of files stands in for the full disk.
    resource = pytest.importorskip("resource")
    path = tmp_path / "net.weights.h5"
    model = make_model()
    model.save_weights(path)
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"file write failed|Cannot write"):
            make_model().save_weights(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


SAVE_FOREVER = """
import sys
import numpy as np
import pronghorn
from pronghorn import layers

model = pronghorn.Sequential([layers.Input((300,)), layers.Dense(200)])
number = 0
while True:
    number += 1
    for weight in model.weights:
        weight.assign(np.full(weight.shape, number, np.float32))
    model.save_weights(sys.argv[1])
    print(number, flush=True)
"""


def test_a_killed_process_leaves_a_whole_file(tmp_path):
    path = tmp_path / "net.weights.h5"
    package = str(Path(pronghorn.__file__).parents[1])
    model = make_model()
    for milliseconds in (1, 2, 4, 7, 11):
        child = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOREVER, str(path)],
            env=os.environ | {"PYTHONPATH": package},
            stdout=subprocess.PIPE,
        )
        with child:
            child.stdout.readline()
            time.sleep(milliseconds / 1000)
            child.kill()
        model.load_weights(path)
        values = np.concatenate([weight.value.ravel() for weight in model.weights])
        assert np.unique(values).size == 1
    model.save_weights(path)
    assert list(tmp_path.iterdir()) == [path]
