# SPDX-License-Identifier: Apache-2.0
# Written by tools/stub.py.
"""
pronghorn's C++ core
"""

from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import typing

__all__: list[str] = [
    "Buffer",
    "Graph",
    "Optimizer",
    "Plan",
    "allocation_count",
    "blas_info",
    "cpu_name",
    "isa",
    "measure_barrier",
    "measure_peak",
    "num_threads",
    "op_names",
    "set_num_threads",
    "supported_isas",
]

class Plan:
    """
    A graph made ready to run.
    """
    def forward(
        self, feeds: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]]
    ) -> list[numpy.typing.NDArray[typing.Any]]:
        """
        The outputs for all rows of the feeds, a multiple of the batch.
        """
    def gradients(
        self,
        feeds: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]],
        order: numpy.typing.NDArray[typing.Any],
    ) -> list[numpy.typing.NDArray[numpy.float32]]:
        """
        Gradients of the differentiable inputs, then of the trainable parameters.
        """
    def profile(
        self,
        feeds: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]],
        order: numpy.typing.NDArray[typing.Any],
        outputs: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]] = [],
        learning_rates: numpy.typing.NDArray[typing.Any] = ...,
        iteration: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> list[tuple[str, float, float, float]]:
        """
        Like run on one thread; returns (stage, seconds, flops, bytes) for every stage.
        """
    def run(
        self,
        feeds: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]],
        order: numpy.typing.NDArray[typing.Any],
        outputs: collections.abc.Sequence[numpy.typing.NDArray[typing.Any]] = [],
        learning_rates: numpy.typing.NDArray[typing.Any] = ...,
        iteration: typing.SupportsInt | typing.SupportsIndex = 0,
        totals: numpy.typing.NDArray[typing.Any] = ...,
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Runs len(order) / batch steps; returns rows (sum, count): the total loss, each loss, each metric, added to `totals`, one step after the other.
        """
    @property
    def batch(self) -> int:
        """
        Images in a step.
        """
    @property
    def memory(self) -> int:
        """
        Bytes that a call needs, shared with other plans.
        """

class Buffer:
    """
    float32 memory of a weight or of an optimizer's state.
    """
    def __init__(
        self, shape: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]
    ) -> None: ...
    @property
    def array(self) -> numpy.typing.NDArray[numpy.float32]:
        """
        A writeable view; keeps the buffer alive.
        """

class Optimizer:
    """
    A rule that moves parameters.
    """
    def __init__(self, kind: str, attributes: dict[str, typing.Any] = {}) -> None: ...
    @property
    def slots(self) -> int:
        """
        Buffers of state that a parameter needs.
        """

class Graph:
    """
    Ops on tensors, for one batch size.
    """
    def __init__(
        self,
        batch: typing.SupportsInt | typing.SupportsIndex,
        training: bool,
        isa: str = "",
    ) -> None: ...
    def add(
        self,
        op: str,
        inputs: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        attributes: dict[str, typing.Any] = {},
        label: str = "",
    ) -> int:
        """
        Records an op and checks its shapes; returns its output. The label names it in profiles.
        """
    def compile(
        self,
        outputs: collections.abc.Sequence[
            typing.SupportsInt | typing.SupportsIndex
        ] = [],
        losses: collections.abc.Sequence[
            tuple[
                typing.SupportsInt | typing.SupportsIndex,
                typing.SupportsInt | typing.SupportsIndex,
                str,
                typing.SupportsFloat | typing.SupportsIndex,
            ]
        ] = [],
        metrics: collections.abc.Sequence[
            tuple[
                typing.SupportsInt | typing.SupportsIndex,
                typing.SupportsInt | typing.SupportsIndex,
            ]
        ] = [],
        optimizer: Optimizer | None = None,
        conv_algorithm: str = "auto",
        penalties: collections.abc.Sequence[
            typing.SupportsInt | typing.SupportsIndex
        ] = [],
        fusion: bool = True,
    ) -> Plan:
        """
        Plans memory and work; the graph cannot be added to afterwards. Penalties are losses that only the total reports.
        """
    def input(
        self,
        shape: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        dtype: str = "float32",
        differentiable: bool = False,
    ) -> int:
        """
        A tensor fed by the caller; `shape` is without the batch.
        """
    def parameter(
        self,
        buffer: Buffer,
        trainable: bool = False,
        slots: collections.abc.Sequence[Buffer] = [],
        rules: dict[str, typing.Any] = {},
    ) -> int:
        """
        A tensor that lies in a Buffer. Rules: l1, l2, decays, constraint ("non_negative" or "norm" with axes, least, most, rate).
        """
    def shape(
        self, tensor: typing.SupportsInt | typing.SupportsIndex
    ) -> tuple[int, ...]:
        """
        The tensor's shape, with the batch.
        """

def allocation_count() -> int:
    """
    Blocks of tensor memory allocated since the process began.
    """

def blas_info() -> str:
    """
    The BLAS and the kernels it picked.
    """

def cpu_name() -> str:
    """
    The CPU's name.
    """

def isa() -> str:
    """
    The instruction set in use.
    """

def measure_barrier() -> float:
    """
    Nanoseconds for two threads to meet at a barrier.
    """

def measure_peak(threads: typing.SupportsInt | typing.SupportsIndex) -> float:
    """
    float32 GFLOP/s of fused multiply-adds in registers on that many threads.
    """

def num_threads() -> int:
    """
    Threads that a step may use.
    """

def op_names() -> list[str]:
    """
    Every op that Graph.add knows.
    """

def set_num_threads(threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    Threads that a step may use; results do not depend on it.
    """

def supported_isas() -> list[str]:
    """
    Instruction sets this CPU runs, widest first.
    """
