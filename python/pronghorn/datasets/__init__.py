# SPDX-License-Identifier: Apache-2.0
"""Datasets that need no download: digits from scikit-learn, MNIST from your files."""

from pronghorn.datasets import digits, mnist

__all__ = ["digits", "mnist"]
