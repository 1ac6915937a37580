# SPDX-License-Identifier: MIT
"""botocore's errors by one import.

Where botocore is missing they are there in name only: a module is imported all the same, and AnsibleAWSModule says what is
missing before anything else happens.
"""

from __future__ import annotations

try:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection
except ImportError:
    BotoCoreError, ClientError, HTTPClientError, NoConnection = (
        type(name, (Exception,), {}) for name in ("BotoCoreError", "ClientError", "HTTPClientError", "NoConnection")
    )

__all__ = ["BotoCoreError", "ClientError", "HTTPClientError", "NoConnection"]
