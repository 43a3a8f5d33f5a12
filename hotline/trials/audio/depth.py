"""Where scenarios are played with sound: voices and recognisers, loaded once for all of them."""

from collections.abc import Callable

from msgspec.structs import replace

from hotline.config import Settings
from hotline.trials.audio.call import Playing
from hotline.trials.audio.sound import Sound
from hotline.trials.depth import Came, ToPlay
from hotline.trials.speech import NotForEars, Speech, with_heard
from ivr_flows.trials.playing import with_parameters
from ivr_flows.trials.verdict import compared
from recordings.transcribe.hear import Hearer
from recordings.transcribe.recogniser import RecogniserCache
from telephony.events import Event


class Room:
    """A context: what was rendered is thrown away at its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._speech = Speech(settings)
        self._cache = RecogniserCache(len(self._speech.recognisers))

    def __enter__(self) -> "Room":
        self._speech.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._speech.__exit__(*exception)

    def play(self, one: ToPlay) -> Came:
        """Play a scenario; return what came of it, or why it could not be played."""
        parameters = one.scenario.world.parameters
        prepared = with_parameters(one.prepared, parameters) if parameters else one.prepared
        try:
            heard = Playing(prepared, one.scenario, self._speech, self._sound).play(one.logic.played.lasted_s)
        except NotForEars as reason:
            return str(reason)
        verdict = compared(prepared, one.scenario, heard.played)
        wrong = tuple(with_heard(each, heard.utterances) for each in verdict.disappointments)
        return replace(verdict, disappointments=(*wrong, *heard.wrong))

    def _sound(self, happened: Callable[[Event], None]) -> Sound:
        recognisers = self._speech.recognisers
        languages = [language for language in recognisers if not self._speech.missing(language)]
        hearer = Hearer(recognisers, self._cache)
        return Sound(self._settings, self._speech.spoken, hearer, languages, happened)
