# SPDX-License-Identifier: GPL-3.0-or-later
"""The condition key `iam:AWSServiceName` carries the service of a CreateServiceLinkedRole request.

IAM User Guide, "Create a service-linked role": a policy limits by this key for which services such a role may be made. The
emulator does not fill the key, so that a policy with the condition refuses every request.
"""

from urllib.parse import parse_qs

from ministack.core import iam_actions

from ..sides import Side


def install(_side: Side) -> None:
    emulator_context = iam_actions.request_tag_context

    def request_context(service, iam_action, body, params):
        context = emulator_context(service, iam_action, body, params)
        if iam_action == "iam:CreateServiceLinkedRole":
            form = parse_qs(body.decode("utf-8", errors="replace"))
            context = {**context, "iam:AWSServiceName": form.get("AWSServiceName", [""])[0]}
        return context

    iam_actions.request_tag_context = request_context
