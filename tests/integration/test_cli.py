# SPDX-License-Identifier: Apache-2.0
"""The command line: the demo and the benchmark for real, and one line instead of
tracebacks.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pronghorn
from pronghorn import cli, demo

for package in ("h5py", "matplotlib", "sklearn"):
    pytest.importorskip(package)


def run(*arguments, folder, columns=80):
    """Runs `python -m pronghorn` in a process of its own."""
    package = str(Path(pronghorn.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "pronghorn", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": package, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def check_error(capsys, arguments, message):
    """Exit status 2 and one line on stderr."""
    try:
        status = cli.main(arguments)
    except SystemExit as exit:
        status = exit.code
    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    assert error.startswith("pronghorn")
    assert re.search(message, error), error


def mnist_folder():
    default = Path(__file__).parents[2].parent / "shared" / "data" / "mnist"
    return Path(os.environ.get("PRONGHORN_MNIST_DIR", default))


def accuracy(output):
    return float(re.search(r"Test accuracy: ([\d.]+)%", output)[1])


def check_picture(path, smallest):
    picture = pytest.importorskip("matplotlib.image").imread(path)
    assert picture.shape[0] >= smallest
    assert picture.shape[1] >= smallest
    assert np.unique(picture).size > 50


def test_demo_learns_the_digits(tmp_path):
    done = run("demo", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "│ conv2d (Conv2D)                 │ (None, 30, 30, 6)" in done.stdout
    assert " Total params: 81,194 (317.16 KB)" in done.stdout
    assert re.search(r"━{20} \d+s \d+\ws/step - accuracy: 0\.9", done.stdout)
    assert accuracy(done.stdout) >= 98
    assert re.search(r"Training: [\d.]+ s, [\d,]+ images/s", done.stdout)
    assert "a second model that loads them predicts the same" in done.stdout
    assert "Picture: pronghorn-demo.png" in done.stdout
    assert "\b" not in done.stdout
    check_picture(tmp_path / "pronghorn-demo.png", 600)
    model = demo.lenet5()
    model.load_weights(tmp_path / "pronghorn-demo.weights.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "pronghorn-demo.png",
        "pronghorn-demo.weights.h5",
    ]


@pytest.mark.slow
def test_demo_learns_mnist(tmp_path):
    if not mnist_folder().is_dir():
        pytest.skip("no MNIST: set PRONGHORN_MNIST_DIR to the folder of its files")
    done = run(
        *("demo", "--data", mnist_folder().resolve(), "--output", "out.svg"),
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert accuracy(done.stdout) >= 99
    assert "<svg" in (tmp_path / "out.svg").read_text(encoding="utf-8")


def test_demo_repeats_itself(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    contents = []
    for name in ("a", "b"):
        weights = f"{name}.weights.h5"
        arguments = ["--epochs", "1", "--seed", "7", "--weights", weights]
        assert cli.main(["demo", *arguments]) == 0
        assert f"Weights: {weights}" in capsys.readouterr().out
        model = demo.lenet5()
        model.load_weights(weights)
        contents.append([weight.tobytes() for weight in model.get_weights()])
    assert contents[0] == contents[1]


def test_info(capsys):
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    facts = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in out.splitlines())
    assert list(facts) == ["version", "CPU", "instruction set", "threads", "BLAS"]
    assert facts["version"] == pronghorn.__version__
    assert int(facts["threads"]) == pronghorn.config.num_threads()
    assert facts["instruction set"].split()[0] in ("baseline", "avx2", "avx512")
    assert facts["BLAS"]


def test_bench_times_steps(capsys):
    assert cli.main(["bench", "lenet5:8", "odd_pools:3", "--seconds", "0"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    threads = pronghorn.config.num_threads()
    assert re.search(rf"threads: {threads}, float32 peak: \d+ GFLOP/s", head)
    assert [line.partition(": ")[0] for line in lines] == ["lenet5:8", "odd_pools:3"]
    number = r"([\d.,e+-]+)"
    for line, batch in zip(lines, (8, 3), strict=True):
        found = re.search(rf": {number} ms/step .* {number} images/s, {number} G", line)
        milliseconds, images, gflops = (n.replace(",", "") for n in found.groups())
        expected = 1e3 * batch / float(milliseconds)
        assert float(images) == pytest.approx(expected, rel=0.01)
        assert float(gflops) > 0


def test_bench_profiles_the_stages_of_a_step(capsys):
    assert cli.main(["bench", "--profile", "cifar:2", "--seconds", "0"]) == 0
    first, _, title, head, *lines = capsys.readouterr().out.splitlines()
    peak = float(re.search(r"threads: 1, float32 peak: (\d+) GFLOP/s", first)[1])
    assert title == "cifar:2, a training step, mean of 1"
    assert re.split(r"\s{2,}", head) == ["stage", "ms", "GFLOP/s", "GB/s", "% of peak"]
    rows = {}
    for line in lines:
        name, *numbers = re.split(r"\s{2,}", line)
        rows[re.sub(r"_?\d+ ", " ", name)] = numbers
    assert {"conv2d conv2d backward", "update"} <= rows.keys()
    milliseconds, gflops, _, percent = map(float, rows["conv2d conv2d forward"])
    assert 0 < milliseconds < float(rows["all stages"][0])
    assert percent == pytest.approx(100 * gflops / peak, rel=0.02, abs=0.1)
    assert rows["update"][1] == "-"


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"pronghorn {pronghorn.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: command"),
        (["train"], "invalid choice: 'train'"),
        (["demo", "--epochs", "0"], "positive integer, got '0'"),
        (["demo", "--batch-size", "many"], "positive integer, got 'many'"),
        (["bench"], "required: NET:BATCH"),
        (["bench", "lenet5"], "expected NETWORK:BATCH with one of lenet5.*'lenet5'"),
        (["bench", "lenet5:0"], "expected NETWORK:BATCH.*'lenet5:0'"),
        (["bench", "lenet5:1", "--seconds", "-1"], "seconds from 0 to 3600, got '-1'"),
        (["demo", "--nothing"], "unrecognized arguments: --nothing"),
        (["demo", "--seed", "-1"], "from 0 to"),
        (["demo", "--data", "/no/where"], "no folder '/no/where'"),
        (["demo", "--output", "/no/where/x.png"], "no folder '/no/where'"),
        (["demo", "--output", "picture.doc"], "picture.doc.*suffix of .*png"),
        (["demo", "--weights", "net.h5"], r"ending in \.weights\.h5"),
    ],
)
def test_errors(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    check_error(capsys, arguments, message)
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_of_data(capsys, tmp_path):
    check_error(capsys, ["demo", "--data", str(tmp_path)], "none of the files train-")


def test_a_truncated_data_file(capsys, tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, 0]))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0]))
    check_error(
        capsys,
        ["demo", "--data", str(tmp_path)],
        "train-images-idx3-ubyte' is truncated",
    )


def test_a_missing_package(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    check_error(capsys, ["demo"], r"'h5py'.*pip install \"pronghorn\[demo\]\"")


def test_interruption(capsys, monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupt)
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "pronghorn: interrupted\n"


def test_a_wrong_instruction_set_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PRONGHORN_ISA", "avx1024")
    script = tmp_path / "pronghorn"  # what pip installs
    script.write_text("import sys, pronghorn.cli\nsys.exit(pronghorn.cli.main())\n")
    package = str(Path(pronghorn.__file__).parents[1])
    for command in (["-m", "pronghorn"], [script]):
        done = subprocess.run(
            [sys.executable, *command, "info"],
            env=os.environ | {"PYTHONPATH": package},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert re.fullmatch(
            r"pronghorn: error: .*PRONGHORN_ISA: expected .*, got 'avx1024'\n",
            done.stderr,
        )
