# SPDX-License-Identifier: GPL-3.0-or-later
"""How long S3 takes to bring an archived object back: LOCAL_AWS_RETRIEVAL_SECONDS (default 2; AWS: minutes to two days).

Amazon S3 User Guide, "Archive retrieval options": GLACIER knows Expedited, Standard and Bulk, DEEP_ARCHIVE no Expedited.
The emulator does the rest as S3 does: InvalidObjectState for a read, the header x-amz-restore, a copy that expires.
"""

import os
import re

from ..sides import Side


def install(_side: Side) -> None:
    from ministack.services import s3

    s3._RESTORE_DELAY_SECONDS = float(os.environ.get("LOCAL_AWS_RETRIEVAL_SECONDS", "2.0"))
    emulator_restore = s3._restore_object

    def restore_object(bucket_name: str, key: str, body: bytes):
        found = ((s3._ensure_bucket(bucket_name) or {}).get("objects") or {}).get(key) or {}
        if found.get("storage_class") == "DEEP_ARCHIVE" and re.search(rb"<Tier>Expedited</Tier>", body or b""):
            message = "Retrieval option is not supported by this storage class"
            return s3._error("InvalidArgument", message, 400, f"/{bucket_name}/{key}")
        return emulator_restore(bucket_name, key, body)

    s3._restore_object = restore_object
