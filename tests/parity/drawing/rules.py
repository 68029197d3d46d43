# SPDX-License-Identifier: Apache-2.0
"""Regularizers and constraints of a layer's weights and output, as configurations."""

from drawing.choices import pick


def _object(kind, **arguments):
    return {"class_name": kind, "config": arguments}


def weight_rules(rng, weight, axes=0, columns=1):
    """Of the weight of that name, seldom.

    Norms are taken along `axes`; a matrix has `columns`.
    """
    drawn = {}
    if rng.random() < 0.2:
        penalties = [
            _object("L1", l1=0.01),
            _object("L2", l2=0.01),
            _object("L1L2", l1=0.003, l2=0.02),
        ]
        if columns > 1:
            penalties.append(_object("OrthogonalRegularizer", mode="columns"))
        drawn[f"{weight}_regularizer"] = pick(rng, penalties)
    if rng.random() < 0.2:
        limits = {"min_value": 0.5, "max_value": 1.0, "rate": 0.7}
        constraints = [
            _object("MaxNorm", max_value=0.8, axis=axes),
            _object("UnitNorm", axis=axes),
            _object("MinMaxNorm", axis=axes, **limits),
        ]
        # Under a scale of 0 all values are the largest: Keras shares the gradient out,
        # pronghorn's pooling gives it to the first. A slope of 0 puts values on the
        # bend of a next leaky ReLU: JAX takes the right side there, PyTorch and
        # pronghorn the left.
        bends = weight in ("gamma", "alpha")
        # Of |0| (of a weight, or of two columns' product), JAX has the derivative 1;
        # PyTorch, TensorFlow and pronghorn 0.
        bends |= "L1" in str(drawn) or "Orthogonal" in str(drawn)
        if not bends:
            constraints.append(_object("NonNeg"))
        drawn[f"{weight}_constraint"] = pick(rng, constraints)
    return drawn


def rules(rng, axes=0, columns=1):
    """Of a layer with a kernel and a bias."""
    drawn = weight_rules(rng, "kernel", axes, columns)
    if rng.random() < 0.1:
        drawn["bias_regularizer"] = _object("L2", l2=0.1)
    if rng.random() < 0.1:
        drawn["activity_regularizer"] = _object("L1L2", l1=0.01, l2=0.02)
    return drawn
