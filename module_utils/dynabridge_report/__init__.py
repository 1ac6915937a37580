# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages and pictures of reports, on the machine that runs Ansible. Not part of the kit: no function carries it."""
