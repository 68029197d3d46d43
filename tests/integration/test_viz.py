# SPDX-License-Identifier: Apache-2.0
"""Pictures: what is drawn where, without pyplot and without windows."""

import sys

import numpy as np
import pytest

import pronghorn
from pronghorn import layers, viz

pytest.importorskip("matplotlib")


def titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def test_learning_curve():
    history = {
        "accuracy": [0.5, 0.9],
        "loss": [2.0, 1.0],
        "val_loss": [2.5, 1.5],
        "learning_rate": [0.1, 0.01],
    }
    figure = viz.draw_history(history)
    assert titles(figure) == ["loss", "accuracy"]
    loss, accuracy = figure.axes
    assert [list(line.get_ydata()) for line in loss.lines] == [[2.0, 1.0], [2.5, 1.5]]
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    assert [list(line.get_xdata()) for line in accuracy.lines] == [[1, 2]]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_filters(channels):
    model = pronghorn.Sequential(
        [layers.Input((8, 8, channels)), layers.Conv2D(7, 3), layers.Flatten()]
    )
    figure = viz.draw_filters(model.layers[0], columns=3)
    pictures = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert len(figure.axes) == 9
    assert len(pictures) == 7
    assert pictures[0].shape == ((3, 3, 3) if channels == 3 else (3, 3))
    with pytest.raises(ValueError, match="expected a kernel of 4 axes"):
        viz.draw_filters(model.layers[1])


def test_predictions():
    images = np.random.default_rng(0).random((5, 4, 4, 1))
    figure = viz.draw_predictions(images, [1, 2, 3, 4, 5], [1, 2, 0, 4, 5], columns=2)
    assert titles(figure) == ["1", "2", "3, is 0", "4", "5"]
    with pytest.raises(ValueError, match="got 5, 4 and 5"):
        viz.draw_predictions(images, [1, 2, 3, 4], [1, 2, 3, 4, 5])


def test_saving(tmp_path):
    figure = viz.draw_history({"loss": [1.0]})
    viz.save_figure(figure, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"'.*curve\.txt': expected a suffix of"):
        viz.save_figure(figure, tmp_path / "curve.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]


def test_pyplot_is_left_alone():
    sys.modules.pop("matplotlib.pyplot", None)
    viz.draw_history({"loss": [1.0]})
    assert "matplotlib.pyplot" not in sys.modules
