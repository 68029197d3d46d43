# SPDX-License-Identifier: Apache-2.0
"""Every rule of tools/check_architecture.py finds its breach, and nothing else."""

import pytest

from tools.check_architecture import breaches

HEAD = "// SPDX-License-Identifier: Apache-2.0\n"
BREACHES = [
    ("cpp/ops/a.cpp", "#pragma omp parallel\n", "OpenMP"),
    ("cpp/plan/a.cpp", "std::thread worker;\n", "threads belong"),
    ("cpp/ops/a.cpp", "auto x = _mm512_setzero_ps();\n", "intrinsics"),
    ("cpp/kernels/conv.cpp", "#include <immintrin.h>\n", "intrinsics"),
    ("cpp/core/a.h", "#include <pybind11/pybind11.h>\n", "pybind11"),
    ("cpp/ops/dense.cpp", "scipy_cblas_sgemm(1);\n", "BLAS"),
    ("cpp/kernels/a.cpp", "float* x = new float[3];\n", "neither allocate"),
    ("cpp/kernels/a.cpp", "y = std::max(a, b);\n", "neither allocate"),
    ("cpp/kernels/a.cpp", "#include <algorithm>\n", "kernels/: not algorithm"),
    ("cpp/kernels/a.cpp", '#include "core/shape.h"\n', "kernels/: not core/shape.h"),
    ("cpp/core/a.cpp", '#include "ops/op.h"\n', "core/: not ops/op.h"),
    ("cpp/ops/a.cpp", '#include "plan/plan.h"\n', "ops/: not plan/plan.h"),
    ("cpp/plan/a.cpp", "assert(x > 0);\n", "assert"),
    ("README.md", "cd /" + "root/pronghorn\n", "a path of one machine"),
    ("python/pronghorn/a.py", "# TO" + "DO later\n", "a task"),
    ("cpp/core/a.cpp", "int x;\n" * 500, "501 lines"),
]
ALLOWED = [
    ("cpp/core/parallel.cpp", "#pragma omp parallel\n"),
    ("cpp/kernels/simd_avx2.h", "#include <immintrin.h>\n"),
    ("cpp/core/cpu.cpp", "#include <cpuid.h>\n"),
    ("cpp/bindings/a.cpp", '#include <pybind11/numpy.h>\n#include "plan/plan.h"\n'),
    ("cpp/ops/gemm.cpp", "cblas_sgemm(1);\n"),
    ("cpp/kernels/a.cpp", '// a new tile\n#include "kernels/simd.h"\n'),
    ("cpp/plan/a.cpp", 'static_assert(sizeof(int) == 4);\nauto text = "assert(no)";\n'),
    ("docs/a.md", "frame/work/x and build/work/y\n"),
]


def rules(name, text):
    return [rule for _, rule in breaches(name, HEAD + text)]


@pytest.mark.parametrize(("name", "text", "rule"), BREACHES)
def test_breach_is_found(name, text, rule):
    assert any(rule in found for found in rules(name, text))


@pytest.mark.parametrize(("name", "text"), ALLOWED)
def test_allowed_is_left_alone(name, text):
    assert rules(name, text) == []


def test_missing_licence_line_is_found():
    assert "no SPDX" in next(iter(breaches("cpp/ops/a.cpp", "int x;\n")))[1]


def test_line_number_is_that_of_the_breach():
    text = HEAD + "/* two\nlines */\nassert(x);\n"
    assert [line for line, _ in breaches("cpp/plan/a.cpp", text)] == [4]
