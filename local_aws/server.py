# SPDX-License-Identifier: GPL-3.0-or-later
"""One side's process: install the patches, then serve the emulator on the inherited socket until SIGTERM."""

import argparse
import asyncio
import contextlib
import dataclasses
import importlib
import logging
import os
import resource
import shutil
import signal
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config

from . import patches
from .sides import SIDES


def main() -> None:
    options = _options()
    side = dataclasses.replace(SIDES[options.side], port=options.port)
    _raise_descriptor_limit()
    patches.install_all(side)
    asyncio.run(_serve(options))
    _end()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=sorted(SIDES), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--descriptor", type=int, required=True)
    parser.add_argument("--token", required=True)  # only there to be seen in the process list
    parser.add_argument("--door-descriptor", type=int)
    parser.add_argument("--door-certificate")
    return parser.parse_args()


def _raise_descriptor_limit() -> None:
    """A burst of clients needs more than the usual 1024 descriptors."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(options: argparse.Namespace) -> None:
    config = Config()
    config.bind = [f"fd://{options.descriptor}"]
    if options.door_descriptor is not None:
        _open_door(config, options.door_descriptor, options.door_certificate)
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1.0  # clients hold idle connections open for ever
    config.loglevel = os.environ["LOG_LEVEL"]
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    emulator = importlib.import_module("ministack.app")  # not before the patches: they change how it is loaded
    await serve(emulator.app, config, shutdown_trigger=stopped.wait)


def _open_door(config: Config, descriptor: int, certificate: str) -> None:
    """With a certificate hypercorn takes what is bound for TLS, unless it is bound as insecure."""
    config.insecure_bind, config.bind = config.bind, [f"fd://{descriptor}"]
    config.certfile = config.keyfile = certificate
    config.alpn_protocols = ["http/1.1"]


def _end() -> None:
    """Take the Lambda workers and their folders along. Daemon threads may be in any state, so exit hard."""
    patches.reset_all()
    workers = sys.modules.get("ministack.core.lambda_runtime")
    if workers is not None:
        workers.reset()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
