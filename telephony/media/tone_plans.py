"""Call progress tones by country: which frequencies, in which cadence. Data alone; `tones` makes samples of it.

Sources. E.180 is ITU-T E.180/Q.35 (03/1998). "The ITU's list" is Various tones used in national networks, annex to ITU
Operational Bulletin 781 (2003), which took the place of E.180's Supplement 2. Where a country's plan has no special
information tone, E.180's stands in: 950, 1400 and 1800 Hz, each for 330 ms, then a second of silence.

| | besides the ITU's list |
|---|---|
| au | AS/ACIF S002; what it has for a number out of service is the special tone |
| cn | GB 3380: the special tone is that of a number that is not in use |
| de | 1 TR 110-1 |
| fr | the interface specifications (STI) of France Telecom, for congestion and waiting |
| gb | BT SIN 350 |
| jp | NTT, Technical Reference of Telephone Service Interfaces: ringing is 400 Hz modulated by 16 Hz, 85 % |
| kr | |
| sg | IMDA TS PSTN: ringing and waiting are 425 Hz modulated by 24 Hz |
| us | E.300-series Supplement 3, the precise tone plan |
| vn | has no row there: 425 Hz and the cadences that E.180 recommends; for waiting what rows with such tones have |
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Country = Literal["au", "cn", "de", "fr", "gb", "jp", "kr", "sg", "us", "vn"]
ToneName = Literal["dial", "ringback", "busy", "congestion", "special", "waiting", "beep"]


class Burst(NamedTuple):
    """One sound and the silence after it. `hz` are frequencies of equal level, heard at once; `by_hz` modulates their
    amplitude, by the share `depth`; `below_db` is how much quieter it is than the rest of its tone."""

    hz: tuple[float, ...]
    on_s: float
    off_s: float = 0.0
    by_hz: float = 0.0
    depth: float = 0.0
    below_db: float = 0.0


Cadence = tuple[Burst, ...]
"""One period of a tone. A single burst without silence is continuous."""
Plan = Mapping[ToneName, Cadence]


def _even(hz: tuple[float, ...], each_s: float) -> Cadence:
    return (Burst(hz, each_s, each_s),)


def _continuous(*hz: float) -> Cadence:
    return (Burst(hz, 1.0),)  # whole frequencies: a second of them has no seam


def _twice(hz: tuple[float, ...], on_s: float, between_s: float, off_s: float) -> Cadence:
    return (Burst(hz, on_s, between_s), Burst(hz, on_s, off_s))


def _special(on_s: float = 0.33, between_s: float = 0.0) -> Cadence:
    low, middle, high = ((hz,) for hz in (950.0, 1400.0, 1800.0))
    return (Burst(low, on_s, between_s), Burst(middle, on_s, between_s), Burst(high, on_s, 1.0))


_BEEP: Final = (Burst((1000.0,), 0.4, 0.1),)
"""What is heard before a message is left: the same everywhere, and no country's own."""
_400, _425, _440, _450 = (400.0,), (425.0,), (440.0,), (450.0,)

PLANS: Final[Mapping[Country, Plan]] = {
    "au": {
        "dial": _continuous(413, 438),
        "ringback": _twice((413, 438), 0.4, 0.2, 2.0),
        "busy": _even(_425, 0.375),
        "congestion": (Burst(_425, 0.375, 0.375), Burst(_425, 0.375, 0.375, below_db=10.0)),
        "special": (Burst(_425, 2.5, 0.5),),
        "waiting": _twice(_425, 0.2, 0.2, 4.4),
        "beep": _BEEP,
    },
    "cn": {
        "dial": _continuous(450),
        "ringback": (Burst(_450, 1.0, 4.0),),
        "busy": _even(_450, 0.35),
        "congestion": _even(_450, 0.7),
        "special": (*_even(_450, 0.1) * 3, Burst(_450, 0.4, 0.4)),
        "waiting": (Burst(_450, 0.4, 4.0),),
        "beep": _BEEP,
    },
    "de": {
        "dial": _continuous(425),
        "ringback": (Burst(_425, 1.0, 4.0),),
        "busy": _even(_425, 0.48),
        "congestion": _even(_425, 0.24),
        "special": _special(),
        "waiting": _twice(_425, 0.2, 0.2, 5.0),
        "beep": _BEEP,
    },
    "fr": {
        "dial": _continuous(440),
        "ringback": (Burst(_440, 1.5, 3.5),),
        "busy": _even(_440, 0.5),
        "congestion": _even(_440, 0.25),
        "special": _special(0.3, 0.03),
        "waiting": (Burst(_440, 0.3, 10.0),),
        "beep": _BEEP,
    },
    "gb": {
        "dial": _continuous(350, 440),
        "ringback": _twice((400, 450), 0.4, 0.2, 2.0),
        "busy": _even(_400, 0.375),
        "congestion": (Burst(_400, 0.4, 0.35), Burst(_400, 0.225, 0.525)),
        "special": _special(),
        "waiting": (Burst(_400, 0.1, 4.0),),
        "beep": _BEEP,
    },
    "jp": {
        "dial": _continuous(400),
        "ringback": (Burst(_400, 1.0, 2.0, by_hz=16.0, depth=0.85),),
        "busy": _even(_400, 0.5),
        "congestion": _even(_400, 0.5),
        "special": _even(_400, 0.1),
        "waiting": _twice(_400, 0.05, 0.45, 3.45),
        "beep": _BEEP,
    },
    "kr": {
        "dial": _continuous(350, 440),
        "ringback": (Burst((440, 480), 1.0, 2.0),),
        "busy": _even((480, 620), 0.5),
        "congestion": (Burst((480, 620), 0.3, 0.2),),
        "special": _special(),
        "waiting": _twice((350, 440), 0.25, 0.25, 3.25),
        "beep": _BEEP,
    },
    "sg": {
        "dial": _continuous(425),
        "ringback": (Burst(_425, 0.4, 0.2, 24.0, 1.0), Burst(_425, 0.4, 2.0, 24.0, 1.0)),
        "busy": _even(_425, 0.75),
        "congestion": _even(_425, 0.25),
        "special": _special(),
        "waiting": (Burst(_425, 0.3, 0.2, 24.0, 1.0), Burst(_425, 0.3, 3.2, 24.0, 1.0)),
        "beep": _BEEP,
    },
    "us": {
        "dial": _continuous(350, 440),
        "ringback": (Burst((440, 480), 2.0, 4.0),),
        "busy": _even((480, 620), 0.5),
        "congestion": _even((480, 620), 0.25),
        "special": _special(),
        "waiting": (Burst(_440, 0.3, 10.0),),
        "beep": _BEEP,
    },
    "vn": {
        "dial": _continuous(425),
        "ringback": (Burst(_425, 1.0, 4.0),),
        "busy": _even(_425, 0.5),
        "congestion": _even(_425, 0.25),
        "special": _special(),
        "waiting": _twice(_425, 0.2, 0.2, 4.4),
        "beep": _BEEP,
    },
}
