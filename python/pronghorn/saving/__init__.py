# SPDX-License-Identifier: Apache-2.0
"""Saving and loading; the formats are Keras's own."""

from pronghorn.saving.weights_h5 import load_weights, save_weights

__all__ = ["load_weights", "save_weights"]
