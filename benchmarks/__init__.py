# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of pronghorn against its peers: `python -m benchmarks.train --help`."""
