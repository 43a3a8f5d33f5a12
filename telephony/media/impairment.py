"""How a talk sounds, from what its network does: the E-model (ITU-T G.107), with its default values for everything that
is not measured, in the form of R. Cole and J. Rosenbluth, "Voice over IP performance monitoring" (2001).

    R = 93.2 - Id(delay) - Ie,eff(loss);  MOS by G.107 annex B
"""

from typing import Final

from telephony.events import Codec

DEFAULT_R: Final = 93.2
BEST_MOS: Final = 4.5
KNEE_MS: Final = 177.3
"""From this delay on people speak into each other's words."""
ROBUSTNESS: Final[dict[Codec, float]] = {
    "PCMU": 25.1,
    "PCMA": 25.1,
    "G722": 25.1,
    "L16/8000": 25.1,
    "L16/16000": 25.1,
    "opus": 25.1,
}
"""Bpl: how well losses are concealed. G.113 table I.3 has 25.1 for G.711 with concealment; for the others there is no
value on the narrow-band scale, and none of them is worse."""
IMPAIRMENT: Final = 0.0
"""Ie of codecs that lose nothing worth mentioning (G.113 table I.1: 0 for G.711)."""


def rating(delay_ms: float, loss: float, codec: Codec = "PCMU") -> float:
    """Return R, 0 to 100, for a delay from mouth to ear and a share of lost packets, 0 to 1."""
    late = max(0.0, delay_ms - KNEE_MS)
    by_delay = 0.024 * delay_ms + 0.11 * late
    lost = 100 * min(1.0, max(0.0, loss))
    by_loss = IMPAIRMENT + (95 - IMPAIRMENT) * lost / (lost + ROBUSTNESS[codec])
    return max(0.0, min(100.0, DEFAULT_R - by_delay - by_loss))


def mos(rating_: float) -> float:
    """Return the mean opinion score of an R, 1 to 4.5 (G.107 annex B). The formula dips below 1 for the smallest."""
    if rating_ <= 0:
        return 1.0
    if rating_ >= 100:
        return BEST_MOS
    return max(1.0, 1 + 0.035 * rating_ + rating_ * (rating_ - 60) * (100 - rating_) * 7e-6)
