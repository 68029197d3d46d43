# SPDX-License-Identifier: Apache-2.0
"""Random models, losses, optimizers and data that Keras and pronghorn must agree on.

families/ draws layers, objectives.py what they are trained for, configuration.py puts
a model together, comparison.py runs it in both libraries. A new layer is a new function
in families/; a new loss or optimizer a line in objectives.py.
"""
