# SPDX-License-Identifier: Apache-2.0
"""Callbacks: objects with hooks that `fit`, `evaluate` and `predict` call."""

from pronghorn.callbacks.callback import Callback
from pronghorn.callbacks.callback_list import CallbackList
from pronghorn.callbacks.csv_logger import CSVLogger
from pronghorn.callbacks.early_stopping import EarlyStopping
from pronghorn.callbacks.history import History
from pronghorn.callbacks.lambda_callback import LambdaCallback
from pronghorn.callbacks.learning_rates import LearningRateScheduler, ReduceLROnPlateau
from pronghorn.callbacks.model_checkpoint import ModelCheckpoint
from pronghorn.callbacks.progbar_logger import ProgbarLogger
from pronghorn.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]
