# SPDX-License-Identifier: GPL-3.0-or-later
"""The condition key `cloudwatch:namespace` carries the namespace of a PutMetricData request.

Amazon CloudWatch User Guide, "Using condition keys to limit access to CloudWatch namespaces": PutMetricData
takes no resource in a policy, so this key is the only way to limit a role to its own metrics. The emulator
does not fill the key, so that a policy with the condition refuses every request.
"""

import json
from urllib.parse import parse_qs

from ministack.core import iam_actions

from ..sides import Side


def install(_side: Side) -> None:
    emulator_context = iam_actions.request_tag_context

    def request_context(service, iam_action, body, params):
        context = emulator_context(service, iam_action, body, params)
        if iam_action == "cloudwatch:PutMetricData":
            context = {**context, "cloudwatch:namespace": _namespace(body)}
        return context

    iam_actions.request_tag_context = request_context


def _namespace(body: bytes) -> str:
    """The namespace of a JSON or a form request; the emulator reads the third protocol (CBOR) with an extra only."""
    if body[:1] == b"{":
        return json.loads(body).get("Namespace", "")
    return parse_qs(body.decode("utf-8", errors="replace")).get("Namespace", [""])[0]
