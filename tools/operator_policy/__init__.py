# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's IAM policies below docs/operator-policy, made of what the playbooks were seen to call on the local AWS.

``record`` plays every verb and writes calls.json; ``write`` makes the policies of it; ``fill`` puts a side's values in.
"""
