# SPDX-License-Identifier: Apache-2.0
"""The parity tests need Keras, which the extra [parity] brings."""

from importlib.util import find_spec

HAS_KERAS = find_spec("keras") is not None
collect_ignore = [] if HAS_KERAS else ["parity"]


def pytest_report_header() -> str:
    """Says that tests were left out, as nobody would see it otherwise."""
    if HAS_KERAS:
        return "keras: tests/parity included"
    return 'keras: not installed, tests/parity left out (pip install ".[parity]")'
