"""Prompt files mapped into memory, once for all legs that play them."""

import mmap
import os
from collections import OrderedDict
from typing import Final

import numpy as np

from telephony.media.g711 import Samples

MAX_CLIPS: Final = 256

_Key = tuple[str, int, int, int]


class Clips:
    """The `MAX_CLIPS` files used last. Legs keep what they play, even after it has left here."""

    def __init__(self) -> None:
        self._clips: OrderedDict[_Key, Samples] = OrderedDict()

    def open(self, path: str) -> Samples:
        """Return a file's samples, int16[n]. Raises `OSError`."""
        status = os.stat(path)
        # A path whose file was replaced is another clip.
        key = (path, status.st_ino, status.st_mtime_ns, status.st_size)
        clip = self._clips.get(key)
        if clip is None:
            clip = self._clips[key] = _map(path, status.st_size)
            if len(self._clips) > MAX_CLIPS:
                self._clips.popitem(last=False)
        self._clips.move_to_end(key)
        return clip


def _map(path: str, octets: int) -> Samples:
    if octets < 2:
        return np.zeros(0, np.int16)
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # Read ahead now, so that a tick does not wait for the disk.
    mapped.madvise(mmap.MADV_WILLNEED)
    return np.frombuffer(mapped, np.int16, len(mapped) // 2)
