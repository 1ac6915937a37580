# SPDX-License-Identifier: GPL-3.0-or-later
"""The one kind of error the launcher reports to its user."""


class LauncherError(Exception):
    """One sentence that names what is wrong and what to do about it."""
