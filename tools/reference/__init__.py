# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference below docs/reference, written from what playbooks, roles and modules say of themselves."""
