# SPDX-License-Identifier: Apache-2.0
"""Files that are replaced as a whole or not at all.

The new content goes to a temporary file in the same folder, is forced to the disk
and then renamed over the old file; the folder is forced to the disk too. Whenever the
process or the machine stops, the path holds the old file or the new one.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives the path of a temporary file that replaces `path` when the block ends.

    If the block raises, the temporary file is removed and `path` stays as it was. A
    symbolic link is followed: what it points to is replaced.
    """
    target = Path(os.path.realpath(path))
    _remove_abandoned(target)
    # The process id tells a later save whether the file is abandoned.
    name = f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    temporary = target.with_name(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # folders cannot be opened elsewhere
        _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(target: Path) -> None:
    """Removes temporary files of `target` left by processes that were killed."""
    pattern = re.compile(re.escape(f".{target.name}.") + r"(\d+)\.[0-9a-f]{8}\.tmp")
    with contextlib.suppress(OSError):
        for path in target.parent.iterdir():
            match = pattern.fullmatch(path.name)
            if match and not _is_running(int(match[1])):
                path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":  # os.kill would end the process there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
