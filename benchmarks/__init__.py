# SPDX-License-Identifier: Apache-2.0
"""Measurements of pronghorn and its peers; see the README.

What the command `pronghorn bench` needs too lies in the package, in its folder bench:
the networks, their models, the timer. Here those files are modules of this package, so
that the Python of a peer, which reads them as well, needs no pronghorn.
"""

from pathlib import Path

__path__.append(str(Path(__file__).parents[1] / "python/pronghorn/bench"))
