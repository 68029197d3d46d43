# SPDX-License-Identifier: Apache-2.0
"""Options of the parity tests, and Keras made ready for them.

    pytest tests/parity/test_configurations.py --configurations 2000 --seed 1

Keras runs on JAX, whose average pooling counts real cells only (its torch backend's
does not), with float64 available as the yardstick.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_ENABLE_X64", "1")
# Models run a handful of steps: 0.6 s each so, 1.3 with fusion, 2.3 optimised, 8.6
# eagerly.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    " --xla_cpu_parallel_codegen_split_count=1",
)
sys.path.insert(0, str(Path(__file__).parent))  # the package `drawing`

CONFIGURATIONS = 160  # two for each family
SEED = 20250101


def pytest_addoption(parser):
    group = parser.getgroup("parity")
    group.addoption("--configurations", type=int, help="random configurations to draw")
    group.addoption("--seed", type=int, help="seed that they are drawn from")
    group.addoption("--only", help="the one to run: 168, or a range 0:500")


def pytest_configure(config):
    # Keras's own: NumPy 2 would like another signature, optimizers another shape.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:keras")
    config.addinivalue_line("filterwarnings", "ignore::UserWarning:keras")


def chosen(config, name, default):
    value = config.getoption(f"--{name}", None)
    return default if value is None else value


def pytest_report_header(config):
    count = chosen(config, "configurations", CONFIGURATIONS)
    return f"parity: --configurations {count} --seed {chosen(config, 'seed', SEED)}"


def pytest_generate_tests(metafunc):
    if "number" in metafunc.fixturenames:
        only = chosen(metafunc.config, "only", None)
        count = chosen(metafunc.config, "configurations", CONFIGURATIONS)
        first, _, last = str(only).partition(":")
        if only is None:
            numbers = range(count)
        elif last:
            numbers = range(int(first), int(last))
        else:
            numbers = [int(first)]
        metafunc.parametrize("number", numbers)
        metafunc.parametrize("seed", [chosen(metafunc.config, "seed", SEED)])
