"""A worker's end of the socket to the control process, for a loop that must never wait for it."""

import logging
import select
import socket
from typing import Final

import msgspec

from telephony.edge.wire import LENGTH_OCTETS, MAX_FRAME_OCTETS, ToMedia, encode

READ_OCTETS: Final = 65536
MAX_UNSENT_OCTETS: Final = 16 * 1024 * 1024
"""A control process that lets this much pile up is as good as dead."""

log = logging.getLogger("hotline.media")


class ControlLink:
    """Commands in, events out. `closed` once the other side is gone."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._decoder: msgspec.msgpack.Decoder[ToMedia] = msgspec.msgpack.Decoder(ToMedia)
        self._received = bytearray()
        self._unsent = bytearray()
        self.closed = False

    def wait(self, timeout_s: float, *others: select.epoll) -> bool:
        """Wait for commands, at most so long, or until one of the others has something; return whether there are
        commands."""
        watched: list[socket.socket | select.epoll] = [self._socket, *others]
        return self._socket in select.select(watched, [], [], timeout_s)[0]

    def receive(self) -> list[ToMedia]:
        """Return the commands that have come. One that is broken is logged and left out."""
        try:
            octets = self._socket.recv(READ_OCTETS)
        except BlockingIOError:
            return []
        except OSError:
            octets = b""
        if not octets:
            self.closed = True
        self._received += octets
        return self._decoded()

    def send(self, event: msgspec.Struct) -> None:
        """Send an event, now or with a later `flush`."""
        self._unsent += encode(event)
        self.flush()

    def flush(self) -> None:
        """Send on what the socket did not take before."""
        if not self._unsent or self.closed:
            return
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.closed = True
            return
        del self._unsent[:sent]
        if len(self._unsent) > MAX_UNSENT_OCTETS:
            log.error("control_does_not_read unsent_octets=%d", len(self._unsent))
            self.closed = True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _decoded(self) -> list[ToMedia]:
        commands: list[ToMedia] = []
        position = 0
        while len(self._received) - position >= LENGTH_OCTETS:
            begin = position + LENGTH_OCTETS
            end = begin + int.from_bytes(self._received[position:begin], "big")
            if end - begin > MAX_FRAME_OCTETS:
                log.error("control_stream_broken frame_octets=%d", end - begin)
                self.closed = True
                break
            if len(self._received) < end:
                break
            try:
                commands.append(self._decoder.decode(bytes(self._received[begin:end])))
            except msgspec.DecodeError as error:
                log.error("command_broken octets=%d cause=%r", end - begin, str(error))
            position = end
        del self._received[:position]
        return commands
