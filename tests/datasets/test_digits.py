# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's digits: shapes, range, a split that never changes."""

import sys

import numpy as np
import pytest

from pronghorn.datasets import digits


def test_digits_are_split_without_loss():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1437, 8, 8)
    assert x_test.shape == (360, 8, 8)
    assert x_train.dtype == y_train.dtype == np.uint8
    assert (x_train.min(), x_train.max()) == (0, 16)
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    original = sklearn_datasets.load_digits()
    both = np.concatenate([x_train, x_test]).reshape(1797, 64)
    labelled = np.column_stack([both, np.concatenate([y_train, y_test])])
    expected = np.column_stack([original.data.astype(np.uint8), original.target])
    assert sorted(map(tuple, labelled)) == sorted(map(tuple, expected))
    assert np.bincount(y_test).min() >= 25


def test_digits_are_always_split_alike():
    np.random.seed(5)  # noqa: NPY002
    first = digits.load_data()
    np.random.seed(6)  # noqa: NPY002
    second = digits.load_data()
    np.testing.assert_array_equal(first[1][0], second[1][0])


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install \"pronghorn\[demo\]\""):
        digits.load_data()
