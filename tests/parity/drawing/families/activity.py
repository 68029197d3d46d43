# SPDX-License-Identifier: Apache-2.0
"""ActivityRegularization."""

from drawing.choices import pick


def activity_regularization(rng, shape):
    factors = {"l1": pick(rng, [0.0, 0.01]), "l2": pick(rng, [0.0, 0.02])}
    return "ActivityRegularization", factors


FAMILIES = {"activity_regularization": activity_regularization}
