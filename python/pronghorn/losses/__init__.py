# SPDX-License-Identifier: Apache-2.0
"""Losses with Keras's names and numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pronghorn import registry
from pronghorn.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
)
from pronghorn.losses.loss import (
    FunctionLoss,
    Loss,
)
from pronghorn.losses.margin import (
    CategoricalHinge,
    Hinge,
    MulticlassHinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    multiclass_hinge,
    squared_hinge,
)
from pronghorn.losses.overlap import (
    Dice,
    Tversky,
    dice,
    tversky,
)
from pronghorn.losses.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from pronghorn.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from pronghorn.losses.sequence import CTC, ctc
from pronghorn.losses.siamese import (
    Circle,
    ContrastiveLoss,
    TripletLoss,
    circle,
    contrastive_loss,
    triplet_loss,
)

__all__ = [
    "CTC",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "ContrastiveLoss",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "MulticlassHinge",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "TripletLoss",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "contrastive_loss",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "multiclass_hinge",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "triplet_loss",
    "tversky",
]

LossLike = str | dict[str, Any] | Loss | Callable[..., Any]

_FUNCTIONS: dict[Callable[..., Any], type[Loss]] = {
    binary_crossentropy: BinaryCrossentropy,
    binary_focal_crossentropy: BinaryFocalCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    categorical_focal_crossentropy: CategoricalFocalCrossentropy,
    categorical_generalized_cross_entropy: CategoricalGeneralizedCrossEntropy,
    categorical_hinge: CategoricalHinge,
    circle: Circle,
    contrastive_loss: ContrastiveLoss,
    cosine_similarity: CosineSimilarity,
    ctc: CTC,
    dice: Dice,
    hinge: Hinge,
    huber: Huber,
    kl_divergence: KLDivergence,
    log_cosh: LogCosh,
    mean_absolute_error: MeanAbsoluteError,
    mean_absolute_percentage_error: MeanAbsolutePercentageError,
    mean_squared_error: MeanSquaredError,
    mean_squared_logarithmic_error: MeanSquaredLogarithmicError,
    multiclass_hinge: MulticlassHinge,
    poisson: Poisson,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    squared_hinge: SquaredHinge,
    triplet_loss: TripletLoss,
    tversky: Tversky,
}
_CLASSES: dict[str, type[Loss]] = registry.table(
    _FUNCTIONS.values(),
    {
        "bce": BinaryCrossentropy,
        "BCE": BinaryCrossentropy,
        "kld": KLDivergence,
        "KLD": KLDivergence,
        "mae": MeanAbsoluteError,
        "MAE": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError,
        "MAPE": MeanAbsolutePercentageError,
        "mse": MeanSquaredError,
        "MSE": MeanSquaredError,
        "msle": MeanSquaredLogarithmicError,
        "MSLE": MeanSquaredLogarithmicError,
    },
)


def get(identifier: LossLike) -> Loss:
    """A loss from a name, a configuration, an object or one of this module's functions.

    Example:
        >>> get("mse").name
        'mean_squared_error'
    """
    if isinstance(identifier, Loss):
        return identifier
    if callable(identifier) and not isinstance(identifier, type):
        return of_function(identifier)
    return registry.make("loss", identifier, _CLASSES)


def of_function(function: Callable[..., Any], **arguments: Any) -> Loss:
    """The loss of one of this module's functions, or of one's own."""
    if function in _FUNCTIONS:
        return _FUNCTIONS[function](**arguments)
    name = getattr(function, "__name__", type(function).__name__)
    return FunctionLoss(functools.partial(function, **arguments), name=name)


def serialize(loss: Loss) -> dict[str, Any]:
    """The configuration of a loss, in Keras's form."""
    return registry.serialize(loss, "keras.losses")


def deserialize(config: dict[str, Any]) -> Loss:
    """A loss from its configuration."""
    return get(config)
