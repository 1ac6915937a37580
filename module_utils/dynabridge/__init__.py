# SPDX-License-Identifier: MIT
"""The logic of dynabridge: pure functions over values, Python's standard library only.

The same files are imported by the modules in ``library/``, zipped into the Lambdas of ``files/lambda/`` and used by the
tests. Only the sub-package ``aws`` talks to AWS, through clients that are handed to it.
"""
