# SPDX-License-Identifier: Apache-2.0
"""Layers of whole numbers: they come first in a model."""

from drawing.choices import CLASSES, number, pick
from drawing.rules import weight_rules


def embedding(rng, shape):
    del shape
    arguments = {"input_dim": CLASSES, "output_dim": number(rng, 1, 9)}
    return "Embedding", {**arguments, **weight_rules(rng, "embeddings", 1)}


def category_encoding(rng, shape):
    del shape
    mode = pick(rng, ["multi_hot", "count"])
    return "CategoryEncoding", {"num_tokens": CLASSES, "output_mode": mode}


FAMILIES = {"embedding": embedding, "category_encoding": category_encoding}
