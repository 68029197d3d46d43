# SPDX-License-Identifier: Apache-2.0
"""Loads the C++ core.

OpenBLAS reads its environment when it is loaded. Our private copy must leave the
threads to us, on CPUs with AVX-512 its own choice can be the AVX2 kernels (AMD Zen 4
and 5: half the speed), and PRONGHORN_ISA counts for it too, so all of that is said here
for the moment of loading. Other copies of OpenBLAS in the process, and what the user
set for them, are left alone.
"""

from __future__ import annotations

import itertools
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def _cpu_has_avx512() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return all(f" avx512{part}" in flags for part in ("f", "bw", "dq", "vl"))


@contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """Sets the variables for a moment."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _is_command() -> bool:
    """Whether Python was started as `pronghorn` or `python -m pronghorn`.

    Both import the package before any code of the command can catch what goes wrong.
    """
    flags = itertools.pairwise(sys.orig_argv)
    scripts = (Path(name).stem for name in sys.argv[:1])
    return ("-m", "pronghorn") in flags or "pronghorn" in scripts


_OPENBLAS_CORES = {"baseline": "Prescott", "avx2": "Haswell", "avx512": "SkylakeX"}
_openblas = {"OPENBLAS_NUM_THREADS": "1"}
_isa = os.environ.get("PRONGHORN_ISA") or "avx512"
if _isa in _OPENBLAS_CORES and (_isa != "avx512" or _cpu_has_avx512()):
    _openblas["OPENBLAS_CORETYPE"] = _OPENBLAS_CORES[_isa]
try:
    with _environment(_openblas):
        from pronghorn import _core as core
except ImportError as error:  # such as a PRONGHORN_ISA that this CPU cannot run
    if not _is_command():
        raise
    sys.stderr.write(f"pronghorn: error: {' '.join(str(error).split())}\n")
    raise SystemExit(2) from None

__all__ = ["core"]
