# SPDX-License-Identifier: Apache-2.0
"""`model.summary()`: the table that Keras prints, character for character.

Keras lets the package rich lay out its table; the rules that matter here are: columns
shrink evenly to fit the line, cells break between words, and a word that is too long
ends in an ellipsis.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pronghorn.models.survey import Survey
from pronghorn.utils import console

if TYPE_CHECKING:
    from pronghorn.layers.symbolic import Node
    from pronghorn.models.model import Model

_SEQUENTIAL_WIDTH = 88
_BRANCHED_WIDTH = 108
_TRAINABLE_WIDTH = 12
_TRAINABLE = "Trainable"
_CELL = 3  # a border and a space on both sides of a text


@dataclass
class _Column:
    title: str
    align: str  # left, right, center


def print_summary(
    model: Model,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
    show_macs: bool = False,
    show_receptive_field: bool = False,
) -> None:
    """Prints the table of a model's layers and its number of parameters.

    Args:
        model: The model, built or not.
        line_length: Width of the table; by default what the terminal allows, at most
            88 characters (108 with the column `Connected to`).
        positions: Right edges of the columns, as fractions of the line.
        print_fn: Receives the whole text once, instead of stdout.
        expand_nested: Whether to list the layers of nested models too.
        show_trainable: Whether to add the column `Trainable`.
        layer_range: Names (or regular expressions) of the first and last layer to
            list; by default all.
        show_macs: Whether to add the multiply-accumulates per image.
        show_receptive_field: Whether to add how many pixels of the input an element of
            the output sees.
    """
    survey = Survey(model) if model.built and model.known_inputs() else None
    view = _View(
        _connections(model), survey, expand_nested, show_trainable, show_macs,
        show_receptive_field,
    )  # fmt: skip
    columns = [
        _Column("Layer (type)", "left"),
        _Column("Output Shape", "left"),
        _Column("Param #", "right"),
    ]
    edges = list(positions or [0.45, 0.80, 1.0])
    width = _SEQUENTIAL_WIDTH
    if view.connections is not None:
        columns.append(_Column("Connected to", "left"))
        edges = list(positions or [0.3, 0.56, 0.74, 1.0])
        width = _BRANCHED_WIDTH
    if show_trainable:
        columns.append(_Column(_TRAINABLE, "center"))
        edges = [edge * 0.90 for edge in edges] + [1.0]
        width += _TRAINABLE_WIDTH
    own = [_Column("MACs", "right")] if show_macs else []
    own += [_Column("Field", "right")] if show_receptive_field else []

    layers = _operations(model)
    first, last = _layer_indices(layers, layer_range)
    rows = [row for layer in layers[first:last] for row in view.rows(layer, 0)]
    own_widths = _needed(own, rows)
    room = sum(text + _CELL for text in own_widths)
    most = min(width + room, shutil.get_terminal_size().columns - 4)
    widths = _column_widths(edges, len(columns), (line_length or most) - room)
    if show_trainable and own:  # Keras, which has no more columns, cuts the title
        while widths[-1] < len(_TRAINABLE):
            widths[widths.index(max(widths))] -= 1
            widths[-1] += 1
    table = _table([*columns, *own], rows, [*widths, *own_widths])
    lines = [f'Model: "{model.name}"', *table, *_totals(model)]
    if show_macs and survey is not None:
        lines.append(f" Total MACs: {survey.macs_of(model)}")
    text = "".join(f"{line}\n" for line in lines)
    if print_fn is None:
        console.write(text)
    else:
        print_fn(text)


@dataclass
class _View:
    """What to show of a layer."""

    connections: dict[int, str] | None
    survey: Survey | None
    expand_nested: bool
    show_trainable: bool
    show_macs: bool
    show_receptive_field: bool

    def rows(self, layer: Any, level: int) -> Iterator[list[str]]:
        """The row of a layer, and those of layers inside it."""
        prefix = "   " * level + "└ " if level else ""
        row = [
            f"{prefix}{layer.name} ({type(layer).__name__})",
            self._output_shape(layer),
            f"{layer.count_params():,}" if layer.built else "0 (unbuilt)",
        ]
        if self.connections is not None:
            row.append(self.connections.get(id(layer), "-"))
        if self.show_trainable:
            row.append(("Y" if layer.trainable else "N") if layer.weights else "-")
        if self.show_macs:
            row.append("?" if self.survey is None else self.survey.macs_of(layer))
        if self.show_receptive_field:
            row.append("?" if self.survey is None else self.survey.field_of(layer))
        yield row
        if self.expand_nested:
            inner = _operations(layer) if hasattr(layer, "layers") else ()
            for nested in inner:
                yield from self.rows(nested, level + 1)

    def _output_shape(self, layer: Any) -> str:
        """The shape of the last call's output, as in Keras; "?" without a call."""
        if layer.nodes:
            found = [tensor.shape for tensor in layer.nodes[-1].outputs]
        elif self.survey is not None:
            found = self.survey.shapes_of(layer)
        else:
            found = []
        shapes = [_format_shape(shape) for shape in found]
        if not shapes:
            return "?"
        return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _operations(model: Any) -> Sequence[Any]:
    """The layers of a model; operations too, which `model.layers` lacks as in Keras."""
    network = getattr(model, "_network", None)
    known = {id(layer) for layer in model.layers}
    if network is None or not {id(layer) for layer in network.layers} <= known:
        return list(model.layers)  # a Sequential, whose input is no layer of it
    return list(network.operations)


def _connections(model: Model) -> dict[int, str] | None:
    """What each layer (by id) is connected to; None if the layers are a plain chain."""
    nodes = _nodes(model)
    calls = Counter(id(node.layer) for node in nodes)
    consumed = {id(tensor.node) for node in nodes for tensor in node.inputs}
    ends = sum(id(node) not in consumed for node in nodes)
    joins = any(len(node.inputs) > 1 for node in nodes)
    if ends <= 1 and not joins and max(calls.values(), default=1) == 1:
        return None
    return {
        id(layer): ", ".join(
            f"{tensor.node.layer.name}"
            f"[{tensor.node.layer.nodes.index(tensor.node)}][{tensor.index}]"
            for node in layer.nodes
            if node in nodes
            for tensor in node.inputs
        )
        or "-"
        for layer in _operations(model)
    }


def _nodes(model: Model) -> set[Node]:
    """The calls of layers between a model's inputs and outputs; none if unbuilt."""
    if not model.built or model.is_traced():
        return set()
    found = {tensor.node for tensor in model.inputs}
    waiting = [tensor.node for tensor in model.outputs]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [tensor.node for tensor in node.inputs]
    return found


def _format_shape(shape: Iterable[int | None]) -> str:
    return f"({', '.join(str(size) for size in shape)})"


def _layer_indices(
    layers: Sequence[Any], layer_range: Sequence[str] | None
) -> tuple[int, int]:
    """The half-open range of layers between two names, both included."""
    if layer_range is None:
        return 0, len(layers)
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"layer_range: expected two strings, got {layer_range!r}")
    found = [
        [i for i, layer in enumerate(layers) if re.match(name, layer.name)]
        for name in layer_range
    ]
    if not found[0] or not found[1]:
        raise ValueError(f"layer_range: no layers are named like {layer_range!r}")
    lower, upper = found
    if min(lower) > max(upper):
        lower, upper = upper, lower
    return min(lower), max(upper) + 1


def _totals(model: Model) -> Iterator[str]:
    groups = {
        "Trainable": _sizes(w.value for w in model.trainable_weights),
        "Non-trainable": _sizes(w.value for w in model.non_trainable_weights),
    }
    optimizer = model.optimizer
    if optimizer is not None and optimizer.built:
        slots = [s for w in model.trainable_weights for s in optimizer.slot_arrays(w)]
        count, size = _sizes(slots)
        # Keras counts the iteration and, unless there is a schedule, the learning rate.
        scalars = 1 if callable(optimizer.learning_rate) else 2
        groups["Optimizer"] = (count + scalars, size + 4 * scalars)
    counts, sizes = zip(*groups.values(), strict=True)
    yield f" Total params: {sum(counts):,} ({_readable(sum(sizes))})"
    for name, (count, size) in groups.items():
        yield f" {name} params: {count:,} ({_readable(size)})"


def _sizes(arrays: Iterable[Any]) -> tuple[int, int]:
    """Number of elements and of bytes."""
    pairs = [(array.size, array.nbytes) for array in arrays]
    return sum(count for count, _ in pairs), sum(size for _, size in pairs)


def _readable(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _needed(columns: Sequence[_Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Widths that cut nothing of columns, the last ones of the rows."""
    cells = [row[len(row) - len(columns) :] for row in rows]
    texts = zip(*cells, [column.title for column in columns], strict=True)
    return [max(map(len, column)) for column in texts]


def _column_widths(edges: Sequence[float], columns: int, line_length: int) -> list[int]:
    """Widths of the cells' text; a cell has a space on both sides besides."""
    if len(edges) != columns:
        raise ValueError(f"positions: expected {columns} numbers, got {list(edges)}")
    ends = [int(edge * line_length) for edge in edges]
    texts = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if min(texts) < 4:
        raise ValueError(
            f"The line of {line_length} characters is too short for a summary"
        )
    widths = [width + 2 for width in texts]
    excess = sum(widths) - (line_length - columns - 1)  # the borders
    for index in range(columns):  # as rich does: evenly, what is left to the last
        cut = min(widths[index], round(excess / (columns - index)))
        widths[index] -= cut
        excess -= cut
    return [width - 2 for width in widths]


def _table(
    columns: Sequence[_Column], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> Iterator[str]:
    titles = [column.title for column in columns]
    yield _rule("┏━┳┓", widths)
    yield from _cells(titles, columns, widths, "┃", at_bottom=True)
    yield _rule("┡━╇┩", widths)
    for index, row in enumerate(rows):
        if index:
            yield _rule("├─┼┤", widths)
        yield from _cells(row, columns, widths, "│")
    yield _rule("└─┴┘", widths)


def _rule(characters: str, widths: Sequence[int]) -> str:
    left, line, middle, right = tuple(characters)
    return left + middle.join(line * (width + 2) for width in widths) + right


def _cells(
    texts: Sequence[str],
    columns: Sequence[_Column],
    widths: Sequence[int],
    border: str,
    at_bottom: bool = False,
) -> Iterator[str]:
    """The lines of one row of the table; short cells are filled up with empty lines."""
    wrapped = [_wrap(text, width) for text, width in zip(texts, widths, strict=True)]
    height = max(len(lines) for lines in wrapped)
    for lines in wrapped:
        empty = [""] * (height - len(lines))
        lines[:] = [*empty, *lines] if at_bottom else [*lines, *empty]
    for line in zip(*wrapped, strict=True):
        cells = [
            f" {_align(text, column.align, width)} "
            for text, column, width in zip(line, columns, widths, strict=True)
        ]
        yield border + border.join(cells) + border


def _wrap(text: str, width: int) -> list[str]:
    lines, line = [], ""
    for word in re.findall(r"\s*\S+\s*", text):
        if line and len(line) + len(word.rstrip()) > width:
            lines.append(line)
            line = ""
        line += word
    return [_shorten(line.rstrip(), width) for line in [*lines, line]]


def _shorten(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"


def _align(line: str, align: str, width: int) -> str:
    if align == "right":
        return line.rjust(width)
    if align == "center":
        return (" " * ((width - len(line)) // 2) + line).ljust(width)
    return line.ljust(width)
