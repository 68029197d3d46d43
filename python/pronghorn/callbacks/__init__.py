# SPDX-License-Identifier: Apache-2.0
"""Callbacks: objects with hooks that `fit`, `evaluate` and `predict` call."""

from pronghorn.callbacks.callback import Callback
from pronghorn.callbacks.callback_list import CallbackList
from pronghorn.callbacks.history import History
from pronghorn.callbacks.progbar_logger import ProgbarLogger

__all__ = ["Callback", "CallbackList", "History", "ProgbarLogger"]
