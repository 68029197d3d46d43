# SPDX-License-Identifier: Apache-2.0
"""Checks the rules of ARCHITECTURE.md that a compiler does not: who may include, call
and spell what, and how long a file may be. Prints each breach as `file:line: rule`.

    python tools/check_architecture.py            the rules
    python tools/check_architecture.py --sizes    and a table of lines per folder
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 500
CPP = r"cpp/.*\.(cpp|h|inc)"
SOURCE = r".*\.(cpp|h|inc|py|sh|cmake)|\.ci/run|(.*/)?CMakeLists\.txt"
FOLDERS = ("core", "kernels", "ops", "plan", "bindings")  # includes point left


@dataclass(frozen=True)
class Rule:
    """In files matching `where` but not `but`, no line may match `pattern`."""

    text: str
    where: str
    pattern: str
    but: str = r"(?!)"
    code_only: bool = True  # comments and strings do not count


RULES = (
    Rule(
        "OpenMP belongs to core/parallel.cpp",
        CPP,
        r"#\s*pragma\s+omp|#\s*include\s*<omp\.h>|\bomp_\w+\s*\(",
        r"cpp/core/parallel\.cpp",
    ),
    Rule(
        "threads belong to core/parallel.cpp",
        CPP,
        r"\bstd::j?thread\b|\bpthread_create\b|\bstd::async\b",
        r"cpp/core/parallel\.cpp",
    ),
    Rule(
        "intrinsics belong to kernels/simd_*.h and core/cpu.*",
        CPP,
        r"#\s*include\s*<(\w*intrin|cpuid|arm_neon)\.h>|\b_mm\d*_\w+\s*\(",
        r"cpp/kernels/simd_\w+\.h|cpp/core/cpu\.(cpp|h)",
    ),
    Rule(
        "pybind11 belongs to bindings/",
        CPP,
        r"#\s*include\s*[<\"](pybind11/|Python\.h)|\bpybind11::",
        r"cpp/bindings/.*",
    ),
    Rule(
        "BLAS belongs to ops/gemm.cpp",
        CPP,
        r"#\s*include\s*[<\"]\w*cblas|\w*cblas_\w+|\w*openblas_\w+",
        r"cpp/ops/gemm\.cpp",
    ),
    Rule(
        "kernels neither allocate nor thread nor throw, and use no std template",
        r"cpp/kernels/.*",
        r"\b(new|delete|throw|malloc|calloc|realloc|aligned_alloc|free)\b|\bstd::",
    ),
    Rule(
        "assert is no guard: see core/check.h",
        CPP,
        r"\bassert\s*\(|#\s*include\s*<(cassert|assert\.h)>",
    ),
    Rule(
        "a path of one machine",
        r".*",
        r"(?<![\w.$}~*/-])/(work|root)/",
        code_only=False,
    ),
    Rule(
        "a task needs an issue",
        SOURCE,
        r"\b(TO[D]O|FIX[M]E)\b(?!\(#\d+\))",
        code_only=False,
    ),
)

COMMENT_OR_STRING = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'""", re.DOTALL
)


def tracked_files() -> list[str]:
    """Files of the working tree that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return sorted(n for n in set(names) if (ROOT / n).is_file())


def code_of(text: str) -> str:
    """C++ text without comments and strings, line numbers kept; include lines stay."""

    def blank(match: re.Match[str]) -> str:
        line_start = text.rfind("\n", 0, match.start()) + 1
        if text.startswith("#include", line_start) and match.group()[0] == '"':
            return match.group()
        return "\n" * match.group().count("\n")

    return COMMENT_OR_STRING.sub(blank, text)


def breaches_of_rules(name: str, text: str) -> Iterator[tuple[int, str]]:
    code = code_of(text) if re.fullmatch(CPP, name) else text
    for rule in RULES:
        if re.fullmatch(rule.where, name) and not re.fullmatch(rule.but, name):
            searched = code if rule.code_only else text
            for match in re.finditer(rule.pattern, searched):
                yield searched.count("\n", 0, match.start()) + 1, rule.text


def breaches_of_includes(name: str, text: str) -> Iterator[tuple[int, str]]:
    folder = name.split("/")[1]
    allowed = FOLDERS[: FOLDERS.index(folder) + 1] if folder in FOLDERS else FOLDERS
    if folder == "kernels":
        allowed = ("kernels",)
    for match in re.finditer(r'^\s*#\s*include\s*(["<])([^">]+)', text, re.MULTILINE):
        header = match[2]
        if match[1] == '"':
            wrong = header.split("/")[0] not in allowed
        else:
            known = header in ("cstddef", "cstdint") or "intrin" in header
            wrong = folder == "kernels" and not known
        if wrong:
            yield text.count("\n", 0, match.start(1)) + 1, f"{folder}/: not {header}"


def breaches_of_form(text: str) -> Iterator[tuple[int, str]]:
    head = text.splitlines()[:3]
    if not any("SPDX-License-Identifier: Apache-2.0" in line for line in head):
        yield 1, "no SPDX line at the top"
    lines = text.count("\n")
    if lines > MAX_LINES:
        yield lines, f"{lines} lines, at most {MAX_LINES}"


def breaches(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Everything wrong with a file, as (line, rule)."""
    yield from breaches_of_rules(name, text)
    if re.fullmatch(CPP, name):
        yield from breaches_of_includes(name, text)
    if re.fullmatch(SOURCE, name):
        yield from breaches_of_form(text)


def print_sizes(texts: dict[str, str]) -> None:
    folders: dict[str, list[int]] = {}
    for name, text in texts.items():
        if re.fullmatch(SOURCE, name):
            folders.setdefault("/".join(name.split("/")[:-1][:3]), []).append(
                text.count("\n")
            )
    print(f"{'folder':32}{'files':>7}{'lines':>8}{'longest':>9}")
    for folder, lines in sorted(folders.items()):
        print(f"{folder or '.':32}{len(lines):7}{sum(lines):8}{max(lines):9}")
    everything = [count for lines in folders.values() for count in lines]
    print(f"{'total':32}{len(everything):7}{sum(everything):8}{max(everything):9}")


def main() -> int:
    texts = {}
    for name in tracked_files():
        try:
            texts[name] = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or data
    if "--sizes" in sys.argv[1:]:
        print_sizes(texts)
    found = 0
    for name, text in texts.items():
        for line, rule in breaches(name, text):
            print(f"{name}:{line}: {rule}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
