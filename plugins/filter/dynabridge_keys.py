# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the peer holds a key pair that opens this side."""

STORED_TYPES = ("String", "SecureString")


def key_is_held(parameters, access_keys):
    """parameters: AccessKey and SecretKey as ssm_parameter_info tells of them; access_keys: the user's own."""
    if tuple(parameter["type"] for parameter in parameters) != STORED_TYPES:
        return False
    active = [key["access_key_id"] for key in access_keys if key["status"] == "Active"]
    return parameters[0]["value"] in active


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"dynabridge_key_is_held": key_is_held}
