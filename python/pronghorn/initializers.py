# SPDX-License-Identifier: Apache-2.0
"""Initial values of weights, with Keras's formulas.

An initializer is a callable of a shape. As in Keras, one that was given no seed draws
it when it is made, so that calling it twice gives the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import random, registry

Array = NDArray[np.float32]

# Standard deviation of the standard normal distribution cut off at -2 and 2.
_TRUNCATED_STDDEV = 0.87962566103423978


class Initializer:
    """Base class: a callable `initializer(shape)` that returns an array."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Array:
        """Returns the initial values of a weight of that shape."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal initializer."""
        return registry.get_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """An initializer from the dict of `get_config`."""
        return registry.from_config(cls, config)


class Zeros(Initializer):
    """All values 0."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Array:  # noqa: ARG002
        """Returns the initial values of a weight of that shape."""
        return np.zeros(shape, np.float32)


class Ones(Initializer):
    """All values 1."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Array:  # noqa: ARG002
        """Returns the initial values of a weight of that shape."""
        return np.ones(shape, np.float32)


class Constant(Initializer):
    """All values the same.

    Args:
        value: The value.

    Example:
        >>> Constant(2.0)((1, 3))
        array([[2., 2., 2.]], dtype=float32)
    """

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Array:  # noqa: ARG002
        """Returns the initial values of a weight of that shape."""
        return np.full(shape, self.value, np.float32)


class Identity(Initializer):
    """A matrix that is `gain` on its diagonal and 0 elsewhere.

    Args:
        gain: Factor.

    Example:
        >>> Identity(2.0)((2, 3))
        array([[2., 0., 0.],
               [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Array:  # noqa: ARG002
        """Returns the initial values of a weight of that shape, a matrix."""
        if len(shape) != 2:
            raise ValueError(
                f"Identity: expected the shape of a matrix, got {tuple(shape)}"
            )
        return np.float32(self.gain) * np.eye(shape[0], shape[1], dtype=np.float32)


class _Random(Initializer):
    """Base class of random initializers: keeps the seed."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self._seed = random.draw_seed() if seed is None else seed

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng(self._seed)


class _Drawn(_Random):
    """Base class of those that draw value by value, into memory that is there."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Array:  # noqa: ARG002
        """Returns the initial values of a weight of that shape."""
        values = np.empty(shape, np.float32)
        self.fill(values)
        return values

    def fill(self, out: Array) -> None:
        """Writes the initial values of a weight of that shape."""
        raise NotImplementedError


class RandomUniform(_Drawn):
    """Values drawn evenly between two limits.

    Args:
        minval: Lower limit, included.
        maxval: Upper limit.
        seed: Integer that fixes the values.
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def fill(self, out: Array) -> None:
        """Writes the initial values of a weight of that shape."""
        _uniform(self._generator(), out, self.minval, self.maxval)


class RandomNormal(_Drawn):
    """Values of a normal distribution.

    Args:
        mean: Mean.
        stddev: Standard deviation.
        seed: Integer that fixes the values.
    """

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def fill(self, out: Array) -> None:
        """Writes the initial values of a weight of that shape."""
        self._generator().standard_normal(dtype=np.float32, out=out)
        _scale(out, self.mean, self.stddev)


class TruncatedNormal(_Drawn):
    """Values of a normal distribution, none further from the mean than 2 deviations.

    Args:
        mean: Mean before truncation.
        stddev: Standard deviation before truncation.
        seed: Integer that fixes the values.
    """

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def fill(self, out: Array) -> None:
        """Writes the initial values of a weight of that shape."""
        _truncated(self._generator(), out)
        _scale(out, self.mean, self.stddev)


class Orthogonal(_Random):
    """A matrix with orthogonal rows, or columns where there are fewer of them.

    Weights of more axes are matrices of the last axis against all others. Saxe,
    McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks, 2014.

    Args:
        gain: Length of the rows or columns.
        seed: Integer that fixes the values.

    Example:
        >>> w = Orthogonal(seed=1)((3, 3, 2, 4))  # 18 x 4
        >>> bool(np.allclose(np.tensordot(w, w, ([0, 1, 2], [0, 1, 2])), np.eye(4),
        ...                  atol=1e-6))
        True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Array:  # noqa: ARG002
        """Returns the initial values of a weight of that shape."""
        if len(shape) < 2:
            raise ValueError(
                f"Orthogonal: expected at least two axes, got shape {tuple(shape)}"
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        # The signs make the distribution even (Mezzadri, 2007, section 5).
        q, r = np.linalg.qr(self._generator().standard_normal(tall))
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
        values = self.gain * (q if rows >= columns else q.T)
        return np.ascontiguousarray(values.reshape(shape), np.float32)


class VarianceScaling(_Drawn):
    """Values whose variance fits the number of inputs or outputs of a unit.

    The standard deviation is `sqrt(scale / n)`; uniform values lie within
    `sqrt(3 * scale / n)`.

    Args:
        scale: Scaling factor.
        mode: What n is: "fan_in", "fan_out", or "fan_avg", their mean.
        distribution: "truncated_normal", "untruncated_normal" or "uniform".
        seed: Integer that fixes the values.

    Example:
        >>> VarianceScaling(3.0, "fan_in", "uniform", seed=1)((3, 4)).shape
        (3, 4)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        if not scale > 0:
            raise ValueError(f"scale: expected a positive number, got {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"mode: expected fan_in, fan_out or fan_avg, got {mode!r}")
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                "distribution: expected truncated_normal, untruncated_normal or "
                f"uniform, got {distribution!r}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def fill(self, out: Array) -> None:
        """Writes the initial values of a weight of that shape."""
        fan_in, fan_out = _fans(out.shape)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, fans[self.mode])
        generator = self._generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            _uniform(generator, out, -limit, limit)
        elif self.distribution == "untruncated_normal":
            generator.standard_normal(dtype=np.float32, out=out)
            _scale(out, 0.0, math.sqrt(variance))
        else:
            _truncated(generator, out)
            _scale(out, 0.0, math.sqrt(variance) / _TRUNCATED_STDDEV)


class GlorotUniform(VarianceScaling):
    """Uniform values within `sqrt(6 / (fan_in + fan_out))`.

    Args:
        seed: Integer that fixes the values.

    Reference:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward
        neural networks, AISTATS 2010, equation 16.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal values of variance `2 / (fan_in + fan_out)`.

    Args:
        seed: Integer that fixes the values.

    Reference:
        Glorot and Bengio, AISTATS 2010, equation 12.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform values within `sqrt(6 / fan_in)`.

    Args:
        seed: Integer that fixes the values.

    Reference:
        He et al., Delving deep into rectifiers, ICCV 2015.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal values of variance `2 / fan_in`.

    Args:
        seed: Integer that fixes the values.

    Reference:
        He et al., Delving deep into rectifiers, ICCV 2015, equation 10.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform values within `sqrt(3 / fan_in)`.

    Args:
        seed: Integer that fixes the values.

    Reference:
        LeCun et al., Efficient backprop, 1998, section 4.6.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal values of variance `1 / fan_in`.

    Args:
        seed: Integer that fixes the values.

    Reference:
        LeCun et al., Efficient backprop, 1998, section 4.6.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "truncated_normal", seed)


_CLASSES = registry.table(
    [
        Constant,
        GlorotNormal,
        GlorotUniform,
        HeNormal,
        HeUniform,
        Identity,
        LecunNormal,
        LecunUniform,
        Ones,
        Orthogonal,
        RandomNormal,
        RandomUniform,
        TruncatedNormal,
        VarianceScaling,
        Zeros,
    ],
    {"zero": Zeros, "one": Ones, "uniform": RandomUniform, "normal": RandomNormal},
)

# Keras's other names of the classes.
constant = Constant
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform = HeNormal, HeUniform
identity = Identity
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
ones, zeros = Ones, Zeros
orthogonal = Orthogonal
random_normal, random_uniform = RandomNormal, RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling

InitializerLike = str | dict[str, Any] | Callable[..., Any]


def get(identifier: InitializerLike) -> Callable[..., Any]:
    """An initializer from a name, a configuration, an object or a callable."""
    if callable(identifier) and not isinstance(identifier, type):
        return identifier
    return registry.make("initializer", identifier, _CLASSES)


def serialize(initializer: Initializer) -> dict[str, Any]:
    """The configuration of an initializer, in Keras's form."""
    return registry.serialize(initializer, "keras.initializers")


def deserialize(config: dict[str, Any]) -> Callable[..., Any]:
    """An initializer from its configuration."""
    return get(config)


def draw_into(initializer: Any, out: Array) -> bool:
    """Whether the values could be drawn into a weight's own memory, without a copy.

    Not those of a class that has a `__call__` of its own.
    """
    drawn = isinstance(initializer, _Drawn)
    if not drawn or type(initializer).__call__ is not _Drawn.__call__:
        return False
    initializer.fill(out)
    return True


def _uniform(
    generator: np.random.Generator, out: Array, low: float, high: float
) -> None:
    generator.random(dtype=np.float32, out=out)
    _scale(out, low, high - low)


def _truncated(generator: np.random.Generator, out: Array) -> None:
    """Standard normal values; those beyond 2 deviations are drawn again."""
    generator.standard_normal(dtype=np.float32, out=out)
    while (outside := (out < -2) | (out > 2)).any():
        out[outside] = generator.standard_normal(np.count_nonzero(outside), np.float32)


def _scale(values: Array, offset: float, factor: float) -> None:
    values *= np.float32(factor)
    values += np.float32(offset)


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    """Inputs and outputs of a unit of a weight: (..., inputs, outputs)."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    receptive = math.prod(shape[:-2])
    return shape[-2] * receptive, shape[-1] * receptive
