"""Where scenarios are played with sound: voices and recognisers, loaded once for all of them."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from msgspec.structs import replace

from hotline import models
from hotline.config import Settings
from hotline.trials.audio.call import NotForEars, Playing, with_heard
from hotline.trials.audio.sound import Sound
from hotline.trials.audio.spoken import Spoken
from hotline.trials.depth import Came, ToPlay
from ivr_flows.trials.playing import with_parameters
from ivr_flows.trials.verdict import compared
from recordings.transcribe.hear import Hearer
from recordings.transcribe.recogniser import RecogniserCache, missing
from telephony.events import Event


class Room:
    """A context: what was rendered is thrown away at its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._recognisers = models.recognisers(settings)
        self._cache = RecogniserCache(len(self._recognisers))
        self._stack = ExitStack()

    def __enter__(self) -> "Room":
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hotline-trial-"))
        spoken = Spoken(Path(folder), models.voices(self._settings), self._settings.media.tones)
        self._spoken = self._stack.enter_context(spoken)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(self, one: ToPlay) -> Came:
        """Play a scenario; return what came of it, or why it could not be played."""
        parameters = one.scenario.world.parameters
        prepared = with_parameters(one.prepared, parameters) if parameters else one.prepared
        try:
            heard = Playing(prepared, one.scenario, self._spoken, self._missing, self._sound).play(
                one.logic.played.lasted_s
            )
        except NotForEars as reason:
            return str(reason)
        verdict = compared(prepared, one.scenario, heard.played)
        wrong = tuple(with_heard(each, heard.utterances) for each in verdict.disappointments)
        return replace(verdict, disappointments=(*wrong, *heard.wrong))

    def _sound(self, happened: Callable[[Event], None]) -> Sound:
        languages = [language for language in self._recognisers if not self._missing(language)]
        hearer = Hearer(self._recognisers, self._cache)
        return Sound(self._settings, self._spoken, hearer, languages, happened)

    def _missing(self, language: str) -> str:
        return " ".join(missing(self._recognisers, [language]))
