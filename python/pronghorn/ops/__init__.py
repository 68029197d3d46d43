# SPDX-License-Identifier: Apache-2.0
"""Functions of tensors with Keras's names: a subset of `keras.ops`.

They work on symbolic tensors (in the functional API), on the tensors of a custom
layer's `call` or of a loss while it is recorded, on variables, and on arrays.
"""

from pronghorn.ops.creation import *  # noqa: F403
from pronghorn.ops.elementwise import *  # noqa: F403
