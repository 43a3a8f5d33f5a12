"""Where libopus is: the system's, or the one that PyAV's wheel brings along."""

import ctypes
import ctypes.util
import importlib.util
import logging
from pathlib import Path

from telephony.media import opus

log = logging.getLogger("hotline.media")


def find() -> opus.Library | None:
    """Return libopus, None where there is none: then browsers and phones speak G.711."""
    for path in _places():
        try:
            return opus.bind(ctypes.CDLL(path))
        except (OSError, AttributeError) as error:
            log.debug("opus_not_loaded path=%s cause=%r", path, str(error))
    log.warning("opus_missing cause='neither the system nor PyAV has libopus; browsers speak G.711'")
    return None


def _places() -> list[str]:
    system = ctypes.util.find_library("opus")
    spec = importlib.util.find_spec("av")
    bundled = Path(spec.origin).parent.parent / "av.libs" if spec is not None and spec.origin else None
    wheels = sorted(map(str, bundled.glob("libopus*"))) if bundled is not None else []
    return [*([system] if system else []), *wheels]
