# SPDX-License-Identifier: Apache-2.0
"""check_op: everything that an op of the core promises, on one set of arrays.

Forward and gradients against NumPy in float64 within the error bound of float32 sums,
on every instruction set, for batches that fill vector lanes and batches that do not;
the same bits for any number of threads and again; nothing kept from a run before, read
from rows that were not asked for, or written behind the output.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn._native import core as _core
from pronghorn.testing import differences
from pronghorn.testing.conformance import Reference, gamma
from pronghorn.testing.differences import Derivatives
from pronghorn.testing.reference import Array, Attributes
from pronghorn.testing.references import REFERENCES
from pronghorn.testing.running import add_inputs, add_parameters, narrow, with_threads

BATCHES = (1, 3, 16, 17, 33)
THREADS = (1, 2, 3)
# Set for slow builds: every kernel runs, but once, and NumPy has little to do.
QUICKLY = "PRONGHORN_CHECK_QUICKLY"
GUARD = 64  # floats beside an output that must stay as they were
AUTO: Mapping[str, float] = MappingProxyType({"auto": 0.0})

Build = Callable[[Any, Sequence[int], Sequence[int]], int]


@dataclass
class _Case:
    """One op (or a chain of them) on fixed arrays, and what must come out."""

    name: str
    build: Build  # (graph, inputs, parameters) -> output tensor
    reference: Reference
    attributes: Attributes
    inputs: list[Array]  # float32 or int32, images first
    parameters: list[Array]
    coordinates: int
    rng: np.random.Generator
    exact: bool
    expected: Array = field(init=False)  # float64, of all images
    bound: Array = field(init=False)  # of sums; an algorithm's error is relative to
    largest: float = field(init=False)  # the largest sum of absolute values
    cotangent: Array = field(init=False)
    guide: Array = field(init=False)  # fed beside the inputs so that the loss has it
    half: float = field(init=False)  # (y - guide) / half is the gradient at y
    derivatives: dict[int, Derivatives] = field(init=False, default_factory=dict)

    @property
    def trained(self) -> range:
        """Which of the inputs and parameters have a parameter's gradient."""
        first, count = len(self.inputs), len(self.parameters)
        return range(first, first + count - self.reference.states)

    def by_image(self, index: int) -> bool:
        """Whether a gradient has one row for each image that depends on it alone."""
        return index < len(self.inputs) and not self.reference.across_images

    def wide(self) -> list[Array]:
        """Inputs and parameters in float64."""
        return [
            a.astype(np.float64) if a.dtype == np.float32 else a
            for a in (*self.inputs, *self.parameters)
        ]

    def evaluate(self, arrays: Sequence[Array]) -> Array:
        return self.reference.forward(arrays, self.attributes)


@dataclass
class _Way:
    """How a case is run."""

    isa: str
    algorithm: str
    error: float
    rows: NDArray[np.int64]
    threads: Sequence[int]  # of one run after the other

    def __str__(self) -> str:
        return f"[{self.isa}, {self.algorithm}, batch {len(self.rows)}]"


def check_op(
    op: str,
    inputs: Sequence[Array],
    attributes: Mapping[str, Any] | None = None,
    *,
    parameters: Sequence[Array] = (),
    reference: Reference | None = None,
    batches: Sequence[int] = BATCHES,
    isas: Sequence[str] | None = None,
    threads: Sequence[int] = THREADS,
    coordinates: int = 300,
    algorithms: Mapping[str, float] = AUTO,
    exact: bool = False,
    seed: int = 0,
) -> None:
    """Checks an op of the core against NumPy; raises AssertionError where it differs.

    Args:
        op: The op's registered name.
        inputs: Arrays with images first, in the op's order. They should hold at least
            `max(batches)` images; batches larger than that are left out.
        attributes: The op's attributes.
        parameters: The op's weights, which follow the inputs.
        reference: Meaning and properties; None takes the one of `REFERENCES`.
        batches: Batch sizes to run.
        isas: Instruction sets to run; None means all that this CPU has, or the one that
            PRONGHORN_ISA forces.
        threads: Numbers of threads that must give the same bits. Where the environment
            variable PRONGHORN_CHECK_QUICKLY is set, there is one run with the second of
            them; otherwise the first one's is repeated at the end.
        coordinates: Gradients are compared at this many places of each array; quickly
            at 5.
        algorithms: Convolution algorithms to force one by one, each with its own error
            on top of that of sums: relative to the largest sum of absolute values.
        exact: The arrays hold small whole numbers and the op is linear: float32 sums
            are exact in any order, and so must the results be.
        seed: Of the cotangent, the order of images and the places compared.

    Example:
        >>> import numpy as np
        >>> from pronghorn.testing import check_op
        >>> x = np.random.default_rng(0).normal(size=(3, 5, 5, 2))
        >>> check_op("average_pool2d", [x], {"pool_size": [2, 2]}, batches=[1, 3])
    """
    attributes = dict(attributes or {})

    def build(graph: Any, images: Sequence[int], weights: Sequence[int]) -> int:
        return int(graph.add(op, [*images, *weights], attributes))

    check_graph(
        build,
        inputs,
        REFERENCES[op] if reference is None else reference,
        name=f"{op} {attributes}" if attributes else op,
        attributes=attributes,
        parameters=parameters,
        batches=batches,
        isas=isas,
        threads=threads,
        coordinates=coordinates,
        algorithms=algorithms,
        exact=exact,
        seed=seed,
    )


def check_graph(
    build: Build,
    inputs: Sequence[Array],
    reference: Reference,
    *,
    name: str,
    attributes: Mapping[str, Any] | None = None,
    parameters: Sequence[Array] = (),
    batches: Sequence[int] = BATCHES,
    isas: Sequence[str] | None = None,
    threads: Sequence[int] = THREADS,
    coordinates: int = 300,
    algorithms: Mapping[str, float] = AUTO,
    exact: bool = False,
    seed: int = 0,
) -> None:
    """Checks several ops in a row, as check_op does one: for what the planner fuses.

    Args:
        build: Called with a graph, its input tensors and its parameter tensors; adds
            the ops and returns the last one's output.
        inputs: As in check_op.
        reference: Meaning of the whole; its forward gets inputs and parameters.
        name: What errors call it.
        attributes: Passed to the reference.
        parameters: As in check_op, as are the arguments that follow.
        batches: Batch sizes.
        isas: Instruction sets.
        threads: Numbers of threads.
        coordinates: Places compared in each gradient.
        algorithms: As in check_op.
        exact: As in check_op.
        seed: Of what is drawn.
    """
    if isas is None:
        forced = os.environ.get("PRONGHORN_ISA")
        isas = [forced] if forced else _core.supported_isas()
    if QUICKLY in os.environ:
        coordinates, threads = 5, threads[1:2] or threads
    else:
        threads = (*threads, threads[0])
    batches = [batch for batch in batches if batch <= len(inputs[0])]
    if not batches:
        raise ValueError(f"check_op: `inputs` hold fewer images than any of {batches}")
    arrays = [narrow(a) for a in inputs]
    case = _Case(
        name=name,
        build=build,
        reference=reference,
        attributes=attributes or {},
        inputs=arrays,
        parameters=[narrow(a) for a in parameters],
        coordinates=coordinates,
        rng=np.random.default_rng(seed),
        exact=exact,
    )
    if not reference.across_images:
        _expect(case)
    order = case.rng.permutation(len(inputs[0])).astype(np.int64)
    for batch in batches:
        rows = np.ascontiguousarray(order[:batch])
        if reference.across_images:
            case.inputs = [a[rows] for a in arrays]
            rows = np.arange(batch)
            _expect(case)
        for algorithm, error in algorithms.items():
            for isa in isas:
                way = _Way(isa, algorithm, error, rows, threads)
                _check_forward(case, way)
                if reference.differentiable:
                    _check_gradients(case, way)


def _expect(case: _Case) -> None:
    """What must come out for the case's inputs as they are."""
    _expect_forward(case)
    if case.reference.differentiable:
        _expect_gradients(case)


def _expect_forward(case: _Case) -> None:
    arrays, reference = case.wide(), case.reference
    case.expected = case.evaluate(arrays)
    if reference.exact or case.exact:
        case.bound, case.largest = np.zeros_like(case.expected), 0.0
        return
    terms: Array | int = reference.terms(arrays, case.attributes)
    if reference.linear:
        magnitude = case.evaluate([np.abs(a) for a in arrays])
        terms = terms * case.evaluate([np.ones_like(a) for a in arrays])
    elif reference.magnitude is not None:
        magnitude = reference.magnitude(arrays, case.attributes)
    else:
        magnitude = np.abs(case.expected)
    case.bound = gamma(terms) * magnitude + np.finfo(np.float32).tiny
    case.largest = float(magnitude.max())


def _expect_gradients(case: _Case) -> None:
    """Draws the cotangent and differentiates the reference along some coordinates.

    A loss is weighted image by image. Any other output y, of n values an image, goes
    through a mean squared error against the target y - c n / 2, so that the gradient at
    y is the cotangent c. Where sums are exact, the loss's weight makes up for n / 2.
    """
    y = case.expected
    c = case.rng.uniform(0.5, 1.5, y.shape) * case.rng.choice([-1, 1], y.shape)
    c = np.rint(2 * c) if case.exact else c
    case.half = 1.0 if case.exact else y[0].size / 2
    if case.reference.loss:
        case.guide = np.abs(c).astype(np.float32)
        case.cotangent = case.guide.astype(np.float64)
    else:
        case.guide = (y - c * case.half).astype(np.float32)
        case.cotangent = (y - case.guide) / case.half
        if y.ndim == 1:  # an error is a mean along an axis
            case.guide = case.guide[:, None]
    arrays = case.wide()
    images = range(len(case.inputs))
    for index in (*case.reference.differentiable, *case.trained):
        by_image = case.by_image(index)
        size = arrays[index].size // (len(y) if by_image else 1)
        places = differences.choose_coordinates(size, case.coordinates, case.rng)
        common = (case.evaluate, arrays, index, case.cotangent, places)
        if case.reference.linear and by_image:
            found = differences.linear_in_images(*common)
        elif case.reference.linear:
            found = differences.linear_in_parameter(*common)
        elif by_image:
            found = differences.central_in_images(*common, images=images)
        else:
            found = differences.central_in_parameter(*common)
        slopes = case.reference.slopes
        if index == 0 and slopes is not None:
            magnitude = slopes(arrays, case.attributes, case.cotangent)
            terms = np.full_like(
                magnitude, case.reference.terms(arrays, case.attributes)
            )
            if by_image:
                magnitude, terms = (
                    part.reshape(len(y), -1)[:, places] for part in (magnitude, terms)
                )
            else:  # in equal shares, as the images' rows are added up
                magnitude, terms = (
                    np.tile(part.flat[places] / len(y), (len(y), 1))
                    for part in (magnitude, terms)
                )
            found = replace(found, magnitude=magnitude, terms=terms)
        case.derivatives[index] = found


def _feeds(arrays: Sequence[Array], rows: NDArray[np.int64]) -> list[Array]:
    """The arrays with poison in every row that is not in `rows`."""
    fed = []
    for array in arrays:
        poisoned = np.full_like(array, np.nan if array.dtype == np.float32 else 0)
        poisoned[rows] = array[rows]
        fed.append(poisoned)
    return fed


def _poison(case: _Case, extra: Sequence[Array]) -> list[Array]:
    """Feeds of NaN: run first, they fill the plan's memory with what must not last."""
    arrays = [*case.inputs, *extra]
    return [np.full_like(a, np.nan) if a.dtype == np.float32 else a for a in arrays]


def _add_parameters(graph: Any, case: _Case, trainable: bool) -> list[int]:
    count = len(case.trained)
    trained, states = case.parameters[:count], case.parameters[count:]
    return add_parameters(graph, trained, trainable) + add_parameters(
        graph, states, False
    )


def _check_forward(case: _Case, way: _Way) -> None:
    rows, threads = way.rows, way.threads
    graph = _core.Graph(len(rows), False, way.isa)
    tensors = add_inputs(graph, case.inputs, ())
    weights = _add_parameters(graph, case, False)
    output = case.build(graph, tensors, weights)
    shape = tuple(graph.shape(output))
    where = f"{case.name} {way}"
    if shape != (len(rows), *case.expected.shape[1:]):
        raise AssertionError(f"{where}: shape {shape}, expected {case.expected.shape}")
    plan = graph.compile(outputs=[output], conv_algorithm=way.algorithm)
    feeds = _feeds(case.inputs, rows)
    size = int(np.prod(shape))
    plan.run(_poison(case, ()), rows, [np.empty(shape, np.float32)])
    first = None
    for count in threads:
        memory = np.full(size + GUARD, np.nan, np.float32)
        with with_threads(count):
            plan.run(feeds, rows, [memory[:size].reshape(shape)])
        if not np.isnan(memory[size:]).all():
            raise AssertionError(f"{where}: wrote behind its output")
        first = memory if first is None else first
        _same_bits(first, memory, f"{where}: y with {threads[0]} and {count} threads")
    got = np.asarray(first)[:size].reshape(shape)
    bound = case.bound[rows] + way.error * case.largest
    _within(got, case.expected[rows], bound, f"{where}: y")


def _check_gradients(case: _Case, way: _Way) -> None:
    """Gradients of everything, then without the inputs', then without the weights'."""
    variants = [(True, True), (False, True), (True, False)]
    for of_inputs, of_parameters in variants if case.trained else [(True, False)]:
        got = _gradients(case, way, of_inputs, of_parameters)
        names = [i for i in case.derivatives if i < len(case.inputs) and of_inputs]
        if of_parameters:
            names += [i for i in case.derivatives if i >= len(case.inputs)]
        if len(names) != len(got):
            raise AssertionError(
                f"{case.name}: {len(got)} gradients, expected {len(names)}"
            )
        for index, gradient in zip(names, got, strict=True):
            _compare_gradient(case, way, index, gradient)


def _gradients(
    case: _Case, way: _Way, of_inputs: bool, of_parameters: bool
) -> list[Array]:
    rows, threads, batch = way.rows, way.threads, len(way.rows)
    graph = _core.Graph(batch, True, way.isa)
    wanted = case.reference.differentiable if of_inputs else ()
    tensors = add_inputs(graph, case.inputs, wanted)
    weights = _add_parameters(graph, case, of_parameters)
    output = case.build(graph, tensors, weights)
    guide = graph.input(case.guide.shape[1:], "float32")
    if case.reference.loss:
        loss = (output, guide, "sum_over_batch_size", float(batch))
    else:
        if case.expected.ndim == 1:
            output = int(graph.add("reshape", [output], {"shape": [1]}))
        error = graph.add("mean_squared_error", [output, guide], {})
        weight = batch * case.expected[0].size / (2 * case.half)
        loss = (error, -1, "sum_over_batch_size", weight)
    plan = graph.compile(losses=[loss], conv_algorithm=way.algorithm)
    feeds = _feeds([*case.inputs, case.guide], rows)
    plan.gradients(_poison(case, (case.guide,)), rows)
    first: list[Array] = []
    for count in threads:
        with with_threads(count):
            found = plan.gradients(feeds, rows)
        first = first or found
        for index, (a, b) in enumerate(zip(first, found, strict=True)):
            where = f"{case.name} {way}: gradient {index}"
            _same_bits(a, b, f"{where} with {threads[0]} and {count} threads")
    return first


def _compare_gradient(case: _Case, way: _Way, index: int, gradient: Array) -> None:
    known, rows = case.derivatives[index], way.rows
    of_input = index < len(case.inputs)
    by_image = case.by_image(index)
    got = gradient.reshape(len(rows) if by_image else 1, -1)[:, known.coordinates]
    parts = [known.values[rows]]
    if known.magnitude is not None and known.terms is not None:
        parts += [known.magnitude[rows], known.terms[rows]]
    if not by_image:
        parts = [part.sum(axis=0, keepdims=True) for part in parts]
    # The cotangent carries y's own error: 2 (y - target) / n.
    drift = 0.0
    if not case.reference.loss:
        error = case.bound[rows] + way.error * case.largest
        relative = error / case.half / np.abs(case.cotangent[rows])
        drift = float(relative.max())
    if case.exact:
        bound = np.zeros_like(parts[0])
    elif len(parts) == 3:
        bound = (gamma(parts[2]) + drift) * parts[1] + way.error * parts[1].max()
    else:
        # Normwise: where terms cancel is not known.
        terms = case.reference.terms(case.wide(), case.attributes)
        terms += 0 if by_image else len(rows) * case.expected[0].size
        scale = np.abs(parts[0]).max()
        bound = np.broadcast_to((gamma(terms) + drift) * scale, parts[0].shape)
    kind = "d_input" if of_input else "d_parameter"
    number = index if of_input else index - len(case.inputs)
    noise = known.noise * (1 if by_image else len(rows))
    _within(got, parts[0], bound + noise, f"{case.name} {way}: {kind} {number}")


def _same_bits(a: Array, b: Array, what: str) -> None:
    if a.tobytes() != b.tobytes():
        differing = int(np.count_nonzero(a.view(np.int32) != b.view(np.int32)))
        raise AssertionError(f"{what}: {differing} of {a.size} values differ in bits")


def _within(got: Array, expected: Array, bound: Array, what: str) -> None:
    """Fails, naming the worst value, unless |got - expected| <= bound; NaN is NaN."""
    with np.errstate(invalid="ignore"):
        error = np.abs(got - expected)
    bad = ~(error <= bound) & ~(np.isnan(got) & np.isnan(expected)) & (got != expected)
    if not bad.any():
        return
    excess = np.where(bad, np.nan_to_num(error / (bound + 1e-45), nan=np.inf), -1.0)
    worst = np.unravel_index(int(excess.argmax()), got.shape)
    raise AssertionError(
        f"{what}: {int(bad.sum())} of {got.size} values are off; worst at "
        f"{tuple(int(i) for i in worst)}: got {got[worst]}, expected "
        f"{expected[worst]}, bound {bound[worst]:.3g}"
    )
