# SPDX-License-Identifier: Apache-2.0
"""Progbar: Keras's output on a terminal, one plain line elsewhere."""

import io
import sys

import pytest

from pronghorn.callbacks import ProgbarLogger
from pronghorn.utils import Progbar
from pronghorn.utils import progbar as progbar_module

BAR = "━" * 20


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progbar_module, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch, capsys):
    monkeypatch.setattr(progbar_module, "_is_terminal", lambda: True)
    return capsys


def test_terminal_output_is_keras_output(clock, terminal):
    # Recorded from keras.utils.Progbar 3.15 with the same clock.
    bar = Progbar(6, stateless_metrics=())
    clock.now += 0.5
    bar.update(1, [("loss", 2.5)], finalize=False)
    clock.now += 0.25
    bar.update(4, [("loss", 2.25)], finalize=False)
    clock.now += 0.75
    bar.update(6, [("accuracy", 0.0005), ("loss", 2.0)], finalize=True)
    first = (
        "\r\x1b[1m1/6\x1b[0m \x1b[32m━━━\x1b[0m\x1b[37m━━━━━━━━━━━━━━━━━\x1b[0m "
        "\x1b[1m2s\x1b[0m 500ms/step - loss: 2.5000"
    )
    second = (
        "\x1b[1m4/6\x1b[0m \x1b[32m━━━━━━━━━━━━━\x1b[0m\x1b[37m━━━━━━━\x1b[0m "
        "\x1b[1m0s\x1b[0m 83ms/step - loss: 2.2500"
    )
    third = (
        f"\x1b[1m6/6\x1b[0m \x1b[32m{BAR}\x1b[0m\x1b[37m\x1b[0m "
        "\x1b[1m2s\x1b[0m 200ms/step - loss: 2.0000 - accuracy: 5.0000e-04\n"
    )
    first_width = len(f"1/6 {BAR} 2s 500ms/step - loss: 2.5000")
    second_width = len(f"4/6 {BAR} 0s 83ms/step - loss: 2.2500")
    assert terminal.readouterr().out == (
        first
        + "\b" * first_width
        + "\r"
        + second
        + " " * (first_width - second_width)
        + "\b" * second_width
        + "\r"
        + third
    )


def test_a_terminal_is_recognised(clock, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    Progbar(2).update(1)
    assert terminal.getvalue().startswith("\r\x1b[1m1/2")


def test_redraws_wait_for_the_interval(clock, terminal):
    bar = Progbar(100)
    for step in range(1, 100):
        clock.now += 0.001
        bar.update(step)
    assert terminal.readouterr().out.count("\r") == 2  # at once, and after 0.05 s


def test_log_file_gets_one_plain_line_per_epoch(clock, capsys):
    bar = Progbar(6, stateless_metrics=())
    for step in range(1, 6):
        clock.now += 1
        bar.update(step, [("loss", 1.0)])
    clock.now += 1
    bar.update(6, [("loss", 0.5)])
    assert capsys.readouterr().out == f"6/6 {BAR} 6s 1s/step - loss: 0.5000\n"


def test_unknown_target(clock, terminal):
    bar = Progbar(None)
    clock.now += 1
    bar.update(7)
    assert terminal.readouterr().out == "\r      7/Unknown \x1b[1m1s\x1b[0m 143ms/step"


def test_verbose_2_line(clock, capsys):
    bar = Progbar(8, verbose=2, stateless_metrics=())
    clock.now += 0.024
    bar.update(8, [("accuracy", 0.168), ("loss", 2.29761)])
    assert capsys.readouterr().out == (
        "8/8 - 0s - 3ms/step - accuracy: 0.1680 - loss: 2.2976\n"
    )


def test_verbose_0_is_silent(capsys):
    bar = Progbar(2, verbose=0)
    bar.add(1)
    bar.add(1)
    assert capsys.readouterr().out == ""


def test_stateless_metrics_are_averaged_over_steps(clock, terminal):
    bar = Progbar(10, interval=0)
    bar.update(2, [("loss", 4.0)])
    bar.update(4, [("loss", 2.0)])
    assert "loss: 3.0000" in terminal.readouterr().out


@pytest.mark.parametrize(
    ("seconds_per_step", "eta", "step"),
    [
        (0.0004, "0s", "400us/step"),
        (0.25, "2s", "250ms/step"),
        (10.0, "1:30", "10s/step"),
        (1000.0, "2:30:00", "1000s/step"),
    ],
)
def test_times(clock, terminal, seconds_per_step, eta, step):
    bar = Progbar(10)
    clock.now += seconds_per_step
    bar.update(1)
    assert f"\x1b[1m{eta}\x1b[0m {step}" in terminal.readouterr().out


def test_terminal_without_unicode_gets_ascii(clock, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Progbar(1).update(1)
    assert raw.getvalue().decode() == "1/1 " + "=" * 20 + " 0s 0s/step\n"


def test_both_kinds_of_metrics_are_refused():
    with pytest.raises(ValueError, match="got both"):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])


def test_logger_shows_epochs_but_not_the_validation_inside_fit(clock, capsys):
    logger = ProgbarLogger()
    logger.set_params({"verbose": "auto", "epochs": 2, "steps": 3})
    logger.on_train_begin()
    for epoch in range(2):
        logger.on_epoch_begin(epoch)
        logger.on_train_batch_end(2, {"loss": 1.0})
        logger.on_test_begin()
        logger.on_test_batch_end(0, {"loss": 1.0})
        logger.on_test_end({"loss": 1.0})
        logger.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 3.0})
    assert capsys.readouterr().out == "".join(
        f"Epoch {n}/2\n3/3 {BAR} 0s 0us/step - loss: 1.0000 - val_loss: 3.0000\n"
        for n in (1, 2)
    ).replace("0us", "0s")


def test_logger_shows_evaluate_and_predict(clock, capsys):
    for kind, values in (("test", " - loss: 1.0000"), ("predict", "")):
        logger = ProgbarLogger()
        logger.set_params({"verbose": 1, "epochs": 1, "steps": 4})
        getattr(logger, f"on_{kind}_begin")()
        getattr(logger, f"on_{kind}_batch_end")(3, {"loss": 1.0})
        getattr(logger, f"on_{kind}_end")({"loss": 1.0})
        assert capsys.readouterr().out == f"4/4 {BAR} 0s 0s/step{values}\n"
