# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the inventory's backups, as sentences: what, where, why, what to do. Asks nobody but botocore."""

import itertools
import re

try:
    from botocore.loaders import create_loader
    from botocore.regions import EndpointResolver
except ImportError:  # preflight stops at the versions before it asks for this
    EndpointResolver = None

UNITS = {"minute": 1, "hour": 60, "day": 1440}
RATE = r"rate\((?P<number>[1-9]\d*) (?P<unit>minute|hour|day)(?P<many>s?)\)"
# From warm to cold: objects only ever move to the right.
CLASSES = ("STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
INFREQUENT = ("STANDARD_IA", "ONEZONE_IA")
INFREQUENT_DAYS = 30  # S3 takes objects into these classes, and lets them go, after 30 days


def bucket_problems(bucket):
    """Asked when the account is known: it is part of the bucket's name."""
    if re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", str(bucket)):
        return []
    return [
        f"dynabridge_backup_bucket is '{bucket}', but a bucket takes 3 to 63 small letters, digits, '-', no '-' at either"
        " end. Correct it in the inventory."
    ]


def backup_problems(backup, sides, side):
    """Problems of the backups' variables, where a table is backed up."""
    if not backup["tables"] or side not in sides or not sides[side].get("region"):
        return []  # the latter is said elsewhere
    region = backup["regions"].get(side, "")
    found = _backup_region_problems(region, side, sides[side])
    found += _key_arn_problems(backup["kms_key_arn"], sides[side]["partition"], region)
    found += [text for name, schedule in backup["schedules"].items() for text in schedule_problems(name, schedule)]
    found += _interval_problems(backup["schedules"])
    found += _prefix_problems(backup["prefixes"])
    if not backup["schedules"]["dynabridge_capture_schedule"]:
        found.append(
            "dynabridge_capture_schedule is empty, but without a look nobody says up to when every change is captured. Give"
            " rate(1 minute)."
        )
    return found + _lifecycle_problems(backup)


def _backup_region_problems(region, side, own):
    if not region:
        return [f"dynabridge_backup_regions has no region for side {side}: give one of {own['partition']}."]
    partition = _partition(region)
    if partition is None:
        return [f"dynabridge_backup_regions: side {side} has '{region}', which botocore does not know. Correct it."]
    if partition != own["partition"]:
        return [
            f"dynabridge_backup_regions: side {side} has {region} of the partition {partition}, but the side's region"
            f" {own['region']} is in {own['partition']}, and an export cannot leave its partition. Give another region of"
            f" {own['partition']}."
        ]
    if region == own["region"]:
        return [
            f"dynabridge_backup_regions: side {side} has {region}, which is the side's own region {own['region']}: a backup"
            f" there is lost with the table. Give another region of {partition}."
        ]
    return []


def _partition(region):
    """None = no region that botocore knows: a resolver alone takes any cn-* for a region."""
    resolver = EndpointResolver(create_loader().load_data("endpoints"))
    for partition in resolver.get_available_partitions():
        if region in resolver.get_available_endpoints("s3", partition):
            return partition
    return None


def _key_arn_problems(arn, partition, region):
    start = f"arn:{partition}:kms:{region}:"
    if not arn or re.fullmatch(re.escape(start) + r"\d{12}:(key|alias)/[\w/-]+", str(arn)):
        return []
    return [
        f"dynabridge_backup_kms_key_arn is '{arn}', but the key must be of the bucket's region:"
        f" {start}<account>:key/<id>, or '' for AES256. Correct it in the inventory."
    ]


def schedule_problems(name, schedule):
    """EventBridge's own words: rate(10 minutes), or cron with six fields."""
    if not schedule:
        return []
    text = str(schedule)
    rate = re.fullmatch(RATE, text)
    if rate and (rate["many"] == "s") == (rate["number"] != "1"):
        return []
    fields = re.fullmatch(r"cron\((.+)\)", text)
    parts = fields[1].split() if fields else []
    if len(parts) == 6 and [parts[2], parts[4]].count("?") == 1:
        return []
    return [
        f"{name} is '{text}', but must be rate(<n> minutes), rate(1 hour) or the like, or cron(<minute> <hour> <day> <month>"
        " <weekday> <year>) with '?' for day or weekday, as cron(0 2 * * ? *). Correct it in the inventory."
    ]


def _interval_problems(schedules):
    """DynamoDB exports changes of 15 minutes to 24 hours at a time."""
    name = "dynabridge_backup_incremental_schedule"
    rate = re.fullmatch(RATE, str(schedules.get(name, "")))
    if not rate or 15 <= int(rate["number"]) * UNITS[rate["unit"]] <= 1440:
        return []
    return [
        f"{name} is '{schedules[name]}', but an incremental export takes the changes of 15 minutes to 24 hours."
        " Correct it in the inventory."
    ]


def _prefix_problems(prefixes):
    """What lies in one folder must not age, or be written, by the rules of the other."""
    (one, outer), (other, inner) = sorted(prefixes.items(), key=lambda entry: len(str(entry[1])))
    if not f"{inner}/".startswith(f"{outer}/"):
        return []
    return [f"{other} is '{inner}', which lies in {one} '{outer}': give each a folder of its own."]


def _lifecycle_problems(backup):
    where, steps = "dynabridge_backup_lifecycle", backup["lifecycle"]
    for step in steps:
        if step.get("storage_class") not in CLASSES:
            return [f"{where} has the class '{step.get('storage_class')}': S3 knows {', '.join(CLASSES)}. Correct it."]
        if not re.fullmatch(r"\d+", str(step.get("days"))):
            return [f"{where}, {step['storage_class']}: days is {step.get('days')!r}, but must be a number."]
    found = [text for pair in itertools.pairwise(steps) for text in _order_problems(where, *pair)]
    if steps and steps[0]["storage_class"] in INFREQUENT and int(steps[0]["days"]) < INFREQUENT_DAYS:
        found.append(
            f"{where}: {steps[0]['storage_class']} begins after {steps[0]['days']} days, but S3 moves nothing there before"
            f" {INFREQUENT_DAYS}. Give {INFREQUENT_DAYS} or more."
        )
    return found + _expiration_problems(backup)


def _order_problems(where, one, other):
    first, second = (f"{step['storage_class']} ({step['days']} days)" for step in (one, other))
    least = int(one["days"]) + (INFREQUENT_DAYS if one["storage_class"] in INFREQUENT else 1)
    if int(other["days"]) < least:
        return [f"{where}: {second} follows {first}, but must begin after {least} days or more. Correct the days."]
    if CLASSES.index(other["storage_class"]) <= CLASSES.index(one["storage_class"]):
        return [f"{where}: {second} follows {first}, but objects move to colder classes only. Correct the order."]
    return []


def _expiration_problems(backup):
    if not all(re.fullmatch(r"\d+", str(backup[name])) for name in ("expiration_days", "object_lock_days")):
        return []  # said already, with the numbers
    days, lock = int(backup["expiration_days"]), int(backup["object_lock_days"])
    last = max((int(step["days"]) for step in backup["lifecycle"]), default=0)
    if days <= last:
        return [
            f"dynabridge_backup_expiration_days is {days}, but the last step of dynabridge_backup_lifecycle begins after"
            f" {last} days. Give more than that."
        ]
    if lock > days:
        return [
            f"dynabridge_backup_object_lock_days is {lock}, longer than dynabridge_backup_expiration_days ({days}): expired"
            " backups could not go. Give one that is not longer."
        ]
    return []


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"dynabridge_backup_problems": backup_problems, "dynabridge_bucket_problems": bucket_problems}
