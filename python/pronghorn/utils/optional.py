# SPDX-License-Identifier: Apache-2.0
"""Imports of packages that only some features need.

They are imported when the feature is used, so that `import pronghorn` needs NumPy
alone, and a missing one is reported with the command that installs it.
"""

import importlib
from typing import Any


def require(module: str, purpose: str) -> Any:
    """Imports an optional module, or raises an ImportError that says what to install.

    Args:
        module: Dotted name of the module, for example "h5py".
        purpose: What needs it; begins the error message.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{purpose} needs the package '{package}', which cannot be imported "
            f'({error}). Install it with: pip install "pronghorn[demo]"'
        ) from error
