# SPDX-License-Identifier: GPL-3.0-or-later
"""ListSSHPublicKeys, ListSigningCertificates and ListServiceSpecificCredentials of an IAM user.

IAM API Reference: each answers with an empty list if the user has none, and NoSuchEntity if there is no such
user. The emulator knows none of the three, so `amazon.aws.iam_user` cannot remove a user, which must be
stripped of all credentials first. Nothing uploads such credentials here, so the lists are always empty.
"""

from ministack.services import iam

from ..sides import Side

LISTS = {
    "ListSSHPublicKeys": "SSHPublicKeys",
    "ListSigningCertificates": "Certificates",
    "ListServiceSpecificCredentials": "ServiceSpecificCredentials",
}


def install(_side: Side) -> None:
    for action, member in LISTS.items():
        iam._IAM_HANDLERS.setdefault(action, _empty_list(iam, action, member))


def _empty_list(iam, action: str, member: str):
    def answer(parameters):
        name = iam._p(parameters, "UserName")
        if name and name not in iam._users:
            return iam._error(404, "NoSuchEntity", f"The user with name {name} cannot be found.", ns="iam")
        inner = f"<{action}Result><{member}/><IsTruncated>false</IsTruncated></{action}Result>"
        return iam._xml(200, f"{action}Response", inner, ns="iam")

    return answer
