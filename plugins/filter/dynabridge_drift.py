# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode for modules that have none: what differs between what is there and what is wanted, as sentences."""

import json

PUBLIC_ACCESS = {
    "block_public_acls": "BlockPublicAcls",
    "ignore_public_acls": "IgnorePublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "restrict_public_buckets": "RestrictPublicBuckets",
}
# Word in s3_bucket's answer: what to do.
HINTS = {
    "object lock for existing": (
        "Object Lock is decided when a bucket is created: set dynabridge_backup_object_lock_days as it was then,"
        " or give dynabridge_backup_bucket another name for a new bucket."
    ),
    "BucketAlreadyExists": "Another account has this name: give dynabridge_backup_bucket another.",
    "403": (
        "The bucket is another account's, or the profile may not administer it: give dynabridge_backup_bucket another name,"
        " or set dynabridge_backup_bucket_owner to the account it belongs to."
    ),
}
HINTS["AccessDenied"] = HINTS["permission"] = HINTS["403"]


def bucket_drift(info, versioning, encryption, public_access, policy):
    """What amazon.aws.s3_bucket would change. info is the answer of s3_bucket_info for one bucket name."""
    if not info["buckets"]:
        return [f"create the bucket {info['bucket_name']}"]
    bucket = info["buckets"][0]
    wanted = {PUBLIC_ACCESS[name]: value for name, value in public_access.items()}
    found = _fact(bucket, "public_access_block", "PublicAccessBlockConfiguration")
    differs = {
        "versioning": (bucket.get("bucket_versioning", {}).get("Status") == "Enabled") != versioning,
        "encryption": _algorithm(bucket) != encryption,
        "public access": found != wanted,
        "policy": _plain(_policy(bucket)) != _plain(policy),
    }
    return [f"set {name} of the bucket {bucket['name']}" for name, is_different in differs.items() if is_different]


def backup_bucket_drift(info, wanted):
    """What the role backup_bucket would change. wanted: see roles/backup_bucket/tasks/main.yml."""
    found = bucket_drift(info, True, wanted["encryption"], wanted["public_access"], wanted["policy"])
    if not info["buckets"]:
        return found
    bucket = info["buckets"][0]
    rules = _fact(bucket, "bucket_lifecycle_configuration", "LifecycleConfiguration").get("Rules", [])
    differs = {
        "encryption key": _key(bucket) != wanted["kms_key_arn"],
        "ownership": _ownership(bucket) != wanted["ownership"],
        "lifecycle": any(rule not in rules for rule in wanted["rules"]),
    }
    return found + [
        f"set {name} of the bucket {bucket['name']}" for name, is_different in differs.items() if is_different
    ]


def _key(bucket):
    """'' = S3's own."""
    rules = _fact(bucket, "bucket_encryption", "ServerSideEncryptionConfiguration").get("Rules", [])
    return (rules[0].get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") or "") if rules else ""


def _ownership(bucket):
    rules = _fact(bucket, "bucket_ownership_controls", "OwnershipControls").get("Rules", [])
    return rules[0].get("ObjectOwnership") if rules else None


def bucket_hint(failed):
    """What to do about a bucket that s3_bucket could not set up. failed: its answer."""
    answer = json.dumps(failed, default=str)
    for word, hint in HINTS.items():
        if word in answer:
            return hint
    return "Correct what AWS names, and deploy again."


def _fact(bucket, field, wrapping):
    """amazon.aws 10 hands over the API's answer in its wrapping, 11 without."""
    fact = bucket.get(field) or {}
    return fact.get(wrapping, fact)


def _algorithm(bucket):
    rules = _fact(bucket, "bucket_encryption", "ServerSideEncryptionConfiguration").get("Rules", [])
    return rules[0].get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") if rules else None


def _policy(bucket):
    document = _fact(bucket, "bucket_policy", "Policy")
    return json.loads(document) if isinstance(document, str) else document


def _plain(value):
    """A policy with the freedoms of its grammar taken out: the order of lists, and lists of one."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        entries = sorted((_plain(entry) for entry in value), key=lambda entry: json.dumps(entry, sort_keys=True))
        return entries[0] if len(entries) == 1 else entries
    return value


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {
            "dynabridge_bucket_drift": bucket_drift,
            "dynabridge_backup_bucket_drift": backup_bucket_drift,
            "dynabridge_backup_bucket_hint": bucket_hint,
        }
