# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests on a deployed pair share: both sides by name, writing and waiting, logs, and changes that are taken back."""

import contextlib
import json
import time
import uuid
from dataclasses import dataclass, field

from tests.local_pair import LocalPair

SENDER, RECEIVER = "ddb_send_to_kinesis", "replicator_kinesis"
FIRST_DEPLOY = (
    "first_deploy.log"  # what deploy.yml -vvv --diff said on two empty accounts, in the directory of the pair
)


def eventually(look, seconds: float = 60.0):
    """Look until something true is seen, and give it; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not seen within {seconds:.0f} seconds; last seen: {seen!r}"
        time.sleep(0.1)
    return seen


@dataclass
class Side:
    """One side of a deployed pair, under the names of the default inventory. Keeps its clients."""

    pair: LocalPair
    name: str
    clients: dict = field(default_factory=dict)

    @property
    def region(self) -> str:
        return self.pair.sides[self.name]["region"]

    @property
    def table(self) -> str:
        return f"user-{self.name}"

    @property
    def stream(self) -> str:
        return f"ddb_replication_stream_{self.name}"

    @property
    def bucket(self) -> str:
        return f"dynabridge-quarantine-{self.name}-{self.pair.sides[self.name]['account_id']}"

    def client(self, service: str):
        if service not in self.clients:
            self.clients[service] = self.pair.client(self.name, service)
        return self.clients[service]

    # -- items -------------------------------------------------------------------------------

    def write(self, key: str, **attributes) -> dict:
        """Put an item as an application does that stamps what it writes."""
        now = f"{time.time():.6f}".rstrip("0")  # as DynamoDB gives a number back
        stamp = {"last_update_timestamp": {"N": now}, "last_updater_region": {"S": self.region}}
        item = {"PK": {"S": key}} | attributes | stamp
        self.client("dynamodb").put_item(TableName=self.table, Item=item)
        return item

    def touch(self, key: str) -> None:
        """Change an item as an application does that knows nothing of stamps."""
        self.client("dynamodb").update_item(
            TableName=self.table,
            Key={"PK": {"S": key}},
            UpdateExpression="SET touched = :now",
            ExpressionAttributeValues={":now": {"N": f"{time.time():.6f}"}},
        )

    def item(self, key: str) -> dict | None:
        answer = self.client("dynamodb").get_item(TableName=self.table, Key={"PK": {"S": key}}, ConsistentRead=True)
        return answer.get("Item")

    def items(self) -> list[dict]:
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def remove(self, key: str) -> None:
        self.client("dynamodb").delete_item(TableName=self.table, Key={"PK": {"S": key}})

    # -- functions ---------------------------------------------------------------------------

    def _reads_another_table(self, source: str) -> bool:
        return ":table/" in source and f":table/{self.table}/" not in source

    def mapping(self, function: str) -> dict:
        """Of the functions that read tables: the one that reads this side's."""
        found = self.client("lambda").list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        (mapping,) = (each for each in found if not self._reads_another_table(each["EventSourceArn"]))
        return mapping

    def problem(self, function: str) -> str:
        """What the function's mapping says of its last batch, if that is a problem."""
        result = self.mapping(function)["LastProcessingResult"]
        return result if result.startswith("PROBLEM") else ""

    def logged(self, function: str, since: float, *words: str) -> list[str]:
        """Lines of the function's log with all the words. `since` in seconds, as of time.time()."""
        pages = self.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=f"/aws/lambda/{function}", startTime=int(since * 1000))
        lines = [event["message"] for page in found for event in page["events"]]
        return [line for line in lines if all(word in line for word in words)]

    @contextlib.contextmanager
    def mapping_changed(self, function: str, **settings):
        """The mapping with other settings, for the length of the block."""
        mapping = self.mapping(function)
        change = self.client("lambda").update_event_source_mapping
        change(UUID=mapping["UUID"], **settings)
        try:
            yield
        finally:
            change(UUID=mapping["UUID"], **{name: mapping[name] for name in settings})

    @contextlib.contextmanager
    def mapping_off(self, function: str):
        """The mapping disabled, for the length of the block."""
        mapping, functions = self.mapping(function), self.client("lambda")
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        eventually(lambda: self.mapping(function)["State"] == "Disabled")
        try:
            yield
        finally:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    @contextlib.contextmanager
    def function_changed(self, function: str, **settings):
        """The function with another configuration, for the length of the block."""
        functions = self.client("lambda")
        before = functions.get_function_configuration(FunctionName=function)
        self._configure(function, settings)
        try:
            yield
        finally:
            self._configure(function, {name: before[name] for name in settings})

    def forget(self, function: str) -> None:
        """End the warm environments with all they remember: a changed configuration means new ones."""
        timeout = self.client("lambda").get_function_configuration(FunctionName=function)["Timeout"]
        with self.function_changed(function, Timeout=timeout + 1):
            pass

    def _configure(self, function: str, settings: dict) -> None:
        functions = self.client("lambda")
        functions.update_function_configuration(FunctionName=function, **settings)
        functions.get_waiter("function_updated_v2").wait(
            FunctionName=function, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    # -- metrics and the quarantine ----------------------------------------------------------

    def metric(self, name: str) -> float:
        """Sum of the bridge's metric since long ago."""
        now = time.time()
        answer = self.client("cloudwatch").get_metric_statistics(
            Namespace="DDB-Replicator",
            MetricName=name,
            Dimensions=[{"Name": "replicator", "Value": "ddb-replicator"}],
            StartTime=now - 86400,
            EndTime=now + 60,
            Period=86400,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in answer["Datapoints"])

    def taken_from_quarantine(self, sequence_number: str) -> dict | None:
        """What the quarantine holds of a record; it is taken out."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        for key in keys:
            if key.endswith(f"/{sequence_number}.json"):
                kept = json.loads(s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
                s3.delete_object(Bucket=self.bucket, Key=key)
                return kept
        return None


def crosses(writer: Side, reader: Side, key: str, **attributes) -> None:
    """See that a write on one side arrives on the other."""
    written = writer.write(key, **attributes)
    eventually(lambda: reader.item(key) == written)


@dataclass
class Bridge:
    """Both sides; tests write on cn and look at sg, so that both partitions take part."""

    cn: Side
    sg: Side

    @classmethod
    def of(cls, pair: LocalPair) -> "Bridge":
        return cls(Side(pair, "cn"), Side(pair, "sg"))

    def client(self, side: str, service: str):
        return getattr(self, side).client(service)

    def replicates(self, key: str, **attributes) -> None:
        """See that a write on cn arrives on sg."""
        crosses(self.cn, self.sg, key, **attributes)

    def at_rest(self, seconds: float = 300.0) -> dict[str, dict]:
        """Wait until both tables are equal in two looks, one after the other; gives their items by key."""
        deadline, before = time.monotonic() + seconds, None
        while True:
            cn, sg = ({item["PK"]["S"]: item for item in side.items()} for side in (self.cn, self.sg))
            if cn == sg == before:
                return cn
            before = cn if cn == sg else None
            differing = sorted(key for key in cn.keys() | sg.keys() if cn.get(key) != sg.get(key))
            assert time.monotonic() < deadline, f"still different after {seconds:.0f} s: {differing}"
            time.sleep(2)

    @contextlib.contextmanager
    def own_key(self):
        """A key of a test's own. Afterwards its item is gone from both sides, by a delete that has replicated."""
        key = f"test-{uuid.uuid4().hex[:12]}"
        yield key
        self.cn.remove(key)
        eventually(lambda: self.sg.item(key) is None)
