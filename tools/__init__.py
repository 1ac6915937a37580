# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools of who works on dynabridge. Nothing here is needed to run it."""
