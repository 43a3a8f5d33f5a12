"""One thing to be heard. It stands alone, since requests as well as events speak of it."""

from typing import Literal

import msgspec

RenderedKind = Literal["text", "file", "music"]
PromptKind = RenderedKind | Literal["tone"]


class Prompt(msgspec.Struct, frozen=True):
    """One thing to be heard: words to be spoken, a `.wav` file, named music, or a call progress tone.

    `value` is the text, the file's path, or the name of the music or tone (`ringback`, `busy`: see
    `telephony.media.tone_plans`); `language` is a BCP 47 tag for text (`vi`, `en`).
    """

    kind: PromptKind
    value: str
    language: str = ""
