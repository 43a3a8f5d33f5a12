"""Playing prompts: cursors over sample arrays that all legs share (the edge maps the files into memory)."""

from collections.abc import Sequence

from telephony.media.g711 import Samples


class NothingToPlay(ValueError):
    """A playback without a single sample."""


class Playback:
    """One `PlaySamples` on one leg: its clips one after another, without a gap between them."""

    __slots__ = ("_at", "_clip", "_clips", "barge_in", "loop", "name", "over")

    def __init__(self, name: str, clips: Sequence[Samples], barge_in: bool, loop: bool) -> None:
        """Raises `NothingToPlay`."""
        self._clips = [clip for clip in clips if len(clip)]
        if not self._clips:
            raise NothingToPlay("the prompts hold no sample; render them again")
        self.name = name
        self.barge_in = barge_in
        self.loop = loop
        self._clip = 0
        self._at = 0
        self.over = False
        """Whether the last sample has been read."""

    def read_into(self, row: Samples) -> int:
        """Write the next samples into `row`, int16[160]; return how many there were. Fewer than 160: it is over."""
        clip, end = self._clips[self._clip], self._at + len(row)
        if end < len(clip) and not self.over:  # as nearly always
            row[:] = clip[self._at : end]
            self._at = end
            return len(row)
        done = 0
        while done < len(row) and not self.over:
            clip = self._clips[self._clip]
            part = clip[self._at : self._at + len(row) - done]
            row[done : done + len(part)] = part
            done += len(part)
            self._at += len(part)
            if self._at >= len(clip):
                self._next_clip()
        return done

    def _next_clip(self) -> None:
        self._at = 0
        self._clip = (self._clip + 1) % len(self._clips)
        self.over = not self._clip and not self.loop
