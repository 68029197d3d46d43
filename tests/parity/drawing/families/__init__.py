# SPDX-License-Identifier: Apache-2.0
"""Layer families: each draws the arguments of a layer that fits an input shape.

A family is a function of (rng, shape) that returns (class name, arguments), or None
where the shape does not suit it. A module here lists its families in FAMILIES.
"""

import importlib
import pkgutil

FAMILIES = {}
for _module in pkgutil.iter_modules(__path__):
    FAMILIES |= importlib.import_module(f"{__name__}.{_module.name}").FAMILIES
