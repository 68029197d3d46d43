# SPDX-License-Identifier: Apache-2.0
"""The installed package: what lies in it, and what importing it loads."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pronghorn
from pronghorn._native import core

OPTIONAL = ("h5py", "matplotlib", "rich", "sklearn", "scipy", "scipy_openblas32")


def run_python(program: str) -> str:
    completed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return completed.stdout.strip()


def test_version_is_the_metadata():
    assert pronghorn.__version__ == importlib.metadata.version("pronghorn")


def test_numpy_is_the_only_requirement():
    required = importlib.metadata.requires("pronghorn") or []
    always = [line for line in required if "extra ==" not in line]
    assert [line.split(">")[0] for line in always] == ["numpy"]


def test_type_information_is_installed():
    folder = Path(pronghorn.__file__).parent
    assert (folder / "py.typed").is_file()
    assert (folder / "_core.pyi").is_file()


def test_licences_are_installed():
    files = importlib.metadata.files("pronghorn") or []
    assert any(file.name == "LICENSE" for file in files)
    blas = Path(core.__file__).parent / "_libs"
    text = (blas / "LICENSE.OpenBLAS.txt").read_text(encoding="utf-8")
    assert "OpenBLAS" in text
    assert "GCC runtime library" in text


def test_import_loads_numpy_and_nothing_optional():
    program = (
        "import sys, pronghorn; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = run_python(program).split()
    assert "numpy" in loaded
    assert [name for name in OPTIONAL if name in loaded] == []


def test_blas_is_the_private_copy():
    program = (
        "import pronghorn, pathlib; print(pathlib.Path('/proc/self/maps').read_text())"
    )
    maps = run_python(program).splitlines()
    loaded = {line.split()[-1] for line in maps if "libpronghorn_blas" in line}
    assert loaded == {str(Path(core.__file__).parent / "_libs/libpronghorn_blas.so")}


def test_extension_needs_no_folder_of_the_machine_that_built_it():
    dynamic = subprocess.run(
        ["readelf", "--dynamic", core.__file__],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [line for line in dynamic.splitlines() if "PATH" in line]
    assert len(paths) == 1
    assert "[$ORIGIN/_libs]" in paths[0]


def test_stack_is_not_executable():
    for library in (core.__file__, Path(core.__file__).parent / "_libs"):
        target = (
            library if Path(library).is_file() else next(Path(library).glob("*.so"))
        )
        headers = subprocess.run(
            ["readelf", "--wide", "--program-headers", target],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        stack = [line for line in headers.splitlines() if "GNU_STACK" in line]
        assert len(stack) == 1
        assert "RWE" not in stack[0]
