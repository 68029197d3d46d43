# SPDX-License-Identifier: Apache-2.0
"""Losses of one prediction at a time, of rows, of triplets and of overlaps."""

from collections.abc import Sequence

import numpy as np

from pronghorn.testing.conformance import Reference
from pronghorn.testing.reference import Array, Attributes, softmax

EPSILON = 1e-7
_IMPOSSIBLE = -1e5  # logarithm of the probability of a step that no path takes


def _terms(inputs: Sequence[Array], attributes: Attributes) -> int:
    del attributes
    return int(inputs[0][0].size)


def _per_image(values: Array) -> Array:
    return np.asarray(values.reshape(len(values), -1).mean(axis=1))


def _binary_focal(p: Array, t: Array, attributes: Attributes) -> Array:
    smoothing = attributes.get("label_smoothing", 0.0)
    t = t * (1 - smoothing) + 0.5 * smoothing
    q = 1 / (1 + np.exp(-p)) if attributes.get("from_logits", False) else p
    clipped = np.clip(q, EPSILON, 1 - EPSILON)
    crossentropy = -(t * np.log(clipped) + (1 - t) * np.log(1 - clipped))
    miss = 1 - (t * q + (1 - t) * (1 - q))
    alpha = attributes.get("alpha", 0.25)
    weight = 1.0
    if attributes.get("apply_class_balancing", False):
        weight = t * alpha + (1 - t) * (1 - alpha)
    return np.asarray(weight * miss ** attributes.get("gamma", 2.0) * crossentropy)


def pointwise_loss(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The op of that name."""
    p, t = inputs
    kind = attributes["kind"]
    error = p - t
    if kind in ("hinge", "squared_hinge"):
        side = 2 * t - 1 if np.isin(t, (0, 1)).all() else t
        missing = np.maximum(1 - side * p, 0)
        return _per_image(missing if kind == "hinge" else missing**2)
    if kind == "huber":
        delta = attributes.get("delta", 1.0)
        size = np.abs(error)
        line = delta * size - delta**2 / 2
        return _per_image(np.where(size <= delta, error**2 / 2, line))
    if kind == "log_cosh":
        return _per_image(np.logaddexp(error, -error) - np.log(2))
    if kind == "poisson":
        return _per_image(p - t * np.log(p + EPSILON))
    if kind == "kl_divergence":
        t, p = np.clip(t, EPSILON, 1), np.clip(p, EPSILON, 1)
        return _per_image((t * np.log(t / p)).sum(axis=-1))
    if kind == "mean_squared_logarithmic_error":
        logs = [np.log1p(np.maximum(x, EPSILON)) for x in (p, t)]
        return _per_image((logs[0] - logs[1]) ** 2)
    if kind == "mean_absolute_percentage_error":
        return _per_image(100 * np.abs(error) / np.maximum(np.abs(t), EPSILON))
    if kind == "contrastive":
        missing = np.maximum(attributes.get("margin", 1.0) - p, 0)
        return _per_image(((1 - t) * p**2 + t * missing**2) / 2)
    return _per_image(_binary_focal(p, t, attributes))


def _categorical_focal(x: Array, t: Array, attributes: Attributes) -> Array:
    smoothing = attributes.get("label_smoothing", 0.0)
    t = t * (1 - smoothing) + smoothing / t.shape[-1]
    if attributes.get("from_logits", False):
        q = softmax((x,), {})
    else:
        q = x / x.sum(axis=-1, keepdims=True)
    q = np.clip(q, EPSILON, 1 - EPSILON)
    alpha, gamma = np.asarray(attributes.get("alpha", 0.25)), attributes.get("gamma", 2)
    return np.asarray((-t * alpha * (1 - q) ** gamma * np.log(q)).sum(axis=-1))


def row_loss(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The op of that name."""
    y, t = inputs
    kind = attributes["kind"]
    if kind == "categorical_hinge":
        right = (t * y).sum(axis=-1)
        return _per_image(np.maximum(((1 - t) * y).max(axis=-1) - right + 1, 0))
    if kind == "cosine_similarity":
        unit = [
            v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), EPSILON)
            for v in (y, t)
        ]
        return _per_image(-(unit[0] * unit[1]).sum(axis=-1))
    if kind == "categorical_focal_crossentropy":
        return _per_image(_categorical_focal(y, t, attributes))
    right = np.take_along_axis(y, t[..., np.newaxis], axis=-1)
    if kind == "multiclass_hinge":
        margin = attributes.get("margin", 1.0)
        over = np.maximum(y - right + margin, 0)
        np.put_along_axis(over, t[..., np.newaxis], 0, axis=-1)
        return _per_image(over.sum(axis=-1))
    q = attributes.get("q", 0.5)
    return _per_image((1 - right[..., 0] ** q) / q)


def triplet_loss(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The op of that name."""
    anchor, positive, negative = np.split(inputs[0].reshape(len(inputs[0]), -1), 3, 1)
    near = ((anchor - positive) ** 2).sum(axis=1)
    far = ((anchor - negative) ** 2).sum(axis=1)
    return np.asarray(np.maximum(near - far + attributes.get("margin", 0.2), 0))


def ctc_loss(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The op of that name, one frame after the other over the states of all paths."""
    del attributes
    losses = []
    for logits, row in zip(inputs[0], inputs[1], strict=True):
        labels = row[: np.count_nonzero(row)].astype(int)
        states = np.zeros(2 * len(labels) + 1, int)
        states[1::2] = labels
        skips = np.full(len(states), _IMPOSSIBLE)
        skips[2:][states[2:] != states[:-2]] = 0
        skips[::2] = -np.inf
        log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        alpha = np.where(np.arange(len(states)) == 0, 0.0, _IMPOSSIBLE)
        for frame in log_p:
            one, two = (
                np.concatenate([np.full(n, -np.inf), alpha])[: len(alpha)]
                for n in (1, 2)
            )
            alpha = np.logaddexp(np.logaddexp(alpha, one), two + skips) + frame[states]
        losses.append(-np.logaddexp.reduce(alpha[-2:]))
    return np.asarray(losses)


def circle_loss(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The op of that name."""
    x, labels = inputs
    gamma, margin = attributes.get("gamma", 80.0), attributes.get("margin", 0.4)
    d = np.maximum(1 - x @ x.T, 0)
    alike = labels[:, np.newaxis] == labels
    negative = gamma * np.maximum(1 + margin - d, 0) * (1 - margin - d)
    positive = -gamma * np.maximum(margin + d, 0) * (margin - d)
    pairs = alike & ~np.eye(len(x), dtype=bool)
    if not attributes.get("remove_diagonal", True):
        pairs = alike
    sums = [
        np.logaddexp.reduce(np.where(mask, values, -np.inf), axis=1)
        for mask, values in ((~alike, negative), (pairs, positive))
    ]
    losses = np.logaddexp(sums[0] + sums[1], 0)
    counting = max(int(np.count_nonzero(losses)), 1)
    scale = len(x) / counting if attributes.get("rescale", True) else 1.0
    return np.asarray(losses * scale)


def overlap_loss(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The op of that name."""
    p, t = inputs
    axes = tuple(attributes.get("axes", ())) or tuple(range(p.ndim))
    both, truth, predicted = (
        part.sum(axis=axes, keepdims=True) for part in (t * p, t, p)
    )
    if attributes["kind"] == "dice":
        values = 1 - 2 * both / (truth + predicted + EPSILON)
    else:
        only_true = attributes.get("alpha", 0.5) * (truth - both)
        only_predicted = attributes.get("beta", 0.5) * (predicted - both)
        values = 1 - both / (both + only_true + only_predicted + EPSILON)
    per_image = values.reshape(len(values), -1).mean(axis=1)
    return np.asarray(np.broadcast_to(per_image, len(p)))


def _pointwise_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    # Differences of numbers, or of their logarithms: their sizes rather than the value.
    sizes = [np.abs(x) + 1 for x in inputs]
    if attributes["kind"] == "mean_absolute_percentage_error":
        sizes[0] = 100 * sizes[0] / np.maximum(np.abs(inputs[1]), EPSILON)
    margin = 1 + attributes.get("margin", 1.0)
    return _per_image((margin * sizes[0] * sizes[1]) ** 2)


def _spread(cotangent: Array, y_pred: Array) -> Array:
    return np.abs(cotangent).reshape(-1, *[1] * (y_pred.ndim - 1))


def _pointwise_slopes(
    inputs: Sequence[Array], attributes: Attributes, cotangent: Array
) -> Array:
    p, t = inputs
    kind = attributes["kind"]
    slopes = 4 * (1 + np.abs(p)) * (1 + np.abs(t))
    if kind == "mean_absolute_percentage_error":
        slopes = 100 / np.maximum(np.abs(t), EPSILON)
    elif kind in ("poisson", "kl_divergence"):
        slopes = slopes / np.maximum(np.abs(p), EPSILON)
    elif kind == "binary_focal_crossentropy" and not attributes.get("from_logits"):
        slopes = slopes / np.maximum(np.abs(p * (1 - p)), EPSILON)
    rows = p[0].size // p.shape[-1] if kind == "kl_divergence" else p[0].size
    return np.asarray(slopes * _spread(cotangent, p) / rows)


def _row_slopes(
    inputs: Sequence[Array], attributes: Attributes, cotangent: Array
) -> Array:
    y = inputs[0]
    kind = attributes["kind"]
    slopes = 4 * np.ones_like(y)
    if kind == "categorical_hinge":
        slopes = slopes * (1 + np.abs(inputs[1]))
    elif kind == "cosine_similarity":
        slopes = slopes / np.linalg.norm(y, axis=-1, keepdims=True)
    elif kind == "multiclass_hinge":
        slopes = slopes * y.shape[-1]
    elif attributes.get("from_logits"):
        slopes = slopes * (1 + np.abs(y).max(axis=-1, keepdims=True))
    else:
        slopes = slopes / np.maximum(np.abs(y), EPSILON)
        slopes = slopes * (1 + np.abs(np.log(y.sum(axis=-1, keepdims=True))))
    rows = y[0].size // y.shape[-1]
    return np.asarray(slopes * _spread(cotangent, y) / rows)


def _ones(inputs: Sequence[Array], attributes: Attributes) -> Array:
    del attributes
    return np.ones(len(inputs[0]))


def _row_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    y = np.abs(inputs[0]) + 1 + attributes.get("margin", 1.0)
    return np.abs(row_loss(inputs, attributes)) + _per_image(y.sum(axis=-1))


def _triplet_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    margin = attributes.get("margin", 0.2)
    return np.asarray(4 * _per_image(inputs[0] ** 2) * inputs[0][0].size + margin)


def penalty(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The op of that name."""
    x = inputs[0].reshape(len(inputs[0]), -1)
    l1, l2 = attributes.get("l1", 0.0), attributes.get("l2", 0.0)
    return np.asarray(l1 * np.abs(x).sum(axis=1) + l2 * (x**2).sum(axis=1))


def orthogonality(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The op of that name, of a weight."""
    rows = inputs[0].T if attributes.get("columns", False) else inputs[0]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), EPSILON)
    cosines = np.abs(rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return np.asarray([attributes.get("factor", 0.01) * cosines.mean()])


def top_k_categorical_accuracy(
    inputs: Sequence[Array], attributes: Attributes
) -> Array:
    """The op of that name, and its sparse form."""
    y, t = inputs
    labels = t.argmax(axis=-1) if t.ndim == y.ndim else t
    right = np.take_along_axis(y, labels[..., np.newaxis], axis=-1)
    return _per_image(((y > right).sum(axis=-1) < attributes.get("k", 5)) * 1.0)


def _frames(inputs: Sequence[Array], attributes: Attributes) -> int:
    del attributes
    return int(inputs[0].shape[1])


def _ctc_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    del attributes
    return np.asarray((np.abs(inputs[0]).max(axis=-1) + 1).sum(axis=-1))


def _circle_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    gamma, margin = attributes.get("gamma", 80.0), attributes.get("margin", 0.4)
    length = 1 + np.linalg.norm(inputs[0], axis=1).max()
    return np.full(len(inputs[0]), gamma * (length**2 + margin) ** 2)


REFERENCES = {
    "circle_loss": Reference(
        circle_loss,
        loss=True,
        terms=_terms,
        magnitude=_circle_magnitude,
        across_images=True,
    ),
    "ctc_loss": Reference(ctc_loss, loss=True, terms=_frames, magnitude=_ctc_magnitude),
    "sparse_top_k_categorical_accuracy": Reference(
        top_k_categorical_accuracy, differentiable=(), terms=_terms
    ),
    "top_k_categorical_accuracy": Reference(
        top_k_categorical_accuracy, differentiable=(), terms=_terms
    ),
    "orthogonality": Reference(orthogonality),
    "penalty": Reference(penalty, loss=True, terms=_terms),
    "overlap_loss": Reference(overlap_loss, loss=True, terms=_terms, magnitude=_ones),
    "pointwise_loss": Reference(
        pointwise_loss,
        loss=True,
        terms=_terms,
        magnitude=_pointwise_magnitude,
        slopes=_pointwise_slopes,
    ),
    "row_loss": Reference(
        row_loss, loss=True, terms=_terms, magnitude=_row_magnitude, slopes=_row_slopes
    ),
    "triplet_loss": Reference(
        triplet_loss, loss=True, terms=_terms, magnitude=_triplet_magnitude
    ),
}
