"""A worker for the tests: answers `RenderPrompt` with `PromptRendered`, dies when asked for the
prompt `die`, and says what nobody understands when asked for `nonsense`."""

import argparse
import os
import socket

from telephony.edge.wire import Decoder, ToSpeech, encode
from telephony.events import PromptRendered, RenderPrompt, WorkerStarted


def main() -> None:
    """Serve one socket until it closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--fail", action="store_true")
    arguments = parser.parse_args()
    if arguments.fail:
        raise SystemExit(3)
    decoder: Decoder[RenderPrompt] = Decoder(ToSpeech)
    with socket.socket(fileno=arguments.fd) as control:
        control.sendall(encode(WorkerStarted("render", os.getpid())))
        while data := control.recv(65536):
            for message in decoder.feed(data):
                if message.value == "die":
                    os._exit(7)
                if message.value == "nonsense":
                    control.sendall(b"\xff" * 100)
                control.sendall(encode(PromptRendered(message.key)))


if __name__ == "__main__":
    main()
