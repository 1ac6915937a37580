# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the inventory, as sentences: what, where, why, what to do. Asks nobody but botocore."""

import re
from pathlib import Path

import ansible.module_utils

try:
    from botocore.loaders import create_loader
    from botocore.regions import EndpointResolver
except ImportError:  # preflight stops at the versions before it asks for this
    EndpointResolver = None

# Ansible hands the kit to modules; a filter finds it where it lies.
KIT = str(Path(__file__).resolve().parents[2] / "module_utils")
if KIT not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(KIT)

from ansible.module_utils.dynabridge.errors import SettingsError  # noqa: E402  after the path
from ansible.module_utils.dynabridge.proxy_server import proxy_url  # noqa: E402

# Name rules of the services: https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
NAME_RULES = {
    "table": (r"[A-Za-z0-9_.-]{3,255}", "3 to 255 letters, digits, '_', '.', '-'"),
    "stream": (r"[A-Za-z0-9_.-]{1,128}", "1 to 128 letters, digits, '_', '.', '-'"),
    "queue": (r"[A-Za-z0-9_-]{1,80}", "1 to 80 letters, digits, '_', '-'"),
    "topic": (r"[A-Za-z0-9_-]{0,256}", "up to 256 letters, digits, '_', '-'; empty = none"),
    "function": (r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, '_', '-'"),
    "role": (r"[\w+=,.@-]{1,64}", "1 to 64 letters, digits or any of '_+=,.@-'"),
    "user": (r"[\w+=,.@-]{1,64}", "1 to 64 letters, digits or any of '_+=,.@-'"),
    "parameter_path": (r"/(?!aws/|ssm/)([A-Za-z0-9_.-]+/)+", "'/', names, '/' at the end, not /aws/ or /ssm/"),
    "rule": (r"[A-Za-z0-9_.-]{1,52}", "1 to 52 letters, digits, '_', '.', '-'"),
    "prefix": (r"(?!restore(/|$))[\w!.*'()-]+(/[\w!.*'()-]+)*", "names with '/' between them, not restore or drills"),
    "namespace": (r"(?!AWS/)[\w.#/:-]{1,255}", "1 to 255 letters, digits or any of '_.#/:-', not AWS/ at the start"),
    "runtime": (r"python3\.1[1-9]", "python3.11 or later: the code in the package needs it"),
}
# Ranges of the services' APIs; None = only the values listed with it.
NUMBER_RULES = {
    "batch_size": range(1, 10001),
    "batching_window": range(0, 301),
    "batches_per_shard": range(1, 11),
    "retries": range(-1, 10001),
    "record_age": (-1, *range(60, 604801)),
    "memory_mb": range(128, 10241),
    "timeout_seconds": range(1, 901),
    "shards": range(1, 501),
    "stream_retention_hours": range(24, 8761),
    "queue_retention_seconds": range(60, 1209601),
    "write_batch": range(1, 101),
    "tombstone_days": range(1, 3651),
    "clock_skew_seconds": range(0, 86401),
    "margin_seconds": range(1, 3601),
    "age_limit_seconds": range(60, 86401),
    "max_age_hours": range(1, 8761),
    "days": range(1, 36501),
    "days_or_none": range(0, 36501),
    # amazon.aws.cloudwatchlogs_log_group deletes the group when it is given any other value.
    "log_retention_days": (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653),
}
TABLE_FIELDS = {
    "name",
    "names",
    "key_schema",
    "replicate",
    "indexes",
    "billing_mode",
    "point_in_time_recovery",
    "deletion_protection",
    "ttl_attribute",
    "stamping",
    "backup",
    "backup_max_age_hours",
    "capture",
}
STAMPING = ("application", "managed")
DAY = 86400
TABLE_STREAM_SECONDS = DAY  # a DynamoDB stream keeps its records 24 hours, no more and no less


def problems(subject):
    """Every problem of a side's variables; see roles/preflight/vars/main.yml for the subject."""
    sides, side = subject["sides"], subject["side"]
    if side not in sides:
        return [
            f"Unknown side '{side}': dynabridge_sides knows {', '.join(sorted(sides))}."
            " Set the host's dynabridge_side to one of these, or add the side."
        ]
    found = [text for name in sorted(sides) for text in _side_problems(name, sides)]
    found += _account_problems(sides)
    found += _table_problems(subject["tables"], sides, subject["counters"])
    found += [text for rule in subject["names"] for text in _name_problems(**rule)]
    numbers = [text for rule in subject["numbers"] for text in _number_problems(**rule)]
    found += numbers or _memory_problems({rule["variable"]: int(rule["value"]) for rule in subject["numbers"]})
    found += _topic_problems(subject["alarm_topic_arn"], side, sides[side])
    return found + _proxy_problems(subject["use_proxy"], subject["proxy_server"])


def _side_problems(name, sides):
    side = sides[name]
    if "config_file" in side and not side["endpoint_url"]:
        return [f"The local AWS is not up (side {name} has no endpoint): run make local-up."]
    missing = [field for field in ("region", "partition", "profile", "peer") if not side.get(field)]
    if missing:
        return [f"Side {name} lacks {', '.join(missing)}: complete it in dynabridge_sides."]
    found = _peer_problems(name, sides) + _region_problems(name, side)
    return found + _server_problems(side.get("proxy"), f"proxy of side {name} in dynabridge_sides")


def _peer_problems(name, sides):
    peer = sides[name]["peer"]
    if peer == name or peer not in sides:
        return [f"Side {name} names '{peer}' as its peer: it must be another side of dynabridge_sides."]
    if sides[peer].get("peer") != name:
        return [
            f"Side {name} has the peer {peer}, but {peer} has '{sides[peer].get('peer')}': each must name the other."
        ]
    return []


def _region_problems(name, side):
    region, wanted = side["region"], side["partition"]
    partition = _partitions().get(region)
    if partition is None:
        return [
            f"Side {name} has the region '{region}', which botocore does not know:"
            " correct it in dynabridge_sides, or update botocore if the region is new."
        ]
    if partition != wanted:
        return [
            f"Side {name} has the region {region} of the partition {partition}, but must be in {wanted}:"
            " correct region or partition in dynabridge_sides."
        ]
    return []


def _partitions():
    """Region to partition, for the regions that have DynamoDB: a resolver alone takes any cn-* for a region."""
    resolver = EndpointResolver(create_loader().load_data("endpoints"))
    return {
        region: partition
        for partition in resolver.get_available_partitions()
        for region in resolver.get_available_endpoints("dynamodb", partition)
    }


def _account_problems(sides):
    given = {name: str(side.get("account_id") or "") for name, side in sides.items()}
    found = [
        f"Side {name} has the account '{account}': an AWS account id is 12 digits, quoted."
        " Correct account_id in dynabridge_sides."
        for name, account in sorted(given.items())
        if account and not re.fullmatch(r"\d{12}", account)
    ]
    accounts = [account for account in given.values() if account]
    if len(set(accounts)) < len(accounts):
        found.append(
            f"The sides {', '.join(sorted(given))} have one account {accounts[0]}: an account never spans partitions."
            " Correct account_id in dynabridge_sides."
        )
    return found


def _table_problems(tables, sides, counters):
    if not any(table.get("replicate", True) for table in tables):
        return ["dynabridge_tables has no table with replicate: true, so nothing would be replicated: add one."]
    found = [text for table in tables for text in _one_table_problems(table, sides)]
    labels = [table.get("name") for table in tables]
    found += [f"dynabridge_tables has '{label}' twice: give each table its own name." for label in _twice(labels)]
    for side in sorted(sides):
        names = [table.get("names", {}).get(side) for table in tables] + list(counters)
        found += [
            f"Side {side} would have two tables called '{name}': correct names in dynabridge_tables."
            for name in _twice([name for name in names if name])
        ]
    return found


def _twice(values):
    return sorted({value for value in values if value is not None and values.count(value) > 1})


def _one_table_problems(table, sides):
    where = f"dynabridge_tables, table '{table.get('name', '?')}'"
    unknown = sorted(set(table) - TABLE_FIELDS)
    if unknown:
        return [f"{where}: unknown field {', '.join(unknown)}; known are {', '.join(sorted(TABLE_FIELDS))}."]
    if not table.get("name"):
        return [f"{where}: it has no name. Give it one that both sides use for it."]
    missing = [side for side in sorted(sides) if not table.get("names", {}).get(side)]
    if missing:
        return [f"{where}: names has no entry for side {', '.join(missing)}. Say what the table is called there."]
    if table.get("stamping", STAMPING[0]) not in STAMPING:
        return [
            f"{where}: stamping is '{table['stamping']}', but must be application (its writers stamp what they write) or"
            " managed (the bridge stamps it for them)."
        ]
    rules = [("table", f"{where}, side {side}", table["names"][side]) for side in sorted(sides)]
    found = [text for rule in rules for text in _name_problems(*rule)] + _key_problems(where, table)
    return found + _backup_field_problems(where, table)


def _backup_field_problems(where, table):
    for field in ("backup", "capture"):
        if not isinstance(table.get(field, False), bool):
            return [f"{where}: {field} is {table[field]!r}, but must be true or false."]
    if table.get("capture", False) and not table.get("backup", False):
        return [
            f"{where}: capture is true and backup is not, but captured changes lead nowhere without a backup that they"
            " follow. Set backup: true, or capture: false."
        ]
    hours = table.get("backup_max_age_hours", 1)
    return _number_problems("max_age_hours", f"{where}: backup_max_age_hours", hours)


def _key_problems(where, table):
    schema = table.get("key_schema") or {}
    if not schema.get("hash"):
        return [f"{where}: key_schema has no hash key. Give hash: {{name: ..., type: S, N or B}}."]
    found = [
        f"{where}: the {kind} key must have a name of 1 to 255 characters and a type S, N or B, but is {key}."
        for kind, key in sorted(schema.items())
        if kind in ("hash", "range") and key and not _good_key(key)
    ]
    extra = sorted(set(schema) - {"hash", "range"})
    if extra:
        found.append(f"{where}: key_schema takes hash and range, not {', '.join(extra)}.")
    names = [key.get("name") for kind, key in schema.items() if kind in ("hash", "range") and key]
    if len(set(names)) < len(names):
        found.append(f"{where}: hash and range key are both '{names[0]}'. A range key is another attribute.")
    if table.get("ttl_attribute") and table["ttl_attribute"] in names:
        found.append(f"{where}: ttl_attribute is '{table['ttl_attribute']}', a key. Use another attribute.")
    return found


def _good_key(key):
    name = key.get("name")
    return isinstance(name, str) and 1 <= len(name) <= 255 and key.get("type") in ("S", "N", "B")


def _name_problems(kind, variable, value):
    pattern, words = NAME_RULES[kind]
    if re.fullmatch(pattern, str(value)):
        return []
    return [f"{variable} is '{value}', but a {kind} takes {words}. Correct it in the inventory."]


def _number_problems(kind, variable, value):
    allowed = NUMBER_RULES[kind]
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)) or int(value) not in allowed:
        return [f"{variable} is {value!r}, but must be {_words(allowed)}. Correct it in the inventory."]
    return []


def _memory_problems(numbers):
    """A delete that is forgotten while an older write is under way would be undone by it."""
    wanted = ("tombstone_days", "stream_retention_hours", "sender_record_age_seconds", "receiver_record_age_seconds")
    if any(f"dynabridge_{name}" not in numbers for name in wanted):
        return []
    days, hours, sender_age, receiver_age = (numbers[f"dynabridge_{name}"] for name in wanted)
    in_table_stream = _at_most(sender_age, TABLE_STREAM_SECONDS)
    in_stream = _at_most(receiver_age, hours * 3600)
    enough = -(-(in_table_stream + in_stream) // DAY)
    if days >= enough:
        return []
    return [
        f"dynabridge_tombstone_days is {days}, but a change can be under way for {in_table_stream} seconds in the table's"
        f" stream (dynabridge_sender_record_age_seconds) and {in_stream} seconds in the peer's Kinesis stream"
        " (dynabridge_stream_retention_hours, dynabridge_receiver_record_age_seconds), and a delete must be kept longer"
        f" than the longest replay, or an older write undoes it. Set dynabridge_tombstone_days to {enough} or more."
    ]


def _at_most(age, kept):
    """Seconds until a record is given up; -1 = when the stream drops it."""
    return kept if age == -1 else min(age, kept)


def _words(allowed):
    if isinstance(allowed, range):
        return f"a number from {allowed[0]} to {allowed[-1]}"
    if len(allowed) > 100:
        return f"{allowed[0]} or a number from {allowed[1]} to {allowed[-1]}"
    return f"one of {', '.join(str(value) for value in allowed)}"


def _topic_problems(arn, name, side):
    """An alarm calls only a topic of its own region."""
    start = f"arn:{side.get('partition')}:sns:{side.get('region')}:"
    if not arn or re.fullmatch(re.escape(start) + r"\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?", str(arn)):
        return []
    return [
        f"Side {name}: dynabridge_alarm_topic_arn is '{arn}', but its alarms can call only a topic of its own region,"
        f" {start}<account>:<name>. Set it in inventories/group_vars/{name}/main.yml, or '' for none."
    ]


def _proxy_problems(use_proxy, server):
    if str(use_proxy).upper() not in ("TRUE", "FALSE"):
        return [f"dynabridge_use_proxy is '{use_proxy}': it must be 'TRUE' or 'FALSE'. Correct it in the inventory."]
    if str(use_proxy).upper() == "TRUE" and not server:
        return [
            "dynabridge_use_proxy is TRUE, but dynabridge_proxy_server is empty:"
            " give host:port of the proxy, or set dynabridge_use_proxy to 'FALSE'."
        ]
    return _server_problems(server, "dynabridge_proxy_server")


def _server_problems(server, where):
    if not server:
        return []
    try:
        proxy_url(str(server), where)
    except SettingsError as error:
        return [f"{error}. Correct it in the inventory."]
    return []


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"dynabridge_problems": problems}
