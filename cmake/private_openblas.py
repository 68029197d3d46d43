# SPDX-License-Identifier: Apache-2.0
"""Copies OpenBLAS out of the scipy-openblas32 package, under a SONAME of our own.

The new name is as long as the old one, so that writing it over the old one in the
string table is all it takes. The package's licence is laid beside the copy. Prints
the path of the copy.

    python private_openblas.py FOLDER
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

import scipy_openblas32

OLD_NAME = b"libscipy_openblas.so"
NEW_NAME = b"libpronghorn_blas.so"


def renamed(library: bytes) -> bytes:
    """The library with its SONAME changed; it must occur exactly once."""
    if library.count(OLD_NAME + b"\0") != 1 or len(OLD_NAME) != len(NEW_NAME):
        raise SystemExit(f"{OLD_NAME.decode()}: SONAME not found exactly once")
    return library.replace(OLD_NAME, NEW_NAME)


def write_if_changed(path: Path, content: bytes) -> None:
    """Leaves an equal file alone, so that nothing is linked again."""
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(scipy_openblas32.get_lib_dir()) / OLD_NAME.decode()
    target = folder / NEW_NAME.decode()
    write_if_changed(target, renamed(source.read_bytes()))

    files = distribution("scipy-openblas32").files or []
    licences = [f for f in files if f.name.startswith("LICENSE")]
    if not licences:
        raise SystemExit("scipy-openblas32 carries no licence file")
    text = "\n".join(f.read_text(encoding="utf-8") for f in licences)
    write_if_changed(folder / "LICENSE.OpenBLAS.txt", text.encode())
    print(target.resolve())  # noqa: T201


if __name__ == "__main__":
    main()
