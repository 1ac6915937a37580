# SPDX-License-Identifier: GPL-3.0-or-later
"""A region that is gone: whoever calls it is cut off without an answer, and what runs in it stands still.

Which region a call is for, its signature says (the credential scope of its header or of its presigned query), as AWS itself
goes by it: an endpoint refuses what is signed for another region. Of a region that is lost a client sees no answer at all,
so the connection is closed instead of answered, which botocore takes for a broken one and tries again. Each such call is
counted, but for those of functions: they were at work in the region when it went, or are the peer's sender, which goes on until
it is told otherwise. What is not signed, such as the requests of the tests and of the launcher, gets through.

In China IAM is signed for cn-north-1, elsewhere for us-east-1: with that region IAM is gone, too.
"""

import re
import threading
from collections import Counter
from urllib.parse import parse_qs

from ministack.core.responses import get_region
from ministack.core.router import extract_signed_region

_SERVICE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
FUNCTION = "exec-env/AWS_Lambda_"  # botocore's User-Agent in a function
_down: set[str] = set()
_calls: dict[str, Counter] = {}
_lock = threading.Lock()


def install() -> None:
    from hypercorn.protocol.events import Request, StreamClosed
    from hypercorn.protocol.http_stream import HTTPStream
    from ministack.services import eventbridge

    serve, invoke_target = HTTPStream.handle, eventbridge._invoke_target

    async def handle(stream, event):
        if _down and isinstance(event, Request) and _is_cut_off(event):
            stream.closed = True  # nothing of this request goes any further, and no answer comes
            await stream.send(StreamClosed(stream_id=stream.stream_id))
            return
        await serve(stream, event)

    def invoke(*arguments, **keywords):
        """Rules are not acted upon in a region that is gone."""
        return None if is_down(get_region()) else invoke_target(*arguments, **keywords)

    HTTPStream.handle = handle
    eventbridge._invoke_target = invoke


def switch(region: str, down: bool) -> None:
    """Counting begins anew with each outage; what was counted stays to be read after it."""
    with _lock:
        if down:
            _down.add(region)
            _calls[region] = Counter()
        else:
            _down.discard(region)
    _wake_mappings()


def switch_off() -> None:
    with _lock:
        _down.clear()
        _calls.clear()
    _wake_mappings()


def is_down(region: str) -> bool:
    return region in _down


def described() -> dict:
    with _lock:
        return {
            region: {"down": region in _down, "calls": counted.total(), "by_call": dict(counted)}
            for region, counted in _calls.items()
        }


def _is_cut_off(request) -> bool:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
    path, _mark, query = request.raw_path.decode("latin-1").partition("?")
    region = extract_signed_region(headers, parse_qs(query))
    with _lock:
        if region not in _down:
            return False
        if FUNCTION not in headers.get("user-agent", ""):
            _calls[region][_name(request.method, path, headers)] += 1
    return True


def _name(method: str, path: str, headers: dict) -> str:
    """``dynamodb ListTables`` where the header says it, else ``s3 GET /bucket/key``."""
    found = _SERVICE.search(headers.get("authorization", ""))
    operation = headers.get("x-amz-target", "").rpartition(".")[2] or f"{method} {path}"
    return f"{found[1] if found else 'presigned'} {operation}"


def _wake_mappings() -> None:
    """Lanes that stand still go on, or the other way round."""
    from ..mappings import supervisor

    supervisor.wake_all()
