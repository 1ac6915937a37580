# SPDX-License-Identifier: GPL-3.0-or-later
"""From the ARN that a call was about to the pattern that allows it on any side, and back for one side."""

import re
from dataclasses import dataclass

# What stands for a side's own values. The names of streams, functions and so on are those of the inventory as it comes.
PLACEHOLDERS = ("partition", "region", "backup_region", "account", "side", "peer", "PEER", "table")
# One replicated table of the inventory as it comes: what is called so is any table of dynabridge_tables.
SAMPLE = "user-{}"
# What ends in a name that nobody knows beforehand, or has brothers that are treated alike.
WIDER = [
    (r"(:s3:::[^/]+)/.*", r"\1/*"),
    (r"(:table/[^/]+/(?:stream|export|import|index))/.*", r"\1/*"),
    (r"(:table/\$\{table\})-[^/]*", r"\1-*"),
    (r"(:event-source-mapping:).*", r"\1*"),
    (r"(:log-group:[^:*]+).*", r"\1*"),  # AWS asks for some actions with `:*` behind the name
    (r"(:alarm:dynabridge-\$\{side\}-).*", r"\1*"),
    (r"(:rule/dynabridge-).*", r"\1*"),
    (r"(:parameter/DDBReplication/Table\$\{PEER\}).*", r"\1*"),
    (r"(:sns:[^:]*:[^:]*:[^:]+):.*", r"\1:*"),
]


@dataclass(frozen=True)
class Place:
    """A side, and what stands for it in its ARNs."""

    side: str
    peer: str
    partition: str
    region: str
    backup_region: str
    account: str
    tables: tuple[str, ...]

    def values(self) -> dict[str, str]:
        names = ("partition", "region", "backup_region", "account", "side", "peer")
        return {name: getattr(self, name) for name in names} | {"PEER": self.peer.upper()}


def pattern_of(arn: str, place: Place) -> str:
    """The ARN of a call that was seen at the place, as it would be at any."""
    if not arn.startswith("arn:"):
        return "*"
    _, _, service, region, account, resource = arn.split(":", 5)
    regions = {place.region: "${region}", place.backup_region: "${backup_region}"}
    resource = _named(resource, place)
    whole = ":".join(["arn", "${partition}", service, regions.get(region, region), account and "${account}", resource])
    if service == "ec2":
        return "*"  # ids are AWS's, and much is described without any
    for found, wider in WIDER:
        whole = re.sub(found, wider, whole)
    return whole


def _named(resource: str, place: Place) -> str:
    resource = resource.replace(place.account, "${account}")
    for table in place.tables:
        resource = resource.replace(table, "${table}")
    resource = resource.replace(f"Table{place.peer.upper()}", "Table${PEER}")
    for name, placeholder in ((place.side, "${side}"), (place.peer, "${peer}")):
        resource = re.sub(
            rf"(?:(?<=[-_])|(?<=stream|apture)|(?<=icator|backup)){name}(?=$|[-_/:])", placeholder, resource
        )
    return resource


def filled(pattern: str, place: Place) -> list[str]:
    """The pattern with the values of a place: several, where it is about each of its tables."""
    tables = place.tables if "${table}" in pattern else ("",)
    found = []
    for table in tables:
        text = pattern.replace("${table}", table)
        for name, value in place.values().items():
            text = text.replace(f"${{{name}}}", value)
        found.append(text)
    return found
