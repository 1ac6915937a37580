# SPDX-License-Identifier: GPL-3.0-or-later
"""The handlers' wiring: environment to clients, and the sender's way out through a proxy."""

import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ProxyConnectionError

from dynabridge.errors import PeerUnreachable, SettingsError
from tests.dynamodb import FakeDynamoDB
from tests.events import image, stream_record
from tests.fakes import FakeCloudWatch

FUNCTIONS = Path(__file__).parents[2] / "files" / "lambda"
SENDER = {
    "SIDE": "cn", "PARAMETER_STORE_PATH_PREFIX": "/DDBReplication/TableSG/", "TARGET_REGION": "ap-southeast-1",
    "TARGET_STREAM": "ddb_replication_stream_sg", "TARGET_TABLE": "user-sg", "QUARANTINE_BUCKET": "q", "USE_PROXY": "TRUE",
    "TOMBSTONES_TABLE": "replicator_tombstones",
}  # fmt: skip


def load(function):
    """The handler module, fresh, as the runtime loads it."""
    spec = importlib.util.spec_from_file_location(f"{function}_handler", FUNCTIONS / function / "handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def proxy():
    """A proxy that notes what it is asked for; it answers PutRecords itself and refuses CONNECT."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(("POST", self.path))
            answer = json.dumps({"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1"} for _ in body["Records"]]})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.encode())

        def do_CONNECT(self):
            seen.append(("CONNECT", self.path))
            self.send_error(403, "not allowed here")

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def sender(monkeypatch, proxy):
    """The sender's kinesis client, as the handler makes it for the peer."""

    def client(endpoint):
        variables = SENDER | {
            "PROXY_SERVER": proxy[0],
            "AWS_ENDPOINT_URL_KINESIS": endpoint,
            "AWS_REGION": "cn-north-1",
        }
        variables |= {"AWS_DEFAULT_REGION": "cn-north-1", "AWS_ACCESS_KEY_ID": "role", "AWS_SECRET_ACCESS_KEY": "role"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        module = load("ddb_send_to_kinesis")
        built = module._build(module.sender_settings(variables))
        return built.peer._connect("AKIDPEER", "secret")

    return client


RECORDS = [{"Data": b"x", "PartitionKey": "lane-000"}]


def test_an_http_endpoint_is_reached_through_the_proxy(sender, proxy):
    """GIVEN USE_PROXY and a host that only the proxy knows THEN PutRecords goes by the proxy."""
    answer = sender("http://kinesis.peer.invalid").put_records(StreamName="s", Records=RECORDS)
    assert answer["FailedRecordCount"] == 0
    assert proxy[1] == [("POST", "http://kinesis.peer.invalid/")]


def test_an_https_endpoint_is_reached_by_connect(sender, proxy):
    """GIVEN an https endpoint THEN the proxy is asked to CONNECT to it; a refusal names the proxy."""
    with pytest.raises(ProxyConnectionError, match=proxy[0]):
        sender("https://kinesis.peer.invalid").put_records(StreamName="s", Records=RECORDS)
    assert ("CONNECT", "kinesis.peer.invalid:443") in proxy[1]


def own_dynamodb(real):
    """This side's DynamoDB faked; the way to the peer is real."""
    return lambda session, service, **more: FakeDynamoDB() if service == "dynamodb" else real(session, service, **more)


@pytest.fixture
def failed_batch(monkeypatch):
    """What the function says of a batch when this is the proxy's address: the error's text, and the metrics."""

    def handle(server):
        variables = SENDER | {"PROXY_SERVER": server, "AWS_REGION": "cn-north-1", "AWS_DEFAULT_REGION": "cn-north-1"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        module = load("ddb_send_to_kinesis")
        monkeypatch.setattr(boto3.Session, "client", own_dynamodb(boto3.Session.client))
        module._sender = module._build(module.sender_settings(variables))
        module._sender.cloudwatch = FakeCloudWatch()
        module._sender.peer._read_key = lambda: ("AKIDPEER", "secret")
        with pytest.raises(PeerUnreachable) as caught:
            module.lambda_handler({"Records": [stream_record(1, new=image("a"))]}, None)
        return str(caught.value), module._sender.cloudwatch.metrics

    return handle


def test_a_batch_that_the_proxy_refuses_says_so(failed_batch, proxy):
    """GIVEN a proxy that answers CONNECT with 403 THEN the batch fails with what, where, why and what to do."""
    said, metrics = failed_batch(proxy[0])
    assert f"the proxy http://{proxy[0]} refused CONNECT kinesis.ap-southeast-1.amazonaws.com:443 (403" in said
    assert said.startswith("nothing was sent to the peer: ") and "dynabridge_proxy_clients" in said
    assert metrics["DDB-Replicator/Unsent_count"] == [1]


def test_a_batch_whose_proxy_is_down_says_so(failed_batch):
    """GIVEN nobody at the proxy's address THEN the batch fails with another sentence than a refusal's."""
    said, metrics = failed_batch("127.0.0.1:9")
    assert (
        "the proxy http://127.0.0.1:9 cannot be reached (connection refused)" in said and "refused CONNECT" not in said
    )
    assert "nothing gets to kinesis.ap-southeast-1.amazonaws.com:443" in said and "squid" in said
    assert metrics["DDB-Replicator/Unsent_count"] == [1]


def test_the_peers_client_uses_the_peers_key_and_region(sender):
    """GIVEN the function's own role in the environment THEN the client signs with the peer's pair, without a session token."""
    client = sender("http://kinesis.peer.invalid")
    credentials = client._request_signer._credentials
    assert (credentials.access_key, credentials.token) == ("AKIDPEER", None)
    assert client.meta.region_name == "ap-southeast-1"


@pytest.mark.parametrize("function", ["ddb_send_to_kinesis", "replicator_kinesis", "stream_to_s3"])
def test_a_function_without_its_environment_says_what_is_missing(function, monkeypatch):
    monkeypatch.delenv("SIDE", raising=False)
    with pytest.raises(SettingsError, match=r"SIDE is missing: run deploy\.yml"):
        load(function).lambda_handler({"Records": []}, None)
