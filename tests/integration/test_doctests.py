# SPDX-License-Identifier: Apache-2.0
"""The examples in the docstrings of all modules, run as they stand."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import pronghorn

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(pronghorn.__path__, "pronghorn.")
    if not module.name.endswith(("._core", ".__main__"))
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    names = {"np": np, "keras": pronghorn}
    for public in (pronghorn, pronghorn.layers):
        names |= {key: getattr(public, key) for key in public.__all__}
    failed, _ = doctest.testmod(module, extraglobs=names | vars(module))
    assert failed == 0
