# SPDX-License-Identifier: Apache-2.0
"""CSVLogger: the results of every epoch as a table."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from pronghorn.callbacks.callback import Callback, Logs


class CSVLogger(Callback):
    """Writes the results of every epoch to a file, a line for each.

    Columns are the epoch, counted from 0, and the results of the first epoch by name;
    what an epoch lacks is NA.

    Args:
        filename: Where to write.
        separator: What stands between columns.
        append: Whether to add to a file that exists; else it is replaced.

    Example:
        >>> import tempfile
        >>> file = tempfile.NamedTemporaryFile()
        >>> logger = CSVLogger(file.name)
        >>> logger.on_train_begin()
        >>> logger.on_epoch_end(0, {"loss": 1.0, "val_loss": 2.0})
        >>> Path(file.name).read_text().split()
        ['epoch,loss,val_loss', '0,1.0,2.0']
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        separator: str = ",",
        append: bool = False,
    ) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self._keys: list[str] = []

    def on_train_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Begins the file, unless it is to be continued."""
        self._keys = []
        if not self.append:
            Path(self.filename).write_text("")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Writes a line, below a line of names in an empty file."""
        logs = logs or {}
        first = not self._keys
        if first:
            self._keys = sorted(logs)
            if not any(key.startswith("val_") for key in self._keys):
                self._keys += [f"val_{key}" for key in self._keys]
        row = [epoch, *(_cell(logs.get(key, "NA")) for key in self._keys)]
        with Path(self.filename).open("a", newline="") as file:
            writer = csv.writer(file, delimiter=self.sep)
            if first and file.tell() == 0:
                writer.writerow(["epoch", *self._keys])
            writer.writerow(row)


def _cell(value: Any) -> Any:
    """Lists, such as a number for each class, in one cell."""
    return f'"[{", ".join(map(str, value))}]"' if isinstance(value, list) else value
