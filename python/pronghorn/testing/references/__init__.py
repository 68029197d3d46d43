# SPDX-License-Identifier: Apache-2.0
"""The meaning of every op: one module a family, each with its own `REFERENCES`."""

import importlib
import pkgutil

from pronghorn.testing import conformance
from pronghorn.testing.conformance import Reference

REFERENCES: dict[str, Reference] = dict(conformance.REFERENCES)
for _module in pkgutil.iter_modules(__path__):
    REFERENCES |= importlib.import_module(f"{__name__}.{_module.name}").REFERENCES
