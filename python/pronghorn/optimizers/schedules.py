# SPDX-License-Identifier: Apache-2.0
"""Learning rate schedules: functions of the number of updates done, as in Keras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pronghorn import registry


class LearningRateSchedule:
    """Base class of schedules; one's own overrides `__call__(step)`."""

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override "
            "`__call__(self, step)`."
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        return registry.get_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """A schedule from the dict of `get_config`."""
        return registry.from_config(cls, config)


class _Decay(LearningRateSchedule):
    """Base class: decays at a rate, smoothly or in stairs."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = None,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _steps(type(self).__name__, "decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name or type(self).__name__

    def _passed(self, step: int) -> float:
        passed = step / self.decay_steps
        return math.floor(passed) if self.staircase else passed


class ExponentialDecay(_Decay):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: The rate of the first step.
        decay_steps: Steps until the rate is multiplied by `decay_rate`.
        decay_rate: The factor.
        staircase: Whether the exponent is rounded down.
        name: Name.

    Example:
        >>> ExponentialDecay(0.1, 10, 0.5)(20)
        0.025
    """

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return float(self.initial_learning_rate * self.decay_rate ** self._passed(step))


class InverseTimeDecay(_Decay):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: The rate of the first step.
        decay_steps: Steps that count as one.
        decay_rate: How fast the rate falls.
        staircase: Whether the quotient of the steps is rounded down.
        name: Name.

    Example:
        >>> InverseTimeDecay(0.1, 10, 0.5)(20)
        0.05
    """

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.initial_learning_rate / (1 + self.decay_rate * self._passed(step))


class PiecewiseConstantDecay(LearningRateSchedule):
    """Rates that change at given steps.

    Args:
        boundaries: The last steps of all pieces but the last.
        values: The rates of the pieces, one more.
        name: Name.

    Example:
        >>> schedule = PiecewiseConstantDecay([5, 9], [0.3, 0.2, 0.1])
        >>> [schedule(step) for step in (5, 6, 10)]
        [0.3, 0.2, 0.1]
    """

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ) -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "PiecewiseConstantDecay: expected one boundary less than values, got "
                f"boundaries={boundaries}, values={values}"
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.values[sum(step > boundary for boundary in self.boundaries)]


class PolynomialDecay(LearningRateSchedule):
    """From one rate to another as a power of the steps that are left.

    `(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ** power +
    end_learning_rate`.

    Args:
        initial_learning_rate: The rate of the first step.
        decay_steps: Steps until the end.
        end_learning_rate: The rate of the end.
        power: The power.
        cycle: Whether the way is stretched, when it ends, to the next multiple of
            `decay_steps`.
        name: Name.

    Example:
        >>> PolynomialDecay(0.1, 10, 0.0)(5)
        0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _steps("PolynomialDecay", "decay_steps", decay_steps)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        left = 1 - min(step, steps) / steps
        span = self.initial_learning_rate - self.end_learning_rate
        return float(span * left**self.power + self.end_learning_rate)


class CosineDecay(LearningRateSchedule):
    """Half a wave of a cosine, after a linear warm-up if there is a target for it.

    Args:
        initial_learning_rate: The rate of the first step.
        decay_steps: Steps of the decay.
        alpha: The last rate as a share of the largest.
        name: Name.
        warmup_target: The rate at the end of the warm-up; None for no warm-up.
        warmup_steps: Steps of the warm-up.

    Example:
        >>> round(CosineDecay(0.1, 10)(5), 6)
        0.05

    Reference:
        Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts,
        ICLR 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _steps("CosineDecay", "decay_steps", decay_steps)
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        largest = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                rise = (self.warmup_target - largest) * step / self.warmup_steps
                return largest + rise
            largest = self.warmup_target
            step -= self.warmup_steps
        passed = min(step, self.decay_steps) / self.decay_steps
        wave = 0.5 * (1 + math.cos(math.pi * passed))
        return largest * ((1 - self.alpha) * wave + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half waves of a cosine, one after the other.

    Args:
        initial_learning_rate: The rate of the first step.
        first_decay_steps: Steps of the first wave.
        t_mul: How much longer each wave is than the one before.
        m_mul: How much higher each wave is than the one before.
        alpha: The smallest rate as a share of the first.
        name: Name.

    Example:
        >>> schedule = CosineDecayRestarts(0.1, 10)
        >>> schedule(0) == schedule(10)
        True

    Reference:
        Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts,
        ICLR 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = _steps(
            "CosineDecayRestarts", "first_decay_steps", first_decay_steps
        )
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        length, restarts = float(self.first_decay_steps), 0
        passed = float(step)
        while passed >= length:
            passed -= length
            length *= self.t_mul
            restarts += 1
        wave = 0.5 * self.m_mul**restarts * (1 + math.cos(math.pi * passed / length))
        return self.initial_learning_rate * ((1 - self.alpha) * wave + self.alpha)


def _steps(owner: str, name: str, value: Any) -> int:
    if not value > 0:
        raise ValueError(f"{owner}: expected `{name}` above 0, got {value!r}")
    return int(value)


_CLASSES: dict[str, type[LearningRateSchedule]] = registry.table(
    [
        CosineDecay,
        CosineDecayRestarts,
        ExponentialDecay,
        InverseTimeDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
    ]
)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """The configuration of a schedule, in Keras's form."""
    return registry.serialize(learning_rate_schedule, "keras.optimizers.schedules")


def deserialize(config: dict[str, Any]) -> LearningRateSchedule:
    """A schedule from its configuration."""
    return registry.make("learning rate schedule", config, _CLASSES)
