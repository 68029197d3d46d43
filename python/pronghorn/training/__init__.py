# SPDX-License-Identifier: Apache-2.0
"""compile, fit, evaluate and predict: users' data and the core's plans."""
