# SPDX-License-Identifier: Apache-2.0
"""`model.summary()` against tables recorded from Keras 3.15.

tests/parity/test_summary.py compares with Keras itself, wherever it is installed.
"""

import numpy as np
import pytest

import pronghorn
from pronghorn import layers

SEQUENTIAL = """\
Model: "seqm"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ c (Conv2D)                      │ (None, 6, 6, 4)        │           112 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ r (ReLU)                        │ (None, 6, 6, 4)        │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ f (Flatten)                     │ (None, 144)            │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ d (Dense)                       │ (None, 3)              │           435 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
"""
TOTALS = """\
 Total params: 547 (2.14 KB)
 Trainable params: 547 (2.14 KB)
 Non-trainable params: 0 (0.00 B)
"""
TRAINED_TOTALS = """\
 Total params: 1,643 (6.42 KB)
 Trainable params: 547 (2.14 KB)
 Non-trainable params: 0 (0.00 B)
 Optimizer params: 1,096 (4.28 KB)
"""
NARROW_HEAD = """\
Model: "seqm"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┓
┃ Layer (type)             ┃ Output Shape      ┃   Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━┩
│ c (Conv2D)               │ (None, 6, 6, 4)   │       112 │
"""
UNBUILT = """\
Model: "later"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ c (Conv2D)                      │ ?                      │   0 (unbuilt) │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ d (Dense)                       │ ?                      │   0 (unbuilt) │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)
"""
LENET_TOTALS = """\
 Total params: 81,194 (317.16 KB)
 Trainable params: 81,194 (317.16 KB)
 Non-trainable params: 0 (0.00 B)
"""


@pytest.fixture(autouse=True)
def _terminal_of_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def make_model():
    return pronghorn.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="c"),
            layers.ReLU(name="r"),
            layers.Flatten(name="f"),
            layers.Dense(3, activation="softmax", name="d"),
        ],
        name="seqm",
    )


def summary(model, **arguments):
    texts = []
    model.summary(print_fn=texts.append, **arguments)
    assert len(texts) == 1
    return texts[0]


def test_sequential():
    assert summary(make_model()) == SEQUENTIAL + TOTALS


def test_stdout_by_default(capsys):
    make_model().summary()
    assert capsys.readouterr().out == SEQUENTIAL + TOTALS


def test_after_fit_the_optimizer_is_counted():
    model = make_model()
    model.compile("adam", "sparse_categorical_crossentropy")
    assert summary(model) == SEQUENTIAL + TOTALS
    model.fit(np.zeros((8, 8, 8, 3)), np.zeros(8), batch_size=4, verbose=0)
    assert summary(model) == SEQUENTIAL + TRAINED_TOTALS


def test_line_length():
    text = summary(make_model(), line_length=60)
    assert text.startswith(NARROW_HEAD)
    assert {len(line) for line in text.splitlines()[1:-3]} == {60}


def test_a_line_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="line of 10 characters is too short"):
        summary(make_model(), line_length=10)


def test_positions_must_fit_the_columns():
    with pytest.raises(ValueError, match=r"expected 3 numbers, got \[0.5, 1.0\]"):
        summary(make_model(), positions=[0.5, 1.0])


def test_unbuilt():
    model = pronghorn.Sequential(
        [layers.Conv2D(4, 3, name="c"), layers.Dense(2, name="d")], name="later"
    )
    assert summary(model) == UNBUILT


def test_lenet_of_the_slides():
    model = pronghorn.Sequential()
    model.add(layers.Conv2D(6, 3, activation="relu", input_shape=(32, 32, 1)))
    model.add(layers.AveragePooling2D())
    model.add(layers.Conv2D(16, 3, activation="relu"))
    model.add(layers.AveragePooling2D())
    model.add(layers.Flatten())
    for units in (120, 84, 10):
        model.add(layers.Dense(units))
    text = summary(model)
    cells = [line.split("│")[3].strip() for line in text.splitlines() if "│" in line]
    counts = [cell for cell in cells if cell]  # long names take two lines
    assert counts == ["60", "0", "880", "0", "0", "69,240", "10,164", "850"]
    assert text.endswith(LENET_TOTALS)


def test_layer_range():
    text = summary(make_model(), layer_range=("r", "f"))
    assert [line[2:6] for line in text.splitlines() if line[0] == "│"] == [
        "r (R",
        "f (F",
    ]
    assert summary(make_model(), layer_range=["f", "r"]) == text
    for wrong in (["nothing", "r"], ["r"], [1, 2]):
        with pytest.raises(ValueError, match="layer_range"):
            summary(make_model(), layer_range=wrong)


def test_show_trainable():
    model = make_model()
    model.layers[0].trainable = False
    rows = summary(model, show_trainable=True).splitlines()
    marks = [row.split("│")[4].strip() for row in rows if row[0] == "│"]
    assert marks == ["N", "-", "-", "Y"]
    assert rows[-1] == " Non-trainable params: 112 (448.00 B)"


def test_long_names_are_wrapped_and_shortened():
    model = pronghorn.Sequential(
        [layers.Input((4,)), layers.Dense(2, name="x" * 40)], name="m"
    )
    rows = [line for line in summary(model).splitlines() if line[0] == "│"]
    assert rows[0].split("│")[1] == f" {'x' * 30}… "
    assert rows[1].split("│")[1].rstrip() == " (Dense)"


def test_nested_model():
    inner = pronghorn.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3, name="c")], name="inner"
    )
    model = pronghorn.Sequential(
        [layers.Input((8, 8, 3)), inner, layers.Flatten(name="f")], name="outer"
    )
    rows = [line[:60] for line in summary(model).splitlines() if line[0] == "│"]
    assert rows == [
        "│ inner (Sequential)              │ (None, 6, 6, 4)        │",
        "│ f (Flatten)                     │ (None, 144)            │",
    ]
    expanded = summary(model, expand_nested=True)
    assert "│    └ c (Conv2D)                 │ (None, 6, 6, 4) " in expanded


def branched():
    image = pronghorn.Input((8, 8, 3), name="img")
    left = layers.Conv2D(4, 3, name="a_long_name_for_the_layer_on_the_left")(image)
    right = layers.Conv2D(4, 3, name="r")(image)
    shared = layers.Dense(5, name="shared")
    outputs = [
        shared(layers.Flatten(name="fl")(left)),
        shared(layers.Flatten(name="fr")(right)),
    ]
    return pronghorn.Model(image, outputs, name="fork")


BRANCHED = """\
Model: "fork"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to      ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━┩
│ img (InputLayer)    │ (None, 8, 8, 3)   │          0 │ -                 │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ a_long_name_for_th… │ (None, 6, 6, 4)   │        112 │ img[0][0]         │
│ (Conv2D)            │                   │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ r (Conv2D)          │ (None, 6, 6, 4)   │        112 │ img[0][0]         │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ fl (Flatten)        │ (None, 144)       │          0 │ a_long_name_for_… │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ fr (Flatten)        │ (None, 144)       │          0 │ r[0][0]           │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ shared (Dense)      │ (None, 5)         │        725 │ fl[0][0],         │
│                     │                   │            │ fr[0][0]          │
└─────────────────────┴───────────────────┴────────────┴───────────────────┘
 Total params: 949 (3.71 KB)
 Trainable params: 949 (3.71 KB)
 Non-trainable params: 0 (0.00 B)
"""


def test_branches_show_what_they_are_connected_to():
    assert summary(branched()) == BRANCHED


def test_a_functional_chain_needs_no_connections():
    image = pronghorn.Input((4,), name="in")
    model = pronghorn.Model(image, layers.Dense(2, name="d")(image), name="chain")
    text = summary(model)
    assert "Connected to" not in text
    assert "│ in (InputLayer)                 │ (None, 4)              │" in text


@pytest.mark.parametrize("line_length", [None, 78, 90, 130])
@pytest.mark.parametrize("branched_model", [False, True])
def test_columns_that_keras_lacks_cut_no_title(line_length, branched_model):
    image = pronghorn.Input((40, 40, 3))
    x = layers.Conv2D(64, 3)(image)
    model = branched() if branched_model else pronghorn.Model(image, x)
    shown = {"show_trainable": True, "show_macs": True, "show_receptive_field": True}
    lines = []
    model.summary(line_length, print_fn=lines.append, **shown)
    table = [line for line in lines[0].splitlines() if line[0] in "┏┃┡│├└"]
    assert {len(line) for line in table} == {line_length or len(table[0])}
    titles = " ".join(line for line in table if line[0] == "┃")
    assert all(f"{one} ┃" in titles for one in ("Trainable", "MACs", "Field"))
    rows = [line for line in table if line[0] == "│"]
    assert any(" Y " in line for line in rows)
    assert not any("…" in cell for line in rows for cell in line.split("│")[-4:])
