# SPDX-License-Identifier: Apache-2.0
"""Utilities with Keras's names."""

from pronghorn.utils.numerical import to_categorical
from pronghorn.utils.progbar import Progbar
from pronghorn.utils.seeding import set_random_seed

__all__ = ["Progbar", "set_random_seed", "to_categorical"]
