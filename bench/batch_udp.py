"""Many datagrams in one call: sendmmsg(2) and recvmmsg(2) of Linux, with message headers laid out by numpy.

A load generator of one core has to send and receive as many packets as the measured process does, at a fraction of
its cost. Receiving tells when the kernel got each datagram (SO_TIMESTAMPNS): what is read late was not late.
"""

import ctypes
import errno
import os
import socket
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SO_TIMESTAMPNS: Final = 35
SO_RCVBUFFORCE: Final = 33
RECEIVE_BUFFER: Final = 32 * 1024 * 1024
MSG_DONTWAIT: Final = 0x40
AT_ONCE: Final = 1024
"""UIO_MAXIOV: the kernel takes no more messages in a call."""
ROW_OCTETS: Final = 1536
CONTROL_OCTETS: Final = 64

Octets = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Table = npt.NDArray[Any]

_HEADER: Final = np.dtype(
    {
        "names": ["name", "name_octets", "iov", "iovs", "control", "control_octets", "flags", "octets"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "u4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
"""struct mmsghdr of 64-bit Linux."""
_IOV: Final = np.dtype([("base", "u8"), ("octets", "u8")])
_ADDRESS: Final = np.dtype([("family", "=u2"), ("port", ">u2"), ("host", ">u4"), ("zero", "u8")])
_STAMP: Final = np.dtype([("octets", "u8"), ("level", "i4"), ("type", "i4"), ("seconds", "i8"), ("nanoseconds", "i8")])

_libc = ctypes.CDLL(None, use_errno=True)
LOOPBACK: Final = 0x7F000001


@dataclass(frozen=True, slots=True)
class Heard:
    """n datagrams: rows uint8[n, ROW_OCTETS] (good until the next read) with their lengths, the ports that they came
    from, and when the kernel had them, in nanoseconds of the real-time clock."""

    rows: Octets
    lengths: Integers
    ports: Integers
    at_ns: Integers


def bind(port: int = 0) -> socket.socket:
    """Return a UDP socket on loopback with a buffer for some ten thousand packets, and time stamps."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    udp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    udp.bind(("127.0.0.1", port))
    return udp


class Sender:
    """Sends the rows of `packets`, uint8[n, ROW_OCTETS], each to its own port on loopback."""

    def __init__(self, udp: socket.socket, ports: Integers, octets: int) -> None:
        n = len(ports)
        self._udp = udp
        self.packets = np.zeros((n, ROW_OCTETS), np.uint8)
        self._addresses = np.zeros(n, _ADDRESS)
        self._addresses["family"], self._addresses["port"] = socket.AF_INET, ports
        self._addresses["host"] = LOOPBACK
        self._iovs = np.zeros(n, _IOV)
        self._iovs["base"] = _places(self.packets)
        self.lengths = self._iovs["octets"]
        self.lengths[:] = octets
        self._headers = np.zeros(n, _HEADER)
        self._headers["name"], self._headers["name_octets"] = _places(self._addresses), _ADDRESS.itemsize
        self._headers["iov"], self._headers["iovs"] = _places(self._iovs), 1

    def send(self, begin: int, end: int) -> None:
        """Send rows `begin` to `end`. One that the kernel refuses (ICMP says that nobody is there) is left out."""
        while begin < end:
            count = min(AT_ONCE, end - begin)
            sent = _libc.sendmmsg(self._udp.fileno(), self._pointer(begin), count, 0)
            if sent < 0:
                number = ctypes.get_errno()
                if number == errno.EAGAIN:
                    time.sleep(0.0001)
                    continue
                if number != errno.ECONNREFUSED:
                    raise OSError(number, os.strerror(number))
            begin += max(1, sent)

    def _pointer(self, row: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._headers.ctypes.data + row * _HEADER.itemsize)


class Receiver:
    """Reads what has come."""

    def __init__(self, udp: socket.socket) -> None:
        self._udp = udp
        self._rows = np.zeros((AT_ONCE, ROW_OCTETS), np.uint8)
        self._addresses = np.zeros(AT_ONCE, _ADDRESS)
        self._control = np.zeros((AT_ONCE, CONTROL_OCTETS), np.uint8)
        self._iovs = np.zeros(AT_ONCE, _IOV)
        self._iovs["base"], self._iovs["octets"] = _places(self._rows), ROW_OCTETS
        self._headers = np.zeros(AT_ONCE, _HEADER)
        self._headers["name"], self._headers["iov"] = _places(self._addresses), _places(self._iovs)
        self._headers["iovs"] = 1
        self._headers["control"] = _places(self._control)
        self._headers["name_octets"], self._headers["control_octets"] = _ADDRESS.itemsize, CONTROL_OCTETS
        self._pointer = ctypes.c_void_p(self._headers.ctypes.data)

    def read(self) -> Heard | None:
        """Return up to `AT_ONCE` datagrams; None when there is none."""
        count = _libc.recvmmsg(self._udp.fileno(), self._pointer, AT_ONCE, MSG_DONTWAIT, None)
        if count <= 0:
            return None
        used = self._headers[:count]
        lengths = used["octets"].astype(np.int64)
        used["name_octets"], used["control_octets"] = _ADDRESS.itemsize, CONTROL_OCTETS
        stamps = self._control[:count, : _STAMP.itemsize].copy().view(_STAMP)[:, 0]
        at_ns = stamps["seconds"] * 1_000_000_000 + stamps["nanoseconds"]
        return Heard(self._rows[:count], lengths, self._addresses["port"][:count].astype(np.int64), at_ns)


def _places(rows: Table) -> npt.NDArray[np.uint64]:
    """The addresses in memory of an array's rows."""
    return np.arange(len(rows), dtype=np.uint64) * np.uint64(rows.strides[0]) + np.uint64(rows.ctypes.data)
