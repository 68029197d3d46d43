# SPDX-License-Identifier: Apache-2.0
"""A configuration: a model and its training as plain data, drawn from two numbers."""

import math
from dataclasses import asdict, dataclass
from pprint import pformat

import numpy as np

from drawing.choices import RANK_OF_IMAGES, branches_of, number, pick
from drawing.families import FAMILIES
from drawing.families.lookup import FAMILIES as OF_WHOLE_NUMBERS
from drawing.objectives import OPTIMIZERS, draw_objective
from drawing.rules import rules

MOST_LAYERS = 4
MOST_FEATURES = 50  # that a squashed head meets with the full learning rate
OF_CLASSES = {"labels", "column of labels", "float labels", "one hot"}
EVERYWHERE = [name for name in FAMILIES if name not in OF_WHOLE_NUMBERS]
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
    weighted: str | None  # what has weights: samples, classes
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
    images = pick(rng, ["float32", "float32", "float64", "uint8"])
    if family in OF_WHOLE_NUMBERS:
        shape, images = image[2:], "whole numbers"
    for other in (shape, image, image[1:], volume):
        shape = input_shape = tuple(other)
        if FAMILIES[family](rng, shape) is not None:
            break
    layers = []
    place = number(rng, 0, MOST_LAYERS - 1)
    if family in OF_WHOLE_NUMBERS:
        place = 0  # what other layers give is not whole
    for turn in range(TRIALS):
        if len(layers) > place and any(name == family for _, name in layers):
            break
        due = len(layers) >= place or turn > TRIALS // 2
        name = family if due else pick(rng, EVERYWHERE)
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
    optimizer = pick(rng, OPTIMIZERS)(rng)
    if objective["activation"] in ("softmax", "sigmoid"):
        # Where three steps saturate them the two differ by design: Keras clips
        # probabilities, pronghorn goes on with the logits. Many inputs move them far.
        features = math.prod(shape)
        optimizer[1]["learning_rate"] *= min(1.0, MOST_FEATURES / features)
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
        optimizer=optimizer,
        batch=batch,
        # Three steps; seldom a smaller last one, which Keras compiles again for.
        rows=2 * batch + (number(rng, 1, batch) if rng.random() < 0.3 else batch),
        functional=bool(rng.random() < 0.3 or any(branches_of(d) for d, _ in layers)),
        step_by_step=bool(rng.random() < 0.5),
        weighted=_weighted(rng, objective) if one_row else None,
        images=images,
    )


def _weighted(rng, objective):
    if objective["loss"][0] in ("Dice", "Tversky") or rng.random() < 0.6:
        return None  # those two have one value for a batch
    if objective["target"] in OF_CLASSES and rng.random() < 0.5:
        return "classes"
    return "samples"


def _head(rng, shape, objective):
    """Layers from the body's output to what the loss expects."""
    head = []
    if len(shape) > 1 and rng.random() < 0.85:
        pools = len(shape) == RANK_OF_IMAGES and rng.random() < 0.3
        head.append(("GlobalAveragePooling2D" if pools else "Flatten", {}))
    units, activation = objective["units"], objective["activation"]
    rest = rules(rng, columns=units)
    drawn = {"units": units, "activation": activation, **rest}
    return [*head, ("Dense", drawn)]
