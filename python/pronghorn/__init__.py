# SPDX-License-Identifier: Apache-2.0
"""pronghorn: convolutional networks on CPUs, with Keras's interface over a C++ core.

Names, arguments and results are Keras's: `import pronghorn as keras` runs Keras code.
"""

from pronghorn import (
    _native,  # noqa: F401 loads the core before anything else does
    activations,
    callbacks,
    config,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    utils,
)
from pronghorn.initializers import Initializer
from pronghorn.layers import Input, Layer
from pronghorn.layers.symbolic import KerasTensor
from pronghorn.losses import Loss
from pronghorn.metrics import Metric
from pronghorn.models import Model, Sequential, gradients
from pronghorn.optimizers import Optimizer
from pronghorn.regularizers import Regularizer
from pronghorn.variable import Variable

__version__ = "0.1.0"

__all__ = [
    "Initializer",
    "Input",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "__version__",
    "activations",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "gradients",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "utils",
]
