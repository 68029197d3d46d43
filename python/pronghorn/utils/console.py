# SPDX-License-Identifier: Apache-2.0
"""The one place that writes to the user's terminal.

A terminal whose encoding lacks the box-drawing characters (LANG=C, old Windows
consoles) gets ASCII look-alikes instead of a UnicodeEncodeError in mid-training.
"""

import sys

_ASCII = str.maketrans("━─┃│┏┳┓┡╇┩├┼┤└┴┘…", "=-||++++++++++++.")


def write(text: str) -> None:
    """Writes text to stdout as it is, without a line end, and flushes."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        plain = text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
        sys.stdout.write(plain)
    sys.stdout.flush()
