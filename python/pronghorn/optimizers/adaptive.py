# SPDX-License-Identifier: Apache-2.0
"""RMSprop, Adagrad and Adadelta: steps divided by the size of past gradients."""

from __future__ import annotations

import math
from typing import Any

from pronghorn.optimizers.optimizer import LearningRateLike, Optimizer, checked_number


class RMSprop(Optimizer):
    """Divides by the root of a running mean of squares.

    `v = rho * v + (1 - rho) * g**2` and `w -= learning_rate * g / sqrt(v + epsilon)`.

    Args:
        learning_rate: How far a step goes.
        rho: Decay of the mean square.
        momentum: Share of the last step that is added to the next.
        epsilon: Keeps the division finite.
        centered: Whether the square of the mean gradient is taken off the mean square.
        name: Name.
        **kwargs: See `Optimizer`.

    Example:
        >>> RMSprop().rho
        0.9

    Reference:
        Tieleman and Hinton, Neural networks for machine learning, lecture 6.5, 2012.
    """

    kind = "rmsprop"
    slot_groups = ((0,), (1,), (2,))

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        self.rho = checked_number("RMSprop", "rho", rho, 1.0)
        self.momentum = checked_number("RMSprop", "momentum", momentum, 1.0)
        self.epsilon = checked_number("RMSprop", "epsilon", epsilon, 1.0)
        self.centered = bool(centered)
        self.rule()  # refuses what the formula cannot divide by

    def attributes(self) -> dict[str, float | bool]:
        """The arguments of the core's rule."""
        return {
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


class Adagrad(Optimizer):
    """Divides by the root of the sum of all squares so far.

    `v += g**2` and `w -= learning_rate * g / sqrt(v + epsilon)`.

    Args:
        learning_rate: How far a step goes.
        initial_accumulator_value: What v begins with.
        epsilon: Keeps the division finite.
        name: Name.
        **kwargs: See `Optimizer`.

    Example:
        >>> Adagrad().initial_accumulator_value
        0.1

    Reference:
        Duchi, Hazan and Singer, Adaptive subgradient methods, 2011.
    """

    kind = "adagrad"

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        self.initial_accumulator_value = checked_number(
            "Adagrad", "initial_accumulator_value", initial_accumulator_value, math.inf
        )
        self.initial_slot = self.initial_accumulator_value
        self.epsilon = checked_number("Adagrad", "epsilon", epsilon, 1.0)
        self.rule()  # refuses what the formula cannot divide by

    def attributes(self) -> dict[str, float | bool]:
        """The arguments of the core's rule."""
        return {"epsilon": self.epsilon}


class Adadelta(Optimizer):
    """Multiplies by the root of the mean square of past steps, too.

    `v = rho * v + (1 - rho) * g**2`, `d = sqrt(u + epsilon) / sqrt(v + epsilon) * g`,
    `u = rho * u + (1 - rho) * d**2` and `w -= learning_rate * d`.

    Args:
        learning_rate: How far a step goes.
        rho: Decay of the means.
        epsilon: Keeps the division finite.
        name: Name.
        **kwargs: See `Optimizer`.

    Example:
        >>> Adadelta().rho
        0.95

    Reference:
        Zeiler, ADADELTA: an adaptive learning rate method, 2012.
    """

    kind = "adadelta"

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        self.rho = checked_number("Adadelta", "rho", rho, 1.0)
        self.epsilon = checked_number("Adadelta", "epsilon", epsilon, 1.0)
        self.rule()  # refuses what the formula cannot divide by

    def attributes(self) -> dict[str, float | bool]:
        """The arguments of the core's rule."""
        return {"rho": self.rho, "epsilon": self.epsilon}
