"""Prompt files mapped into memory, and call progress tones made there, once for all legs that play them."""

import mmap
import os
from collections import OrderedDict
from typing import Final

import numpy as np

from telephony.media import tones
from telephony.media.g711 import Samples
from telephony.media.tone_plans import Country

MAX_CLIPS: Final = 256
TONE: Final = "tone:"
"""What the path of a tone begins with; its name follows."""

_Key = tuple[str, int, int, int]


class Clips:
    """The `MAX_CLIPS` files used last, and every tone of a country. Legs keep what they play, even after it has left
    here."""

    def __init__(self, country: Country = "vn") -> None:
        self._country = country
        self._clips: OrderedDict[_Key, Samples] = OrderedDict()

    def open(self, path: str) -> Samples:
        """Return a file's samples, or a tone's (`tone:busy`), int16[n]. Raises `OSError` and `tones.UnknownTone`."""
        if path.startswith(TONE):
            return tones.progress(self._country, path.removeprefix(TONE))
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
