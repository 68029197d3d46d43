# SPDX-License-Identifier: Apache-2.0
"""Adam."""

from __future__ import annotations

from typing import Any

from pronghorn.optimizers.optimizer import LearningRateLike, Optimizer, checked_number


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
        amsgrad: Whether the largest v so far takes the place of v (Reddi et al. 2018).
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
    slot_groups = ((0, 1), (2,))

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        owner = type(self).__name__
        self.beta_1 = checked_number(owner, "beta_1", beta_1, 1.0)
        self.beta_2 = checked_number(owner, "beta_2", beta_2, 1.0)
        self.epsilon = checked_number(owner, "epsilon", epsilon, 1.0)
        self.amsgrad = bool(amsgrad)
        self.rule()  # refuses what the formula cannot divide by

    def attributes(self) -> dict[str, float | bool]:
        """The attributes of the core's rule."""
        return {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


class AdamW(Adam):
    """Adam with weight decay: every step first does `w -= learning_rate * decay * w`.

    Args:
        learning_rate: How far a step goes.
        weight_decay: The decay.
        beta_1: Decay of the mean gradient.
        beta_2: Decay of the mean square gradient.
        epsilon: Keeps the division finite.
        amsgrad: See `Adam`.
        name: Name.
        **kwargs: See `Optimizer`.

    Example:
        >>> AdamW().weight_decay
        0.004

    Reference:
        Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError(
                "AdamW: expected `weight_decay` to be a number, got None; use Adam"
            )
        kwargs["weight_decay"] = weight_decay
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, name, **kwargs
        )


class _Moments(Optimizer):
    """Base class of Adamax and Nadam."""

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        owner = type(self).__name__
        self.beta_1 = checked_number(owner, "beta_1", beta_1, 1.0)
        self.beta_2 = checked_number(owner, "beta_2", beta_2, 1.0)
        self.epsilon = checked_number(owner, "epsilon", epsilon, 1.0)
        self.rule()  # refuses what the formula cannot divide by

    def attributes(self) -> dict[str, float | bool]:
        """The arguments of the core's rule."""
        return {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Adamax(_Moments):
    """Adam with the largest magnitude of recent gradients in place of their square.

    `m += (1 - beta_1) * (g - m)`, `u = max(beta_2 * u, abs(g))` and
    `w -= learning_rate / (1 - beta_1**t) * m / (u + epsilon)`.

    Args:
        learning_rate: How far a step goes.
        beta_1: Decay of the mean gradient.
        beta_2: Decay of the largest magnitude.
        epsilon: Keeps the division finite.
        name: Name.
        **kwargs: See `Optimizer`.

    Example:
        >>> Adamax().beta_1
        0.9

    Reference:
        Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015, section 7.
    """

    kind = "adamax"


class Nadam(_Moments):
    """Adam with Nesterov's momentum.

    Args:
        learning_rate: How far a step goes.
        beta_1: Decay of the mean gradient.
        beta_2: Decay of the mean square gradient.
        epsilon: Keeps the division finite.
        name: Name.
        **kwargs: See `Optimizer`.

    Example:
        >>> Nadam().beta_2
        0.999

    Reference:
        Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.
    """

    kind = "nadam"
