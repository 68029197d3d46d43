# SPDX-License-Identifier: Apache-2.0
"""PRONGHORN_ISA forces an instruction set, and fails loudly where it cannot."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pronghorn._native import core as _core

pytestmark = pytest.mark.isa

TRAIN = """
import json
import numpy as np
import pronghorn
from pronghorn import layers
from pronghorn._native import core

pronghorn.utils.set_random_seed(5)
model = pronghorn.Sequential([
    layers.Input((16, 16, 3)),
    layers.Conv2D(6, 5, activation="tanh"),
    layers.AveragePooling2D(),
    layers.Conv2D(17, 3, padding="same", activation="sigmoid"),
    layers.MaxPooling2D(3, strides=2),
    layers.Flatten(),
    layers.Dense(33, activation="tanh"),
    layers.Dense(10, activation="softmax"),
])
model.compile(pronghorn.optimizers.SGD(0.05, momentum=0.9),
              "sparse_categorical_crossentropy")
rng = np.random.default_rng(0)
x = rng.normal(size=(60, 16, 16, 3)).astype(np.float32)
y = rng.integers(0, 10, 60)
history = model.fit(x, y, epochs=2, batch_size=20, verbose=0)
print(json.dumps({
    "isa": core.isa(),
    "loss": history.history["loss"],
    "weights": [w.ravel().tolist() for w in model.get_weights()],
}))
"""


def run(isa, program=TRAIN):
    environment = {**os.environ, "PRONGHORN_ISA": isa}
    if isa is None:
        del environment["PRONGHORN_ISA"]
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_forced_sets_agree_within_rounding():
    results = {}
    for isa in _core.supported_isas():
        done = run(isa)
        assert done.returncode == 0, done.stderr
        results[isa] = json.loads(done.stdout)
        assert results[isa]["isa"] == isa
    first = results[_core.supported_isas()[0]]
    for isa, result in results.items():
        np.testing.assert_allclose(
            result["loss"], first["loss"], rtol=1e-5, err_msg=isa
        )
        for a, b in zip(result["weights"], first["weights"], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-6, err_msg=isa)


def test_the_widest_set_is_the_default():
    for isa in (None, ""):
        done = run(isa, "from pronghorn._native import core; print(core.isa())")
        assert done.stdout.strip() == _core.supported_isas()[0], done.stderr


def test_blas_is_held_to_the_forced_set():
    kernels = {"baseline": "Katmai", "avx2": "Haswell", "avx512": "SkylakeX"}
    for isa in _core.supported_isas():
        done = run(isa, "from pronghorn._native import core; print(core.blas_info())")
        assert kernels[isa] in done.stdout, done.stderr


@pytest.mark.parametrize("isa", ["avx", "AVX2", "avx512 ", "none", "1"])
def test_a_misspelt_set_is_an_error_that_lists_the_sets(isa):
    done = run(isa, "import pronghorn")
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "PRONGHORN_ISA" in last
    assert isa in last
    assert "baseline" in last


def test_a_set_that_the_cpu_lacks_is_an_error():
    missing = {"avx2", "avx512"} - set(_core.supported_isas())
    for isa in missing:
        done = run(isa, "import pronghorn")
        assert done.returncode != 0
        assert isa in done.stderr.strip().splitlines()[-1]


def test_graphs_refuse_unknown_sets():
    with pytest.raises(ValueError, match="sse9"):
        _core.Graph(1, False, "sse9")
