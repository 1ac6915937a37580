# SPDX-License-Identifier: GPL-3.0-or-later
"""The root disk of an instance is as RunInstances asks for it, in the instance's zone, and goes with it."""

from ministack.services import ec2

from .queries import given, truth


def as_launched(instance: dict, params: dict) -> None:
    for mapping in instance["BlockDeviceMappings"]:
        volume = ec2._volumes[mapping["Ebs"]["VolumeId"]]
        volume["AvailabilityZone"] = instance["Placement"]["AvailabilityZone"]
        prefix = _asked(params, mapping["DeviceName"])
        if prefix:
            volume.update(
                {
                    "Size": int(given(params, f"{prefix}VolumeSize") or volume["Size"]),
                    "VolumeType": given(params, f"{prefix}VolumeType") or volume["VolumeType"],
                    "Encrypted": truth(params, f"{prefix}Encrypted", volume["Encrypted"]),
                }
            )
            kept = not truth(params, f"{prefix}DeleteOnTermination", True)
            mapping["Ebs"]["DeleteOnTermination"] = not kept


def release(instance: dict) -> None:
    for mapping in instance["BlockDeviceMappings"]:
        if mapping["Ebs"].get("DeleteOnTermination", True):
            ec2._volumes.pop(mapping["Ebs"]["VolumeId"], None)


def _asked(params: dict, device: str) -> str | None:
    number = 1
    while name := given(params, f"BlockDeviceMapping.{number}.DeviceName"):
        if name == device:
            return f"BlockDeviceMapping.{number}.Ebs."
        number += 1
    return None
