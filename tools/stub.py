# SPDX-License-Identifier: Apache-2.0
"""Writes python/pronghorn/_core.pyi from the installed extension, or checks it.

pybind11-stubgen reads the signatures; the edits below say what pybind11 cannot.

    python tools/stub.py            writes the stub
    python tools/stub.py --check    fails where the committed one differs
"""

import difflib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

STUB = Path(__file__).resolve().parent.parent / "python/pronghorn/_core.pyi"
HEAD = "# SPDX-License-Identifier: Apache-2.0\n# Written by tools/stub.py.\n"
EDITS = (
    # Our class, taken for Python's.
    (r"\b(typing_extensions|collections\.abc)\.Buffer\b", "Buffer"),
    (r"^import typing_extensions\n", ""),
    (r"\bself: \w+, ", "self, "),
    (r"\bdict\b(?!\[)", "dict[str, typing.Any]"),
    (r"\btuple\b(?!\[)", "tuple[int, ...]"),
    (r"\bnumpy\.ndarray\b(?!\[)", "numpy.typing.NDArray[typing.Any]"),
    (r"(: \w+) = None\b", r"\1 | None = None"),
)


def generated() -> str:
    """The stub of the pronghorn that this Python imports."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "pybind11_stubgen", "--exit-code", "pronghorn._core"]
        subprocess.run([sys.executable, *command, "-o", folder], check=True)
        path = Path(folder) / "pronghorn/_core.pyi"
        text = path.read_text(encoding="utf-8")
        for pattern, replacement in EDITS:
            text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        path.write_text(HEAD + text, encoding="utf-8")
        ruff = [sys.executable, "-m", "ruff", "format", "--quiet"]
        subprocess.run([*ruff, "--config", "line-length=88", str(path)], check=True)
        return path.read_text(encoding="utf-8")


def main() -> int:
    text = generated()
    if "--check" not in sys.argv[1:]:
        STUB.write_text(text, encoding="utf-8")
        return 0
    committed = STUB.read_text(encoding="utf-8") if STUB.exists() else ""
    difference = difflib.unified_diff(
        committed.splitlines(), text.splitlines(), "committed", "generated", lineterm=""
    )
    lines = list(difference)
    print("\n".join(lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
