# SPDX-License-Identifier: Apache-2.0
"""A configuration: a model and its training as plain data, drawn from two numbers."""

from dataclasses import asdict, dataclass
from pprint import pformat

import numpy as np

from drawing.choices import RANK_OF_IMAGES, branches_of, number, pick
from drawing.families import FAMILIES
from drawing.objectives import OPTIMIZERS, draw_objective, rules

MOST_LAYERS = 4
TRIALS = 20  # draws of a layer before a model is complete as it is


@dataclass
class Configuration:
    """What is drawn; str() of it can be read and replayed."""

    seed: int
    number: int
    family: str
    input_shape: tuple
    layers: list  # (class name, arguments), of merging layers also branches
    loss: tuple
    metrics: list
    target: str
    optimizer: tuple
    batch: int
    rows: int
    functional: bool
    step_by_step: bool
    weighted: bool
    images: str

    def __str__(self):
        replay = f"--seed {self.seed} --only {self.number}"
        return f"{replay}\n{pformat(asdict(self), sort_dicts=False)}"


def draw(seed, index, output_shape):
    """Configuration `index` of `seed`, about the layer family that is its turn.

    Args:
        seed: Seed of all configurations.
        index: Number of this one.
        output_shape: Function of (layer, shape): what comes out, ValueError if nothing.
    """
    rng = np.random.default_rng([seed, index])
    family = list(FAMILIES)[index % len(FAMILIES)]
    image = [
        number(rng, 3, 12),
        number(rng, 3, 12),
        pick(rng, [1, 2, 3, 3, 4, 6, 8, 17]),
    ]
    shape = input_shape = tuple(image if rng.random() < 0.8 else image[2:])
    volume = [number(rng, 2, 5) for _ in range(3)] + image[2:]
    for other in (image, image[1:], volume):
        if FAMILIES[family](rng, shape) is not None:
            break
        shape = input_shape = tuple(other)
    layers = []
    place = number(rng, 0, MOST_LAYERS - 1)
    for turn in range(TRIALS):
        if len(layers) > place and any(name == family for _, name in layers):
            break
        due = len(layers) >= place or turn > TRIALS // 2
        name = family if due else pick(rng, list(FAMILIES))
        drawn = FAMILIES[name](rng, shape)
        if drawn is None:
            continue
        after = output_shape(drawn, shape)
        if len(after) < len(shape) and name != family:
            continue  # later layers may need the rank
        shape = after
        layers.append((drawn, name))
    objective = draw_objective(rng)
    head = _head(rng, shape, objective)
    one_row = len(head) > 1 or len(shape) == 1  # else Keras cannot weight samples
    batch = number(rng, 1, 20)
    return Configuration(
        seed=seed,
        number=index,
        family=family,
        input_shape=input_shape,
        layers=[layer for layer, _ in layers] + head,
        loss=objective["loss"],
        metrics=objective["metrics"],
        target=objective["target"],
        optimizer=pick(rng, OPTIMIZERS)(rng),
        batch=batch,
        # Three steps; seldom a smaller last one, which Keras compiles again for.
        rows=2 * batch + (number(rng, 1, batch) if rng.random() < 0.3 else batch),
        functional=bool(rng.random() < 0.3 or any(branches_of(d) for d, _ in layers)),
        step_by_step=bool(rng.random() < 0.5),
        weighted=bool(one_row and rng.random() < 0.4),
        images=pick(rng, ["float32", "float32", "float64", "uint8"]),
    )


def _head(rng, shape, objective):
    """Layers from the body's output to what the loss expects."""
    head = []
    if len(shape) > 1 and rng.random() < 0.85:
        pools = len(shape) == RANK_OF_IMAGES and rng.random() < 0.3
        head.append(("GlobalAveragePooling2D" if pools else "Flatten", {}))
    units, activation = objective["units"], objective["activation"]
    drawn = {"units": units, "activation": activation, **rules(rng)}
    if units == 1 and "columns" in str(drawn):
        del drawn["kernel_regularizer"]  # no pair of columns
    return [*head, ("Dense", drawn)]
