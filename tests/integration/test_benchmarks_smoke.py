# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' own parts: the NumPy baseline against finite differences in
float64, the counts of FLOP, the statistics, and a run of all engines that are here.
"""

import json
import math
import re
import sys

import numpy as np
import pytest

from benchmarks import (
    compare,
    contest,
    inference,
    networks,
    ops,
    peers,
    scaling,
    timing,
    train,
    worker,
)
from benchmarks.numpy_baseline import Model
from pronghorn._native import core as _core

SMALL = [("odd_strides", 3), ("odd_pools", 4), ("lenet5", 1)]


def float64_problem(name, batch):
    network = networks.NETWORKS[name]
    x, y = network.data(batch)
    weights = [weight.astype(np.float64) for weight in network.weights()]
    return network, weights, x.astype(np.float64), y


@pytest.mark.parametrize(("name", "batch"), SMALL)
def test_numpy_baseline_gradients_are_the_losses_slope(name, batch):
    network, weights, x, y = float64_problem(name, batch)
    model = Model(network, weights)
    model.loss(x, y, backward=True)
    gradients = [gradient.copy() for gradient in model.gradients()]
    assert [g.shape for g in gradients] == [w.shape for w in weights]
    rng = np.random.default_rng(5)
    step = 1e-6
    for weight, gradient in zip(model.weights(), gradients, strict=True):
        for index in rng.choice(weight.size, min(weight.size, 8), replace=False):
            kept = weight.flat[index]
            weight.flat[index] = kept + step
            above = model.loss(x, y)
            weight.flat[index] = kept - step
            below = model.loss(x, y)
            weight.flat[index] = kept
            slope = (above - below) / (2 * step)
            assert gradient.flat[index] == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_numpy_baseline_step_is_sgd_with_momentum():
    network, weights, x, y = float64_problem("odd_pools", 3)
    model, probe = Model(network, weights), Model(network, weights)
    velocities = [np.zeros_like(weight) for weight in weights]
    for _ in range(3):
        probe.loss(x, y, backward=True)
        steps = zip(probe.weights(), probe.gradients(), velocities, strict=True)
        for weight, gradient, velocity in steps:
            velocity[...] = 0.9 * velocity - 0.1 * gradient
            np.add(weight, velocity, out=weight)
        model.train_step(x, y, 0.1, 0.9)
    for ours, expected in zip(model.weights(), probe.weights(), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_numpy_baseline_learns_a_batch_by_heart():
    network = networks.NETWORKS["lenet5"]
    x, y = network.data(16)
    model = Model(network, network.weights())
    losses = [model.train_step(x, y, 0.02, 0.9) for _ in range(60)]
    assert losses[0] > 1.5
    assert losses[-1] < 0.05


def test_lenet5_is_the_lecture_slides_network():
    network = networks.NETWORKS["lenet5"]
    sizes = [weight.size for weight in network.weights()]
    pairs = [sum(sizes[start : start + 2]) for start in range(0, 10, 2)]
    assert pairs == [60, 880, 69240, 10164, 850]


def test_step_flops_counts_all_but_the_first_dx():
    first, second = 2 * 30 * 30 * 9 * 6, 2 * 13 * 13 * 9 * 6 * 16
    dense = 2 * (576 * 120 + 120 * 84 + 84 * 10)
    lenet5 = networks.NETWORKS["lenet5"]
    assert lenet5.step_flops() == 2 * first + 3 * (second + dense)


def test_data_of_fewer_samples_is_a_prefix():
    network = networks.NETWORKS["odd_pools"]
    for short, long in zip(network.data(5), network.data(9), strict=True):
        np.testing.assert_array_equal(short, long[:5])


@pytest.mark.parametrize("text", ["lenet5", "lenet5:0", "lenet5:x", "nobody:3"])
def test_parse_refuses_what_is_no_network_and_batch(text):
    with pytest.raises(ValueError, match="expected NETWORK:BATCH"):
        networks.parse(text)


def test_sample_calls_at_least_as_often_as_asked():
    calls = []
    times = timing.sample(lambda: calls.append(1), 0.0, 3)
    assert len(times) == len(calls) == 3
    assert min(times) >= 0


def test_spread_is_the_distance_of_the_quartiles():
    assert timing.spread([4.0]) == 0
    assert timing.spread([1.0, 2.0, 4.0, 6.0, 7.0]) == pytest.approx(1.0)


def test_row_is_wrong_beyond_the_tolerance_and_for_nan():
    def row(*answer, engine="numpy"):
        return contest.Row("lenet5:1", engine, "", list(answer), [2.0, -0.1])

    assert row(2.0019, -0.1019).right
    assert not row(2.0021, -0.1).right
    assert not row(2.0, -0.1021).right
    assert not row(2.0, math.nan).right
    assert not row(2.0).right
    assert row(2.09, -0.1, engine="torch-bfloat16").right
    assert not row(2.11, -0.1, engine="torch-bfloat16").right


def test_what_most_engines_say_leaves_bfloat16_out():
    engines = {"a": 1.0, "b": 2.0, "c": 1.5, "d-bfloat16": 0.0}
    rows = [contest.Row("", name, "", [one, 0.0], []) for name, one in engines.items()]
    assert contest.middle(rows) == [1.5, 0.0]


def test_summary_takes_the_best_float32_peer(capsys):
    def rows(name, **milliseconds):
        engines = {engine.replace("_", "-"): ms for engine, ms in milliseconds.items()}
        return [
            contest.Row(name, engine, "", [1.0], [1.0], milliseconds=[ms])
            for engine, ms in engines.items()
        ]

    first = rows("lenet5:1", pronghorn=2.0, torch=9.0, numpy=8.0, torch_bfloat16=3.0)
    second = rows("mlp:2", pronghorn=1.0, torch=1.0)
    contest.summarise([first, second], {"lenet5:1": 4.5})
    *_, one, two, mean = capsys.readouterr().out.splitlines()
    assert one.split() == ["lenet5:1", "2", "8", "numpy", "4.00", "4.5", "no", "1.50"]
    assert two.split() == ["mlp:2", "1", "1", "torch", "1.00", "-", "-", "-"]
    assert mean == "geometric mean 2.00, least 1.00"


def test_the_goals_are_of_networks_there_are():
    for name in [*train.GOALS, *inference.GOALS]:
        networks.parse(name)


def test_an_instruction_set_reaches_the_engine():
    if "avx2" not in _core.supported_isas():
        pytest.skip("no AVX2 here")
    arguments = ("mlp:2", "1", "1", "predict")
    program = contest.Worker(sys.executable, peers.OURS, 1, *arguments, isa="avx2")
    try:
        assert program.call("isa") == "avx2"
    finally:
        program.close()


def test_worker_says_why_an_engine_is_absent():
    with pytest.raises(worker.WorkerError, match="unknown engine 'nobody'"):
        worker.Worker(sys.executable, "nobody", 1, "mlp:2", "1", "4", "train")


def test_compare_gives_the_ratio_of_the_medians(tmp_path, capsys):
    paths = []
    for scale in (2.0, 1.0):
        times = [scale * time for time in (0.9, 1.0, 1.5)]
        rows = [{"name": "mlp:2", "engine": "numpy", "milliseconds": times}]
        paths.append(tmp_path / f"{scale}.json")
        paths[-1].write_text(json.dumps({"rows": rows}))
    assert compare.main([str(path) for path in paths]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[2:5] == ["2", "1", "2.000"]


def test_train_smoke_gives_right_answers(tmp_path):
    path = tmp_path / "run.json"
    assert train.main(["--smoke", "--json", str(path)]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert {row["engine"] for row in rows} == {peers.OURS, "numpy"}
    assert {row["name"] for row in rows} == set(train.SMOKE_NETWORKS)
    assert all(min(row["milliseconds"]) > 0 for row in rows)


def test_inference_smoke_gives_right_answers(tmp_path, capsys):
    path = tmp_path / "run.json"
    assert inference.main(["--smoke", "--json", str(path)]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert {row["engine"] for row in rows} == {peers.OURS, "numpy"}
    assert {row["name"] for row in rows} == set(inference.SMOKE_NETWORKS)
    printed = capsys.readouterr().out
    for call in inference.COSTS:
        assert re.search(rf"^{re.escape(call)} +[\d.]+ ", printed, re.MULTILINE)


def test_scaling_smoke_has_a_row_for_each_engine(capsys):
    assert scaling.main(["--smoke", "--threads", "2"]) == 0
    *_, head, ours, numpy = capsys.readouterr().out.splitlines()
    assert head.startswith("lenet5:8 ")
    assert ours.startswith(peers.OURS)
    assert numpy.startswith("numpy")
    one, both, speed_up, busy, slow_down = map(float, ours.split()[1:])
    assert speed_up == pytest.approx(one / both, abs=0.01, rel=0.01)
    assert slow_down == pytest.approx(busy / both, abs=0.01, rel=0.01)


def test_ops_prints_every_layer_that_computes(capsys):
    assert ops.main(["lenet5:2"]) == 0
    layers = {line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]}
    assert layers == {
        "conv2d/lenet5:2/0",
        "average_pool2d/lenet5:2/1",
        "conv2d/lenet5:2/2",
        "average_pool2d/lenet5:2/3",
        "dense/lenet5:2/5",
        "dense/lenet5:2/6",
        "dense/lenet5:2/7",
    }
