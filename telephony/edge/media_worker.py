"""The media worker's process: `python -m telephony.edge.media_worker --fd N --settings JSON`.

`N` is one end of a Unix stream socket pair; it carries `ToMedia` in and `FromMedia` out (`telephony.edge.wire`), the
first message out being `WorkerStarted`. The process ends when the other side closes, or on SIGTERM; SIGINT is left to
the control process. `JSON` is a `MediaSettings`.
"""

import argparse
import logging
import os
import resource
import signal
import sys
from collections.abc import Sequence

import msgspec

from telephony.edge import scheduling
from telephony.edge.ice_servers import IceServer
from telephony.edge.media_settings import ICE_SERVERS, MediaSettings

log = logging.getLogger("hotline.media")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the control process closes the socket or SIGTERM comes; return the exit status."""
    parser = argparse.ArgumentParser(prog="media_worker", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the socket to the control process")
    parser.add_argument("--settings", required=True, help="MediaSettings as JSON")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("aioice").setLevel(logging.WARNING)  # a line for every check of every pair
    try:
        settings = msgspec.json.decode(chosen.settings, type=MediaSettings)
        if servers := os.environ.pop(ICE_SERVERS, ""):
            told = msgspec.json.decode(servers, type=tuple[IceServer, ...])
            settings = msgspec.structs.replace(settings, ice_servers=(*settings.ice_servers, *told))
    except msgspec.DecodeError as error:
        log.error("bad_settings cause=%r", str(error))
        return 2
    # One thread for everything: a second one in the linear algebra would only take the other core from others. It is
    # read once, when numpy is imported; hence the late import.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from telephony.edge.media_loop import MediaLoop  # noqa: PLC0415

    _allow_sockets()
    scheduling.keep_to(settings.cores)
    scheduling.go_before(settings.nice)
    # The lowest free descriptor, because select() takes none beyond 1023.
    control = os.dup(chosen.fd)
    os.close(chosen.fd)
    # The thread that writes spools gives way at once when a tick is due.
    sys.setswitchinterval(0.0005)
    loop = MediaLoop(settings, control)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    loop.run()
    return 0


def _allow_sockets() -> None:
    """Take as many open files as the system grants: each leg has a socket."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
