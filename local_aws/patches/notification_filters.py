# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 answers a notification's filter rules as `Prefix` and `Suffix`, however they were sent.

Amazon S3 API Reference, GetBucketNotificationConfiguration (example response) and FilterRule: names are taken
in any case. The emulator answers in lower case, and a module that compares finds a change at every run.
"""

from ministack.services import s3

from ..sides import Side


def install(_side: Side) -> None:
    emulator_xml = s3._notification_configs_to_xml

    def notification_xml(configs, has_eventbridge):
        text = emulator_xml(configs, has_eventbridge)
        for name in ("prefix", "suffix"):
            text = text.replace(f"<Name>{name}</Name>", f"<Name>{name.capitalize()}</Name>")
        return text

    s3._notification_configs_to_xml = notification_xml
