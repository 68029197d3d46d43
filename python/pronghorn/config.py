# SPDX-License-Identifier: Apache-2.0
"""Settings of the process: threads, convolutions, fusion, and Keras's constants."""

from __future__ import annotations

import operator
import os

from pronghorn._native import core as _core

_CONV_ALGORITHMS = ("auto", "direct", "winograd", "im2col")
_conv_algorithm: str | None = None  # None until it is set or PRONGHORN_CONV was read
_fusion: bool | None = None  # the same with PRONGHORN_FUSION
DATA_FORMATS = ("channels_last", "channels_first")
_settings = {"image_data_format": "channels_last"}


def set_num_threads(n: int) -> None:
    """Sets how many threads the core may use; results do not depend on it.

    The default is the number of CPUs this process may use (affinity and container
    limits), or OMP_NUM_THREADS, or PRONGHORN_NUM_THREADS, which wins.
    """
    try:
        threads = operator.index(n)
    except TypeError as error:
        raise TypeError(f"set_num_threads: expected an integer, got {n!r}") from error
    if threads < 1 or isinstance(n, bool):
        raise ValueError(f"set_num_threads: expected at least 1, got {n!r}")
    _core.set_num_threads(threads)


def num_threads() -> int:
    """The number of threads the core may use."""
    return int(_core.num_threads())


def set_conv_algorithm(name: str) -> None:
    """Sets how convolutions are computed from now on, PRONGHORN_CONV's setting for all.

    Args:
        name: "auto" takes the fastest for each convolution's shapes. "winograd" takes
            Winograd's F(4x4, 3x3), F(3x3, 4x4), F(2x2, 5x5) and F(4x4, 2x2), which
            multiply 25 to 39 % as often and have about five times the rounding error of
            the others, wherever it can: kernels without groups that fall into such, by
            blocks, strides, dilation or slices; "auto" elsewhere. "direct" and "im2col"
            never take it; "im2col" is the reference, and slow.
    """
    global _conv_algorithm  # noqa: PLW0603
    if name not in _CONV_ALGORITHMS:
        raise ValueError(
            f"set_conv_algorithm: expected one of {_CONV_ALGORITHMS}, got {name!r}"
        )
    _conv_algorithm = name


def conv_algorithm() -> str:
    """How convolutions are computed; see set_conv_algorithm."""
    global _conv_algorithm  # noqa: PLW0603 read once: every call of a model asks
    if _conv_algorithm is None:
        name = os.environ.get("PRONGHORN_CONV") or "auto"
        if name not in _CONV_ALGORITHMS:
            raise ValueError(
                f"PRONGHORN_CONV: expected one of {_CONV_ALGORITHMS}, got {name!r}"
            )
        _conv_algorithm = name
    return _conv_algorithm


def set_fusion(on: bool) -> None:
    """Sets whether layers share passes over memory, as PRONGHORN_FUSION=0 or 1 does.

    Args:
        on: False computes every layer by itself: an activation after its convolution,
            dense layer or normalisation and not within, a ReLU's gradient in a pass of
            its own, a batch normalisation of `predict` after its convolution and not in
            its weights; and what the backward pass reads is kept, never computed once
            more. Slower, and equal within rounding: to see what fusion changes. A
            softmax and the cross-entropy behind it are one all the same, for the sake
            of their digits, and layers still take turns on slices of a batch.
    """
    global _fusion  # noqa: PLW0603
    if not isinstance(on, bool):
        raise TypeError(f"set_fusion: expected True or False, got {on!r}")
    _fusion = on


def fusion() -> bool:
    """Whether layers share passes over memory; see set_fusion."""
    global _fusion  # noqa: PLW0603
    if _fusion is None:
        text = os.environ.get("PRONGHORN_FUSION") or "1"
        if text not in ("0", "1"):
            raise ValueError(f"PRONGHORN_FUSION: expected 0 or 1, got {text!r}")
        _fusion = text == "1"
    return _fusion


def image_data_format() -> str:
    """What layers take where their `data_format` is None; first "channels_last"."""
    return _settings["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Sets what layers made from now on take where their `data_format` is None.

    Args:
        data_format: "channels_last" or "channels_first".
    """
    if data_format not in DATA_FORMATS:
        raise ValueError(
            "set_image_data_format: expected one of "
            f"{', '.join(DATA_FORMATS)}, got {data_format!r}"
        )
    _settings["image_data_format"] = data_format


def floatx() -> str:
    """The type of weights and activations, always "float32"."""
    return "float32"


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite, 1e-7."""
    return 1e-7
