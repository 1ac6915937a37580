# SPDX-License-Identifier: GPL-3.0-or-later
"""Warm Python functions answer at once, and survive an exception of their handler.

AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle": the environment is
kept and reused for the next invocation, also after a handler has raised (only a crash or a timeout resets
it); log lines belong to the invocation that wrote them, however many there are.

A function knows that it is one by AWS_EXECUTION_ENV ("Defined runtime environment variables"), and so does who reads the
User-Agent of its calls.

The emulator waits 50 ms for log lines of a handler that writes none, because nothing tells it that there
will be none; and it ends the worker process at every exception, which costs a cold start at each retry, and
names every exception Runtime.HandlerError. Here the worker marks the end of an invocation's log, and reports
an exception as an answer, with the fields of AWS's error object ("Using Lambda with Python", exceptions).
"""

import queue
import threading
import time

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from ..sides import Side

_SAY_WHERE = """import os, sys
os.environ["AWS_EXECUTION_ENV"] = "AWS_Lambda_python{}.{}".format(*sys.version_info)
"""
END_OF_LOG = "\x1eend of the invocation's log"
LOG_SECONDS = 1.0

_this_thread = threading.local()  # what the handler raised; an invocation is worked off by one thread

_ANSWER = (
    '            _real_stdout.write(json.dumps({"status": "error", "error": str(e), '
    '"trace": traceback.format_exc()}) + "\\n")\n'
    "        _real_stdout.flush()\n\nrun()\n"
)
_ANSWER_AND_MARK = """            _ms_raised = {"error": str(e), "trace": traceback.format_exc(), "type": type(e).__name__}
            _real_stdout.write(json.dumps({"status": "ok", "result": None, "raised": _ms_raised}) + "\\n")
        sys.stderr.write("\\n" + __END_OF_LOG__ + "\\n")
        sys.stderr.flush()
        _real_stdout.flush()

run()
"""


def install(_side: Side) -> None:
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if script.count(_ANSWER) != 1:
        raise RuntimeError("the emulator's Python worker is not the one this patch was written for")
    lambda_runtime._PYTHON_WORKER_SCRIPT = _SAY_WHERE + script.replace(
        _ANSWER, _ANSWER_AND_MARK.replace("__END_OF_LOG__", repr(END_OF_LOG))
    )
    _patch_worker(lambda_runtime.Worker)
    _patch_errors(lambda_svc)


def _patch_worker(worker_class) -> None:
    emulator_invoke, emulator_drain = worker_class.invoke, worker_class._drain_stderr_bounded

    def invoke(self, *arguments, **keywords):
        response = emulator_invoke(self, *arguments, **keywords)
        raised = response.pop("raised", None)
        _this_thread.raised = raised
        if raised:
            response.update(error=raised["error"], trace=raised["trace"], status="error")
        return response

    def drain(self):
        if not str(self.config.get("Runtime", "")).startswith("python") or self._proc is None:
            return emulator_drain(self)
        return _log_until_mark(self._stderr_queue)

    worker_class.invoke = invoke
    worker_class._drain_stderr_bounded = drain


def _patch_errors(lambda_service) -> None:
    emulator_execute = lambda_service._execute_function_warm

    def execute(function, event, request_id):
        _this_thread.raised = None
        result = emulator_execute(function, event, request_id)
        raised = _this_thread.raised
        if raised and result.get("error"):
            trace = raised["trace"].splitlines()
            result["body"] = {
                "errorMessage": raised["error"],
                "errorType": raised["type"],
                "requestId": request_id,
                "stackTrace": trace,
            }
        return result

    lambda_service._execute_function_warm = execute


def _log_until_mark(lines: queue.Queue) -> str:
    """All lines up to the mark; bounded, because a handler may have closed its stderr."""
    log, deadline = [], time.monotonic() + LOG_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            break
        if line.endswith(END_OF_LOG):
            break
        log.append(line)
    if log and not log[-1]:
        log.pop()  # the line end that precedes the mark
    return "\n".join(log)
