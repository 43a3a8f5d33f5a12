"""A piece of a recording as a WAV file of its own."""

import io
import wave
from pathlib import Path


class NoClip(ValueError):
    """Nothing can be cut from a file; the text says why."""


def cut(path: Path, since: float, until: float) -> bytes:
    """Return the WAV file of a recording from `since` to `until`, in seconds from its start; as much as there is.

    Raises `NoClip` and `OSError`.
    """
    try:
        with wave.open(str(path), "rb") as sound:
            rate, frames = sound.getframerate(), sound.getnframes()
            first, last = (min(frames, round(at * rate)) for at in (since, until))
            if first >= last:
                raise NoClip(f"{path.name} is {frames / rate:.2f} s long: there is nothing at {since:.2f} s")
            sound.setpos(first)
            samples, shape = sound.readframes(last - first), (sound.getnchannels(), sound.getsampwidth(), rate)
    except (EOFError, wave.Error) as error:
        raise NoClip(f"{path.name} is no WAV file: {error}") from error
    made = io.BytesIO()
    with wave.open(made, "wb") as piece:
        piece.setnchannels(shape[0])
        piece.setsampwidth(shape[1])
        piece.setframerate(shape[2])
        piece.writeframes(samples)
    return made.getvalue()
