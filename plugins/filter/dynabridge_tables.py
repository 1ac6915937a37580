# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over the inventory's list of tables: what one side owns, what is replicated, where it goes."""

KEY_TYPES = {"S": "STRING", "N": "NUMBER", "B": "BINARY"}
COUNTER_KEY = {"hash": {"name": "PK", "type": "S"}}
DEFAULTS = {
    "replicate": True,
    "indexes": [],
    "billing_mode": "PAY_PER_REQUEST",
    "point_in_time_recovery": False,
    "deletion_protection": False,
    "ttl_attribute": "",
    "stamping": "application",
    "backup": False,
    "capture": False,
}
# module_utils/dynabridge/tombstones.py writes it.
TOMBSTONES_EXPIRE_BY = "expires"


def own_tables(tables, side, counters=(), tombstones=""):
    """The side's tables under their own names, every default filled in; counters and tombstones stay home."""
    own = [{**DEFAULTS, **table, "name": table["names"][side]} for table in tables]
    home = {**DEFAULTS, "key_schema": COUNTER_KEY, "replicate": False}
    own += [{**home, "name": name} for name in counters]
    if tombstones:
        own.append({**home, "name": tombstones, "ttl_attribute": TOMBSTONES_EXPIRE_BY})
    return [{**table, **_recovery(table), **_keys(table["key_schema"])} for table in own]


def _recovery(table):
    """A table that is backed up has point-in-time recovery: DynamoDB exports nothing without."""
    return {"point_in_time_recovery": table["point_in_time_recovery"] or table["backup"]}


def _keys(schema):
    """The key schema in the words of community.aws.dynamodb_table; None = no range key."""
    hash_key, range_key = schema["hash"], schema.get("range") or {}
    return {
        "hash_key_name": hash_key["name"],
        "hash_key_type": KEY_TYPES[hash_key["type"]],
        "range_key_name": range_key.get("name"),
        "range_key_type": KEY_TYPES.get(range_key.get("type")),
    }


def replicated_names(tables, side):
    """Names, on this side, of the tables that are replicated."""
    return [table["names"][side] for table in tables if table.get("replicate", DEFAULTS["replicate"])]


def managed_names(tables, side):
    """Names, on this side, of the replicated tables whose writers know nothing of stamps."""
    return replicated_names([table for table in tables if table.get("stamping") == "managed"], side)


def target_table(tables, side, peer):
    """TARGET_TABLE of the sender: the peer's table alone, or local=peer's for each when there are several."""
    pairs = list(zip(replicated_names(tables, side), replicated_names(tables, peer), strict=True))
    if len(pairs) == 1:
        return pairs[0][1]
    return ",".join(f"{mine}={theirs}" for mine, theirs in pairs)


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_own_tables": own_tables,
            "dynabridge_replicated_names": replicated_names,
            "dynabridge_managed_names": managed_names,
            "dynabridge_target_table": target_table,
        }
