"""A prompt being played: a cursor over sample arrays that all legs share (the edge maps the files into memory)."""

from collections.abc import Sequence
from typing import Final

from telephony.clock import SAMPLE_RATE_HZ
from telephony.media.g711 import Samples

SAMPLES_PER_MS: Final = SAMPLE_RATE_HZ // 1000
QUIETEST_DB: Final = -60.0
LOUDEST_DB: Final = 12.0


class NothingToPlay(ValueError):
    """A playback without a single sample."""


class LevelOutOfRange(ValueError):
    """A level that is no level for a prompt."""


class Playback:
    """One `PlaySamples` on one leg: its clips one after another, without a gap between them.

    `at` is where in the present clip it is, in samples. Between two seams somebody else may count it on (see
    `telephony.media.playing`).
    """

    __slots__ = ("_clips", "_number", "at", "barge_in", "gain", "loop", "name", "over")

    def __init__(
        self,
        name: str,
        clips: Sequence[Samples],
        barge_in: bool,
        loop: bool,
        level_db: float = 0.0,
        offset_ms: int = 0,
    ) -> None:
        """Raises `NothingToPlay` and `LevelOutOfRange`."""
        self._clips = [clip for clip in clips if len(clip)]
        if not self._clips:
            raise NothingToPlay("the prompts hold no sample; render them again")
        if not QUIETEST_DB <= level_db <= LOUDEST_DB:
            raise LevelOutOfRange(
                f"a level of {level_db} dB; prompts are played at {QUIETEST_DB:.0f} to +{LOUDEST_DB:.0f} dB"
            )
        self.name = name
        self.barge_in = barge_in
        self.loop = loop
        self.gain = 10 ** (level_db / 20)
        """What its samples are multiplied by."""
        self._number = 0
        self.at = 0
        self.over = False
        """Whether the last sample has been read."""
        self.seek(offset_ms * SAMPLES_PER_MS)

    @property
    def clip(self) -> Samples:
        """The present clip, int16[n]."""
        return self._clips[self._number]

    @property
    def position(self) -> int:
        """How many samples, of all clips one after another, are before this place."""
        return sum(len(clip) for clip in self._clips[: self._number]) + self.at

    def seek(self, position: int) -> None:
        """Go on from another place, bounded to what there is. The end of a loop is its beginning."""
        position = min(max(position, 0), sum(map(len, self._clips)))
        for number, clip in enumerate(self._clips):
            self._number, self.at = number, position
            if position < len(clip):
                return
            position -= len(clip)
        self.at = len(self.clip)
        if self.loop:
            self._number = self.at = 0

    def read_into(self, row: Samples) -> int:
        """Write the next samples into `row`, int16[160]; return how many there were. Fewer than 160: it is over."""
        done = 0
        while done < len(row) and not self.over:
            part = self.clip[self.at : self.at + len(row) - done]
            row[done : done + len(part)] = part
            done += len(part)
            self.at += len(part)
            if self.at >= len(self.clip):
                self._next_clip()
        return done

    def _next_clip(self) -> None:
        self.at = 0
        self._number = (self._number + 1) % len(self._clips)
        self.over = not self._number and not self.loop
