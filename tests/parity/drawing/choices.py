# SPDX-License-Identifier: Apache-2.0
"""Small draws that families share."""

ACTIVATIONS = [None, "linear", "relu", "tanh", "sigmoid", "softmax"]
RANK_OF_IMAGES = 3
CLASSES = 7  # numbers below that are what layers of whole numbers get


def pick(rng, choices):
    return choices[int(rng.integers(len(choices)))]


def number(rng, low, high):
    """A whole number from low to high."""
    return int(rng.integers(low, high + 1))


def activation(rng):
    # A plain layer half of the time, so that the next one is not squashed.
    return pick(rng, [None, None, *ACTIVATIONS])


def one_or_two(rng, low, high):
    """An integer, or a pair of them."""
    if rng.random() < 0.5:
        return number(rng, low, high)
    return [number(rng, low, high), number(rng, low, high)]


def pair(value):
    return value if isinstance(value, list) else [value, value]


def fits(shape, size, dilation=1):
    reach = [(k - 1) * d + 1 for k, d in zip(pair(size), pair(dilation), strict=True)]
    return shape[0] >= reach[0] and shape[1] >= reach[1]


def branches_of(drawn):
    """Of a merging layer, the layers of each branch; nothing for the rest."""
    return drawn[2] if len(drawn) > 2 else []
