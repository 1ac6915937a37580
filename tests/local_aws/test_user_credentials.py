# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of a user's further credentials (IAM API Reference); `amazon.aws.iam_user` asks them to remove a user."""

import pytest

LISTS = {
    "list_ssh_public_keys": "SSHPublicKeys",
    "list_signing_certificates": "Certificates",
    "list_service_specific_credentials": "ServiceSpecificCredentials",
}


@pytest.mark.parametrize("operation", LISTS)
def test_a_user_without_such_credentials_has_an_empty_list(pair, unique, operation):
    # GIVEN a user, WHEN the list is asked THEN it is empty
    iam = pair.client("cn", "iam")
    iam.create_user(UserName=unique)
    assert getattr(iam, operation)(UserName=unique)[LISTS[operation]] == []


@pytest.mark.parametrize("operation", LISTS)
def test_a_user_who_does_not_exist_has_none(pair, unique, operation):
    # GIVEN no such user, WHEN the list is asked THEN the answer is NoSuchEntity
    iam = pair.client("cn", "iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        getattr(iam, operation)(UserName=unique)
