# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment by hand of the source documents, step by step: their AWS CLI calls, made through boto3.

The sections are theirs. What they leave to the reader is as simple as it can be: a user for the peer, allowed to write to
the one stream; no VPC and no proxy. What the console asks for is what their lists say, and its own defaults.
"""

import io
import json
import zipfile
from pathlib import Path

from tests.integration.support import RECEIVER, SENDER, Side, eventually
from tests.local_pair import LocalPair

FUNCTIONS = Path(__file__).parent / "original_functions"
LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
READ_TABLE_STREAM = [f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")]
READ_PARAMETERS = [
    f"ssm:{name}" for name in ("GetParameterHistory", "GetParametersByPath", "GetParameters", "GetParameter")
]
READ_STREAM = [
    f"kinesis:{name}"
    for name in (
        "DescribeStreamSummary",
        "DescribeStream",
        "GetRecords",
        "GetShardIterator",
        "ListShards",
        "SubscribeToShard",
    )
]
WRITE_TABLE = [
    f"dynamodb:{name}"
    for name in (
        "BatchGetItem",
        "Query",
        "GetItem",
        "Scan",
        "BatchWriteItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
    )
]


def deploy(pair: LocalPair) -> None:
    """Both sides by the documents' steps."""
    cn, sg = OriginalSide(pair, "cn"), OriginalSide(pair, "sg")
    for side in (cn, sg):
        side.create_tables()
        side.create_queues()
        side.create_stream()
    for side, peer in ((cn, sg), (sg, cn)):
        side.put_parameters(*peer.create_user())
        side.create_roles()
        side.create_sender(peer)
        side.create_receiver()


class OriginalSide(Side):
    """A side of the documents."""

    @property
    def arn(self) -> str:
        return "arn:aws-cn" if self.name == "cn" else "arn:aws"

    @property
    def peer(self) -> str:
        return {"cn": "SG", "sg": "CN"}[self.name]

    @property
    def path(self) -> str:
        return f"/DDBReplication/Table{self.peer}/"

    def here(self, service: str, resource: str) -> str:
        account = self.pair.sides[self.name]["account_id"]
        return f"{self.arn}:{service}:{'' if service == 'iam' else self.region}:{account}:{resource}"

    # -- 1.2 tables --------------------------------------------------------------------------

    def create_tables(self) -> None:
        stream = {"StreamViewType": "NEW_AND_OLD_IMAGES", "StreamEnabled": True}
        self._create_table(self.table, StreamSpecification=stream)
        for table, row in (("replicator_stats", "replicated_count"), ("loader_stats", "loaded_count")):
            self._create_table(table)
            item = {"PK": {"S": row}, "cnt": {"N": "0"}}
            self.client("dynamodb").put_item(TableName=table, Item=item)

    def _create_table(self, name: str, **more) -> None:
        self.client("dynamodb").create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )
        self.client("dynamodb").get_waiter("table_exists").wait(TableName=name)

    # -- 1.3 parameters ----------------------------------------------------------------------

    def create_user(self) -> tuple[str, str]:
        """A user of this side whose key pair the peer gets."""
        iam, user = self.client("iam"), f"replication_from_{self.peer}"
        iam.create_user(UserName=user)
        stream = self.here("kinesis", f"stream/{self.stream}")
        allowed = _policy((["kinesis:PutRecord", "kinesis:PutRecords"], stream))
        iam.put_user_policy(UserName=user, PolicyName=user, PolicyDocument=allowed)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def put_parameters(self, access_key: str, secret_key: str) -> None:
        put = self.client("ssm").put_parameter
        put(Name=f"{self.path}AccessKey", Value=access_key, Type="String")
        put(Name=f"{self.path}SecretKey", Value=secret_key, Type="SecureString")

    # -- 1.4 queues, 1.5 stream --------------------------------------------------------------

    def create_queues(self) -> None:
        for kind in ("ddbstream", "ddbreplicator"):
            self.client("sqs").create_queue(QueueName=f"{kind}{self.name}")

    def create_stream(self) -> None:
        self.client("kinesis").create_stream(StreamName=self.stream, ShardCount=1)
        self.client("kinesis").get_waiter("stream_exists").wait(StreamName=self.stream)

    # -- 1.6 roles ---------------------------------------------------------------------------

    def create_roles(self) -> None:
        self._create_role(
            SENDER,
            ("lambda:InvokeFunction", self.here("lambda", f"function:ddb-replicator-{self.name}*")),
            (LOGS, self.here("logs", "*")),
            (READ_TABLE_STREAM, self.here("dynamodb", f"table/{self.table}/stream/*")),
            (READ_PARAMETERS, self.here("ssm", f"parameter{self.path}*")),
            ("sqs:*", self.here("sqs", f"ddbstream{self.name}")),
        )
        self._create_role(
            RECEIVER,
            (READ_STREAM, self.here("kinesis", f"stream/{self.stream}")),
            (
                ["sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"],
                self.here("sqs", f"ddbreplicator{self.name}"),
            ),
            (WRITE_TABLE, self.here("dynamodb", "table/replicator_stats")),
            (WRITE_TABLE, self.here("dynamodb", f"table/{self.table}")),
            ("cloudwatch:PutMetricData", "*"),
        )

    def _create_role(self, function: str, *statements) -> None:
        iam, role, policy = self.client("iam"), f"{function}_role", f"{function}_policy"
        trusted = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": trusted})
        iam.create_policy(PolicyName=policy, PolicyDocument=_policy(*statements))
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
        managed = f"{self.arn}:iam::aws:policy/service-role/AWSLambda"
        for arn in (f"{managed}VPCAccessExecutionRole", self.here("iam", f"policy/{policy}")):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)

    # -- 1.7 the function that sends, 1.8 the function that receives ---------------------------

    def create_sender(self, peer: Side) -> None:
        variables = {
            "PARAMETER_STORE_PATH_PREFIX": self.path,
            "TARGET_REGION": peer.region,
            "TARGET_STREAM": peer.stream,
            "USE_PROXY": "FALSE",
            "PROXY_SERVER": "192.0.2.1:80",
            # Not of the documents: on AWS the region is enough to find the peer.
            "AWS_ENDPOINT_URL_KINESIS": self.pair.sides[peer.name]["endpoint_url"],
        }
        source = self.client("dynamodb").describe_table(TableName=self.table)["Table"]["LatestStreamArn"]
        self._create_function(SENDER, "send_to_kinesis", variables)
        self._create_trigger(SENDER, source, f"ddbstream{self.name}", 300, MaximumRecordAgeInSeconds=86400)

    def create_receiver(self) -> None:
        self._create_function(RECEIVER, RECEIVER, {"TARGET_TABLE": self.table})
        source = self.here("kinesis", f"stream/{self.stream}")
        self._create_trigger(RECEIVER, source, f"ddbreplicator{self.name}", 100)

    def _create_function(self, name: str, source: str, variables: dict) -> None:
        functions = self.client("lambda")
        functions.create_function(
            FunctionName=name,
            Role=self.here("iam", f"role/{name}_role"),
            Runtime="python3.7",
            Handler=f"{source}.lambda_handler",
            Code={"ZipFile": _zipped(FUNCTIONS / f"{source}.py")},
            Timeout=60,
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name)
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        functions.get_waiter("function_updated_v2").wait(FunctionName=name)

    def _create_trigger(self, function: str, source: str, queue: str, retries: int, **more) -> None:
        self.client("lambda").create_event_source_mapping(
            FunctionName=function,
            EventSourceArn=source,
            StartingPosition="TRIM_HORIZON",
            BatchSize=500,
            ParallelizationFactor=10,
            MaximumRetryAttempts=retries,
            DestinationConfig={"OnFailure": {"Destination": self.here("sqs", queue)}},
            **more,
        )
        eventually(lambda: self.mapping(function)["State"] == "Enabled")


def _policy(*statements) -> str:
    allowed = [{"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


def _zipped(path: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.write(path, path.name)
    return buffer.getvalue()
