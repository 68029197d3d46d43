# SPDX-License-Identifier: Apache-2.0
"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from pronghorn.optimizers.optimizer import LearningRateLike, Optimizer, checked_number


class SGD(Optimizer):
    """Gradient descent, with momentum on request.

    `w -= learning_rate * g`; with momentum `v = momentum * v - learning_rate * g` and
    `w += v`, or with Nesterov's `w += momentum * v - learning_rate * g`.

    Args:
        learning_rate: How far a step goes.
        momentum: Share of the last step that is added to the next, from 0 to 1.
        nesterov: Whether the gradient counts as that of the point ahead.
        name: Name.
        **kwargs: See `Optimizer`.

    Example:
        >>> optimizer = SGD(0.1, momentum=0.9)
        >>> optimizer.learning_rate = 0.01

    Reference:
        Sutskever et al., On the importance of initialization and momentum in deep
        learning, ICML 2013, equations 1 to 4.
    """

    kind = "sgd"

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        self.momentum = checked_number("SGD", "momentum", momentum, 1.0)
        self.nesterov = bool(nesterov)

    def attributes(self) -> dict[str, float | bool]:
        """The attributes of the core's rule."""
        return {"momentum": self.momentum, "nesterov": self.nesterov}
