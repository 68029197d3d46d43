# SPDX-License-Identifier: Apache-2.0
"""Hypothesis profiles of the op tests.

The default draws the same shapes every time. HYPOTHESIS_PROFILE=thorough draws many new
ones; a failure prints how to repeat it.
"""

import os

from hypothesis import settings

settings.register_profile(
    "repeatable", max_examples=25, deadline=None, derandomize=True
)
settings.register_profile("thorough", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
