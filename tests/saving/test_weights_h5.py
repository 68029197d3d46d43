# SPDX-License-Identifier: Apache-2.0
"""`.weights.h5`: Keras's layout, exact round trips, nothing half loaded or saved."""

import warnings

import numpy as np
import pytest

import pronghorn
from pronghorn import layers

h5py = pytest.importorskip("h5py")


def make_model(filters=4, units=3, name="net"):
    return pronghorn.Sequential(
        [
            layers.Input((8, 7, 2)),
            layers.Conv2D(filters, 3, name="first"),
            layers.ReLU(),
            layers.Conv2D(5, 2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(units, name="last"),
        ],
        name=name,
    )


def train(model, steps=3):
    rng = np.random.default_rng(3)
    model.compile(optimizer="adam", loss="mean_squared_error")
    x = rng.normal(size=(4 * steps, 8, 7, 2)).astype(np.float32)
    y = rng.normal(size=(4 * steps, 3)).astype(np.float32)
    model.fit(x, y, batch_size=4, verbose=0)
    return model


def state(model):
    """Everything that loading may change, as bytes."""
    parts = [weight.value.tobytes() for weight in model.weights]
    optimizer = model.optimizer
    if optimizer is not None and optimizer.built:
        parts.append((int(optimizer.iterations), float(optimizer.learning_rate)))
        for weight in model.trainable_weights:
            parts += [slot.tobytes() for slot in optimizer.slot_arrays(weight)]
    return parts


def check_refused(model, path, match, **arguments):
    """Loading raises ValueError and leaves the model as it was, bit for bit."""
    before = state(model)
    with pytest.raises(ValueError, match=match):
        model.load_weights(path, **arguments)
    assert state(model) == before


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.weights.h5"


def test_layout_is_that_of_keras(path):
    model = train(make_model())
    model.save_weights(path)
    with h5py.File(path) as file:
        found = {}
        file.visititems(
            lambda name, item: found.update(
                {name: (item.shape, str(item.dtype))}
                if isinstance(item, h5py.Dataset)
                else {name: item.attrs.get("name")}
            )
        )
        assert not file.attrs
    shapes = [(3, 3, 2, 4), (4,), (2, 2, 4, 5), (5,), (100, 3), (3,)]
    f = "float32"
    expected = {
        "vars": "net",
        "layers": None,
        "layers/conv2d": None,
        "layers/conv2d/vars": "first",
        "layers/conv2d/vars/0": (shapes[0], f),
        "layers/conv2d/vars/1": (shapes[1], f),
        "layers/re_lu": None,
        "layers/re_lu/vars": model.layers[1].name,
        "layers/conv2d_1": None,
        "layers/conv2d_1/vars": model.layers[2].name,
        "layers/conv2d_1/vars/0": (shapes[2], f),
        "layers/conv2d_1/vars/1": (shapes[3], f),
        "layers/flatten": None,
        "layers/flatten/vars": model.layers[3].name,
        "layers/dropout": None,
        "layers/dropout/vars": model.layers[4].name,
        "layers/dense": None,
        "layers/dense/vars": "last",
        "layers/dense/vars/0": (shapes[4], f),
        "layers/dense/vars/1": (shapes[5], f),
        "optimizer": None,
        "optimizer/vars": model.optimizer.name,
        "optimizer/vars/0": ((), "int32"),
        "optimizer/vars/1": ((), f),
    }
    slots = [shape for shape in shapes for _ in range(2)]
    expected |= {f"optimizer/vars/{i}": (s, f) for i, s in enumerate(slots, 2)}
    assert found == expected


def test_round_trip_without_optimizer(path):
    first, second = make_model(), make_model(name="other")
    first.save_weights(str(path))
    second.load_weights(str(path))
    assert state(second) == state(first)


def test_round_trip_with_optimizer(path):
    first, second = train(make_model()), train(make_model(), steps=5)
    first.optimizer.learning_rate = 0.0123
    first.save_weights(path)
    second.load_weights(path)
    assert int(second.optimizer.iterations) == 3
    assert float(second.optimizer.learning_rate) == pytest.approx(0.0123)
    second.optimizer.learning_rate = first.optimizer.learning_rate
    assert state(second) == state(first)


def test_an_equal_learning_rate_keeps_its_digits(path):
    model = train(make_model())
    before = float(model.optimizer.learning_rate)
    model.save_weights(path)
    model.load_weights(path)
    assert float(model.optimizer.learning_rate) == before


def test_an_optimizer_without_state_is_skipped_with_a_warning(path):
    train(make_model()).save_weights(path)
    model = make_model()
    model.compile(optimizer="adam", loss="mean_squared_error")
    with pytest.warns(UserWarning, match="has 0 variables, .*the file has 14"):
        model.load_weights(path)


def test_nan_and_infinity_survive(path):
    first, second = make_model(), make_model()
    first.weights[0].assign(np.full((3, 3, 2, 4), np.nan, np.float32))
    first.weights[1].assign(np.array([np.inf, -np.inf, -0.0, 1e-45], np.float32))
    first.save_weights(path)
    second.load_weights(path)
    assert state(second) == state(first)


def test_overwrite(path):
    model = make_model()
    model.save_weights(path)
    content = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        make_model().save_weights(path, overwrite=False)
    assert path.read_bytes() == content
    make_model().save_weights(path)
    assert path.read_bytes() != content


@pytest.mark.parametrize("name", ["net.h5", "net.weights", "net.keras"])
def test_wrong_suffix(tmp_path, name):
    model = make_model()
    for method in (model.save_weights, model.load_weights):
        with pytest.raises(ValueError, match=r"must end in `\.weights\.h5`"):
            method(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_unbuilt_model(path):
    model = pronghorn.Sequential([layers.Dense(2)], name="empty")
    with pytest.raises(ValueError, match="'empty' has no weights yet"):
        model.save_weights(path)
    with pytest.raises(ValueError, match="'empty' has no weights yet"):
        model.load_weights(path)


def test_missing_file_and_folder(path):
    with pytest.raises(FileNotFoundError, match=r"net\.weights\.h5"):
        make_model().load_weights(path)
    path.mkdir()
    check_refused(make_model(), path, "is not a file")


def test_wrong_shape_names_the_layer(path):
    make_model(units=4).save_weights(path)
    check_refused(
        train(make_model()),
        path,
        r"Layer 'last' \(Dense\): variable '.*kernel': expected shape \(100, 3\), "
        r"got \(100, 4\).*Not loaded: last\.",
    )


def test_all_layers_that_do_not_fit_are_named(path):
    make_model(filters=6, units=4).save_weights(path)
    check_refused(make_model(), path, r"Layer 'first'.*Not loaded: first, .*, last\.")


def test_wrong_class(path):
    pronghorn.Sequential(
        [layers.Input((8, 7, 2)), layers.Flatten(), layers.Dense(3)]
    ).save_weights(path)
    check_refused(
        make_model(),
        path,
        r"Layer 'first' \(Conv2D\): expected 2 variables at 'layers/conv2d/vars', got "
        "no such group",
    )


def test_wrong_count(path):
    model = make_model()
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        file["layers/re_lu/vars/0"] = np.zeros(3, np.float32)
    check_refused(model, path, "expected 0 variables .* got 1 variables")


def test_layers_that_only_the_file_has_are_reported(path):
    make_model().save_weights(path)
    model = pronghorn.Sequential([layers.Input((8, 7, 2)), layers.Conv2D(4, 3)])
    with pytest.warns(
        UserWarning, match="no layers for: layers/conv2d_1, layers/dense"
    ):
        model.load_weights(path)


def test_skip_mismatch_loads_the_rest(path):
    source, model = make_model(units=4), make_model()
    source.save_weights(path)
    last = [weight.value.tobytes() for weight in model.weights[4:]]
    with pytest.warns(UserWarning, match=r"Not loaded: last\."):
        model.load_weights(path, skip_mismatch=True)
    assert state(model) == state(source)[:4] + last


def test_other_number_types_are_converted(path):
    model = make_model()
    model.save_weights(path)
    values = np.array([1.5, -2.0, 0.25, 3.0])
    bfloat16 = (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    for stored in (values, values.astype(np.float16), bfloat16.view("V2")):
        with h5py.File(path, "r+") as file:
            group = file["layers/conv2d/vars"]
            group.attrs.clear()  # the checksum is of other values
            del group["1"]
            group["1"] = stored
            if stored.dtype.kind == "V":
                group["1"].attrs["dtype"] = "bfloat16"
        model.weights[1].assign(np.zeros(4, np.float32))
        model.load_weights(path)
        np.testing.assert_array_equal(model.weights[1].value, values)


def test_compressed_datasets_are_read(path):
    model = make_model()
    model.save_weights(path)
    before = state(model)
    with h5py.File(path, "r+") as file:
        values = file["layers/dense/vars/0"][()]
        del file["layers/dense/vars/0"]
        file.create_dataset("layers/dense/vars/0", data=values, compression="gzip")
    model.weights[4].assign(np.zeros((100, 3), np.float32))
    model.load_weights(path)
    assert state(model) == before


def test_no_warning_in_the_normal_case(path):
    model = train(make_model())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.save_weights(path)
        model.load_weights(path)
