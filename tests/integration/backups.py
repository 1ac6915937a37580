# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket, two tables that are backed up to it, and the modules of backups run on them as Ansible runs them."""

import contextlib
import io
import json
import time
import uuid

import ansible.module_utils
import ansible.modules
import pytest
from ansible.module_utils.testing import patch_module_args

from tests.local_aws.exports import md5
from tests.local_pair import REPOSITORY

for package, directory in ((ansible.modules, "library"), (ansible.module_utils, "module_utils")):
    if str(REPOSITORY / directory) not in package.__path__:
        package.__path__.append(str(REPOSITORY / directory))

from ansible.modules import dynamodb_backup, dynamodb_backup_info  # noqa: E402 - found by the lines above

PREFIX = "daily"
# AWS takes minutes where the local AWS takes a fraction of a second.
QUICK = {"wait_timeout": 20, "poll": 0.1, "shortest_window": 1}


class Ground:
    """``victim`` is what a test does something to, ``neighbour`` what has to come through it unharmed; ``more`` tables."""

    def __init__(self, cloud, more=()):
        self.cloud, self.name = cloud, f"t{uuid.uuid4().hex[:12]}"
        self.bucket = f"{self.name}-backup"
        self.victim, self.neighbour = self.named("victim"), self.named("neighbour")
        self.dynamodb, self.s3 = cloud.client("dynamodb"), cloud.client("s3")
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": cloud.side.region})
        self.arns = {table: self.create(table) for table in (self.victim, self.neighbour, *map(self.named, more))}

    # -- tables ------------------------------------------------------------------------------

    def named(self, what):
        return f"{self.name}-{what}"

    def create(self, table):
        """A table of four items under point-in-time recovery; gives its ARN."""
        made = self.dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        )["TableDescription"]
        self.recover(table, True)
        self.write(table, "one", "two", "three", "four")
        return made["TableArn"]

    def recover(self, table, enabled):
        self.dynamodb.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
        )

    def write(self, table, *keys):
        for key in keys:
            self.dynamodb.put_item(TableName=table, Item={"PK": {"S": key}, "text": {"S": f"{table} {key}" * 9}})

    # -- modules -----------------------------------------------------------------------------

    def run(self, module, check=False, user=None, **params):
        """What the module returns to Ansible."""
        place = {"bucket": self.bucket, "prefix": PREFIX}
        arguments = {
            **{name: value for name, value in place.items() if name in module.ARGUMENT_SPEC},
            "region": self.cloud.side.region,
            "endpoint_url": self.cloud.side.endpoint_url,
            "access_key": user.access_key if user else self.cloud.side.account_id,
            "secret_key": user.secret_key if user else "test",
            "_ansible_check_mode": check,
            **params,
        }
        shown = io.StringIO()
        with patch_module_args(arguments), contextlib.redirect_stdout(shown), pytest.raises(SystemExit):
            module.main()
        return json.loads(shown.getvalue().strip().splitlines()[-1])

    def backup(self, **params):
        """dynamodb_backup, by default of both tables."""
        tables = [self.victim, self.neighbour] if params.get("action", "backup") == "backup" else []
        return self.run(dynamodb_backup, **{"tables": tables, **QUICK, **params})

    def begun(self, **params):
        """Backups that DynamoDB is done with and nobody has looked at; by table."""
        result = self.backup(wait=False, **params)
        assert not result.get("failed"), result
        for backup in result["backups"]:
            self.ended(backup["export_arn"])
        return {backup["table"]: backup for backup in result["backups"]}

    def ended(self, export_arn):
        deadline = time.monotonic() + 15
        while True:
            description = self.dynamodb.describe_export(ExportArn=export_arn)["ExportDescription"]
            if description["ExportStatus"] != "IN_PROGRESS":
                return description
            assert time.monotonic() < deadline, description
            time.sleep(0.05)

    def catalogue(self, **params):
        """dynamodb_backup_info; backups by id."""
        result = self.run(dynamodb_backup_info, **params)
        assert not result.get("failed"), result
        return result | {"backups": {backup["id"]: backup for backup in result["backups"]}}

    # -- objects -----------------------------------------------------------------------------

    def read(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def put(self, key, body):
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def drop(self, *keys):
        for key in keys:
            self.read(key)  # it is there, or the test tests nothing
            self.s3.delete_object(Bucket=self.bucket, Key=key)

    def stored(self, prefix=PREFIX):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {entry["Key"] for page in pages for entry in page.get("Contents", [])}

    def verdicts(self, folder):
        return {key.rpartition("/")[2] for key in self.stored(folder)} & {"_SUCCESS", "_FAILED"}

    def files(self, folder):
        """Lines of the manifest of files."""
        return [json.loads(line) for line in self.read(f"{folder}manifest-files.json").splitlines()]

    def schema(self, folder):
        return json.loads(self.read(f"{folder}table_schema.json"))

    def seal(self, folder, manifest, *documents):
        """Write a manifest, and the checksum that goes with it."""
        body = "".join(f"{json.dumps(document)}\n" for document in documents).encode()
        self.put(f"{folder}{manifest}.json", body)
        self.put(f"{folder}{manifest}.md5", md5(body).encode())


class User:
    """An IAM user with exactly these rights: actions and the resources of each."""

    def __init__(self, ground, rights):
        self.iam, self.name = ground.cloud.client("iam"), f"{ground.name}-user"
        self.iam.create_user(UserName=self.name)
        self.allow(rights)
        pair = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        self.access_key, self.secret_key = pair["AccessKeyId"], pair["SecretAccessKey"]

    def allow(self, rights):
        statements = [{"Effect": "Allow", "Action": action, "Resource": where} for action, where in rights.items()]
        document = {"Version": "2012-10-17", "Statement": statements}
        self.iam.put_user_policy(UserName=self.name, PolicyName="rights", PolicyDocument=json.dumps(document))


def blames(result, table, *words):
    """The module failed for this table alone, and its one sentence has all the words."""
    assert result.get("failed"), result
    (problem,) = result["problems"]
    assert result["msg"] == problem
    says(problem, f"table {table}", *words)


def says(problem, *words):
    for word in words:
        assert word in problem, f"{word!r} is not in: {problem}"
