# SPDX-License-Identifier: MIT
"""Thin wrappers around boto3 clients that are handed in: one file for each thing that is talked to."""
