# SPDX-License-Identifier: Apache-2.0
"""What `pronghorn bench` measures, and how.

The repository's benchmarks/ finds these modules on its own path, in Pythons that have
no pronghorn: all but `command` import nothing but NumPy and each other, relatively.
"""
