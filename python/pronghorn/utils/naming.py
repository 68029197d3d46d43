# SPDX-License-Identifier: Apache-2.0
"""Names made from class names, by Keras's rules."""

import re


def to_snake_case(name: str) -> str:
    """Keras's snake case, quirks included: Conv2D conv2d, ReLU re_lu, LSTM lstm.

    Example:
        >>> to_snake_case("GlobalAveragePooling2D")
        'global_average_pooling2d'
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


_counts: dict[str, int] = {}


def auto_name(class_name: str) -> str:
    """A name that was not given out before: conv2d, conv2d_1, conv2d_2 ..

    Example:
        >>> auto_name("MyOwnThing"), auto_name("MyOwnThing")
        ('my_own_thing', 'my_own_thing_1')
    """
    name = to_snake_case(class_name)
    count = _counts.get(name, 0)
    _counts[name] = count + 1
    return f"{name}_{count}" if count else name
