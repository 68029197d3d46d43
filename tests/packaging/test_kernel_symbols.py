# SPDX-License-Identifier: Apache-2.0
"""Code made for one instruction set stays in its namespace.

An inline function or std template in an AVX-512 object is a weak symbol, and the linker
may keep that copy for all CPUs. So a kernel object defines global symbols in its own
namespace only. The objects are those of the build in PRONGHORN_BUILD_DIR, or are
compiled here.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.isa
ROOT = Path(__file__).resolve().parents[2]
FLAGS = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
}


def compile_object(source: Path, isa: str, folder: Path) -> Path:
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    assert compiler, "no C++ compiler to make the kernels' objects with"
    target = folder / f"{isa}-{source.stem}.o"
    # Unoptimised: nothing is inlined, so every stray shows.
    flags = ["-std=c++20", "-O0", "-fno-exceptions", f"-I{ROOT / 'cpp'}"]
    command = [compiler, *flags, *FLAGS[isa], f"-DPRONGHORN_ISA={isa}"]
    subprocess.run([*command, "-c", source, "-o", target], check=True)
    return target


def kernel_objects(isa: str, folder: Path) -> list[Path]:
    build = os.environ.get("PRONGHORN_BUILD_DIR")
    if build:
        return list(Path(build).glob(f"CMakeFiles/pronghorn_kernels_{isa}.dir/**/*.o"))
    sources = (ROOT / "cpp/kernels").glob("*.cpp")
    return [compile_object(source, isa, folder) for source in sources]


def strays(objects: list[Path], isa: str) -> list[str]:
    """Global and weak symbols defined outside the namespace of the instruction set."""
    inside = re.compile(rf"_Z(GV|TV|TI|TS)?Z?NK?9pronghorn{len(isa)}{isa}")
    listing = subprocess.run(
        ["nm", "--defined-only", *objects],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = []
    for line in listing.splitlines():
        address, _, rest = line.partition(" ")
        kind, _, name = rest.partition(" ")
        is_symbol = len(kind) == 1 and len(address) == 16
        is_global = kind.isupper() or kind in "uvw"
        if is_symbol and is_global and not inside.match(name):
            found.append(f"{kind} {name}")
    return found


@pytest.mark.parametrize("isa", sorted(FLAGS))
def test_kernels_define_nothing_outside_their_namespace(isa, tmp_path):
    objects = kernel_objects(isa, tmp_path)
    count = len(list((ROOT / "cpp/kernels").glob("*.cpp")))
    assert len(objects) == count
    assert strays(objects, isa) == []


def test_an_inline_function_outside_the_namespace_is_found(tmp_path):
    source = tmp_path / "bad.cpp"
    source.write_text(
        "#include <algorithm>\n"
        "inline int twice(int x) { return 2 * x; }\n"
        "namespace pronghorn::PRONGHORN_ISA {\n"
        "const int* largest(const int* a, const int* b) { return &std::max(*a, *b); }\n"
        "auto kept = &twice;\n"
        "auto also = static_cast<const int& (*)(const int&, const int&)>(&std::max);\n"
        "}\n",
        encoding="utf-8",
    )
    found = strays([compile_object(source, "avx512", tmp_path)], "avx512")
    assert len(found) == 2
    assert "W _Z5twicei" in found
