# SPDX-License-Identifier: Apache-2.0
"""Adam."""

from __future__ import annotations

from typing import Any

from pronghorn.optimizers.optimizer import Optimizer, checked_number


class Adam(Optimizer):
    """Steps of about the same length for every weight, from moments of its gradient.

    `m += (1 - beta_1) * (g - m)`, `v += (1 - beta_2) * (g**2 - v)` and
    `w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) +
    epsilon)`.

    Args:
        learning_rate: How far a step goes.
        beta_1: Decay of the mean gradient.
        beta_2: Decay of the mean square gradient.
        epsilon: Keeps the division finite.
        amsgrad: False; nothing else is supported.
        name: Name.
        **kwargs: See `Optimizer`.

    Example:
        >>> Adam().get_config()["beta_2"]
        0.999

    Reference:
        Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015; the form
        before section 2.1's "epsilon hat", as in Keras.
    """

    kind = "adam"

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        if amsgrad:
            raise ValueError("Adam: `amsgrad` is not supported, expected False")
        self.beta_1 = checked_number("Adam", "beta_1", beta_1, 1.0)
        self.beta_2 = checked_number("Adam", "beta_2", beta_2, 1.0)
        self.epsilon = checked_number("Adam", "epsilon", epsilon, 1.0)
        self.amsgrad = False
        self.rule()  # refuses what the formula cannot divide by

    def attributes(self) -> dict[str, float | bool]:
        """The attributes of the core's rule."""
        return {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
