# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin: run the module of the same name and show its lines of progress, as replication_progress does."""

from __future__ import annotations

from ansible.plugins.loader import action_loader

ActionModule = action_loader.get("replication_progress", class_only=True)
