# SPDX-License-Identifier: GPL-3.0-or-later
"""ExportTableToPointInTime, DescribeExport and ListExports as DynamoDB does them, with what they rest on.

AWS behaviour this patch stands for (Amazon DynamoDB Developer Guide, "DynamoDB data export to Amazon S3", and
observations of the real service):
- the table needs point-in-time recovery; an export shows the table as it was at a moment within its window,
  an incremental export the net changes of a window (start inclusive, end exclusive);
- the request is answered IN_PROGRESS; what is wrong with the bucket, its owner, the caller's rights on it or
  the KMS key comes out later, as FAILED with FailureCode and FailureMessage;
- layout, manifests, checksums and line formats of the objects in S3;
- a repeated ClientToken, the times a request may name, what IAM is asked.

`continuous_backups` keeps the log of changes, `requests` checks a request, `contents` makes the objects
(pure), `jobs` writes them, `operations` answers the API calls, `access` asks IAM.

The emulator's own export writes nothing, and it takes any table and any bucket.
"""


def install(side) -> None:
    # Not before: the emulator is to be imported under the partition's patch, and not by tests of pure parts.
    from ministack.services import dynamodb

    from . import access, continuous_backups, operations

    continuous_backups.install()
    access.install()
    handlers = operations.Operations(side)
    dynamodb._export_table_to_point_in_time = handlers.export_table_to_point_in_time
    dynamodb._describe_export = handlers.describe_export
    dynamodb._list_exports = handlers.list_exports


def reset() -> None:
    from . import continuous_backups, jobs

    jobs.cancel_all()
    continuous_backups.forget()
