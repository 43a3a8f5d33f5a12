"""The far ends of all legs, in one process: `python -m bench.media_load`, started by `bench.media`.

Rule 1: one socket stands for every far end. The worker gives each leg a port of its own, so the port that a packet goes
to or comes from tells the leg; hundreds of packets go and come in one system call.

Rule 2: what is measured is the worker. When a packet came is what the kernel noted, not when it was read; and how late
this process itself was in sending is told (`load_late_ms`), so that a row can be distrusted.

Rule 3: everything that comes is judged, octet by octet, while the run lasts; the figures are made at its end.
"""

import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from bench import media_blocks as said
from bench.batch_udp import Heard, Integers, Octets, Receiver, Sender, bind
from bench.media_figures import UNNUMBERED, Judged, figures
from bench.media_tones import ToneCheck
from telephony.edge.secure_rtp import SecureRtp
from telephony.events import Srtp
from telephony.media import g711
from telephony.media.dtmf import COLUMNS_HZ, KEYS, ROWS_HZ

TICK_S: Final = 0.02
PHASES: Final = 20
"""Senders are spread over the tick, as callers are."""
HEADER: Final = 12
PCMU_OCTETS: Final = HEADER + said.OCTETS
EVENT_TYPE: Final = 101
OPUS_TYPE: Final = 111
OPUS_CLOCK: Final = 960
PRESS_EVERY: Final = 100
PRESS_TICKS: Final = 5
END_PACKETS: Final = 3
SPREAD: Final = 13
"""How many ticks after its neighbour a leg presses its key."""


class Plan(msgspec.Struct, frozen=True):
    """What to say and what to expect. `begin` is of the monotonic clock; what came before is warm-up.

    `expects[i]` is whose blocks leg i has to hear. With `talks` legs say blocks of their own, else silence. `group` is
    how many legs are in a conference. `presses`: every leg presses a key every two seconds as telephone-event, and is
    to hear the prompt of that key; `tones`: as tones in its audio. `keys` are what encrypts legs. With `opus` every
    second leg speaks Opus, and all say a tone.
    """

    ports: list[int]
    begin: float
    seconds: float
    expects: list[int]
    talks: bool = False
    group: int = 1
    presses: bool = False
    tones: bool = False
    keys: list[Srtp] = []
    opus: bool = False


@dataclass
class _Pressed:
    """Keys that wait for their prompts."""

    prompt: Integers
    at_ns: Integers
    reactions_ns: list[Integers] = field(default_factory=list)
    unanswered: int = 0
    pressed: int = 0

    def press(self, legs: Integers, prompts: Integers, now_ns: int, measured: bool) -> None:
        if measured:
            self.unanswered += int((self.prompt[legs] >= 0).sum())
            self.pressed += len(legs)
        self.prompt[legs], self.at_ns[legs] = prompts, now_ns

    def heard(self, legs: Integers, speakers: Integers, at_ns: Integers) -> None:
        answered = np.flatnonzero(self.prompt[legs] == speakers)
        if answered.size:
            legs, first = np.unique(legs[answered], return_index=True)
            self.reactions_ns.append(at_ns[answered[first]] - self.at_ns[legs])
            self.prompt[legs] = -1


class Load:
    """Says and hears what the plan says."""

    def __init__(self, plan: Plan, udp: Any) -> None:
        n = len(plan.ports)
        self.plan = plan
        # Rows are legs ordered by phase, so that those of a phase are neighbours.
        self._legs = np.argsort(np.arange(n) % PHASES, kind="stable")
        self._bounds = np.searchsorted(self._legs % PHASES, np.arange(PHASES + 1)) if n else np.zeros(PHASES + 1)
        ports = np.array(plan.ports, np.int64)
        self._sender = Sender(udp, ports[self._legs], PCMU_OCTETS)
        self._receiver = Receiver(udp)
        self._leg_of = np.full(65536, -1, np.int64)
        self._leg_of[ports] = np.arange(n)
        self._sent_ns = np.zeros((said.COUNTED, PHASES), np.int64)
        self._expects = np.array(plan.expects, np.int64)
        self._bodies = said.bodies(np.arange(n))
        self._heard_bodies = self._expected_bodies()
        self._prompt_bodies = said.bodies(said.PROMPT - np.arange(said.PROMPTS))
        self._talkers = np.arange(n) % plan.group == 0
        self._secured = [_secured(key) for key in plan.keys]
        self._pressed = _Pressed(np.full(n, -1, np.int64), np.zeros(n, np.int64))
        self._tones = _tone_payloads() if plan.tones else np.zeros((0, 0, 0), np.uint8)
        self._odd_clock = OPUS_CLOCK if plan.opus else said.OCTETS
        self.tones_sent = 0
        self._last_press = 0
        self._check = ToneCheck(n, OPUS_CLOCK) if plan.opus else None
        self._judged: list[Judged] = []
        self._late_s: list[float] = []
        offset = time.time_ns() - time.monotonic_ns()
        self._begin_ns = int(plan.begin * 1e9) + offset
        self._end_ns = self._begin_ns + int(plan.seconds * 1e9)
        self._prepare()

    def run(self) -> dict[str, object]:
        """Talk and listen until the plan's end; return the figures."""
        first = time.monotonic()
        self._last_press = int((self.plan.begin + self.plan.seconds - first) / TICK_S) - 2 * PRESS_TICKS
        end = self.plan.begin + self.plan.seconds
        step = 0
        while True:
            due = first + step * TICK_S / PHASES
            now = time.monotonic()
            if due > now:
                time.sleep(due - now)
                now = time.monotonic()
            if now >= end:
                break
            if now >= self.plan.begin:
                self._late_s.append(now - due)
            self._say(*divmod(step, PHASES), measured=now >= self.plan.begin)
            self._listen()
            step += 1
        self._listen()
        return self._figures()

    # ------------------------------------------------------------------------------------------------ saying

    def _prepare(self) -> None:
        packets, legs = self._sender.packets, self._legs
        packets[:, 0] = 0x80
        packets[:, 8:12] = (legs + 1).astype(">u4").view(np.uint8).reshape(-1, 4)
        packets[:, HEADER:PCMU_OCTETS] = said.SILENCE
        if self.plan.talks:
            packets[:, HEADER + said.DIGITS : PCMU_OCTETS] = self._bodies[legs]
        if self._check is not None:
            packets[:, 1] = np.where(legs % 2, OPUS_TYPE, 0)
            packets[:, HEADER:PCMU_OCTETS] = self._check.pcmu[legs]

    def _say(self, tick: int, phase: int, measured: bool) -> None:
        begin, end = int(self._bounds[phase]), int(self._bounds[phase + 1])
        if begin == end:
            return
        packets, legs = self._sender.packets[begin:end], self._legs[begin:end]
        clock = np.where(legs % 2, self._odd_clock, said.OCTETS)
        packets[:, 2:4] = np.frombuffer((tick & 0xFFFF).to_bytes(2, "big"), np.uint8)
        packets[:, 4:8] = (tick * clock & 0xFFFFFFFF).astype(">u4").view(np.uint8).reshape(-1, 4)
        if self._check is not None:
            self._say_opus(self._check, begin, packets, legs, tick)
        elif self.plan.talks:
            talking = self._talkers[legs]
            packets[talking, HEADER : HEADER + said.DIGITS] = said.heads(legs[talking], tick)
        if self.plan.tones:
            self._say_tones(packets, legs, tick)
        if self.plan.presses:
            self._press(begin, packets, legs, tick, measured)
        plain = self._seal(begin, packets, legs) if self._secured else None
        self._sent_ns[tick % said.COUNTED, phase] = time.time_ns()
        self._sender.send(begin, end)
        if plain is not None:
            packets[:, :PCMU_OCTETS] = plain

    def _seal(self, begin: int, packets: Octets, legs: Integers) -> Octets:
        plain = packets[:, :PCMU_OCTETS].copy()
        for row, leg in enumerate(legs.tolist()):
            sealed = self._secured[leg].seal(plain[row].tobytes())
            packets[row, : len(sealed)] = np.frombuffer(sealed, np.uint8)
            self._sender.lengths[begin + row] = len(sealed)
        return plain

    def _say_opus(self, check: ToneCheck, begin: int, packets: Octets, legs: Integers, tick: int) -> None:
        for row, leg in enumerate(legs.tolist()):
            if leg % 2:
                payload = check.opus_payload(leg, tick)
                packets[row, HEADER : HEADER + len(payload)] = np.frombuffer(payload, np.uint8)
                self._sender.lengths[begin + row] = HEADER + len(payload)

    def _say_tones(self, packets: Octets, legs: Integers, tick: int) -> None:
        """Put 100 ms of a key's tone in place of a leg's pattern."""
        at = (tick + SPREAD * legs) % PRESS_EVERY
        begun = tick - at
        whole = (begun >= 0) & (begun <= self._last_press)
        pressing = np.flatnonzero(whole & (at < PRESS_TICKS))
        packets[pressing, HEADER:PCMU_OCTETS] = self._tones[legs[pressing] % len(KEYS), at[pressing]]
        self.tones_sent += int((whole & (at == 0)).sum())
        after = np.flatnonzero(at == PRESS_TICKS)
        packets[after, HEADER + said.DIGITS : PCMU_OCTETS] = self._bodies[legs[after]]

    def _press(self, begin: int, packets: Octets, legs: Integers, tick: int, measured: bool) -> None:
        """Send a key as RFC 4733 does, in place of audio: all packets of it bear the time of its beginning."""
        at = (tick + SPREAD * legs) % PRESS_EVERY
        key = 1 + (tick + SPREAD * legs) // PRESS_EVERY % 2
        pressing = np.flatnonzero(at < PRESS_TICKS + END_PACKETS)
        packets[:, 1] = 0
        self._sender.lengths[begin : begin + len(legs)] = PCMU_OCTETS
        packets[:, HEADER : HEADER + 4] = said.SILENCE
        if not pressing.size:
            return
        at, key = at[pressing], key[pressing]
        duration = said.OCTETS * np.minimum(at + 1, PRESS_TICKS)
        packets[pressing, 1] = EVENT_TYPE | 0x80 * (at == 0)
        packets[pressing, 4:8] = ((tick - at) * said.OCTETS & 0xFFFFFFFF).astype(">u4").view(np.uint8).reshape(-1, 4)
        event = np.stack([key, 10 | 0x80 * (at >= PRESS_TICKS), duration >> 8, duration & 0xFF], axis=1)
        packets[pressing, HEADER : HEADER + 4] = event
        self._sender.lengths[begin + pressing] = HEADER + 4
        new = at == 0
        if new.any():
            self._pressed.press(legs[pressing[new]], said.PROMPT - key[new], time.time_ns(), measured)

    # ------------------------------------------------------------------------------------------------ hearing

    def _expected_bodies(self) -> Octets:
        if self.plan.group == 1:
            return said.bodies(self._expects)
        size = self.plan.group
        groups = [said.summed(self._bodies[i : i + size]) for i in range(0, len(self._bodies), size)]
        return np.concatenate(groups)

    def _listen(self) -> None:
        while (heard := self._receiver.read()) is not None:
            legs = self._leg_of[heard.ports]
            known = legs >= 0
            if not known.all():
                heard = Heard(heard.rows[known], heard.lengths[known], heard.ports[known], heard.at_ns[known])
                legs = legs[known]
            self._judge(heard, legs)
            if len(heard.lengths) < len(self._receiver._rows) // 2:
                return

    def _judge(self, heard: Heard, legs: Integers) -> None:
        rows = self._unsealed(heard, legs) if self._secured else heard.rows
        sequence = rows[:, 2].astype(np.int64) << 8 | rows[:, 3]
        audio = rows[:, HEADER:PCMU_OCTETS]
        speakers, numbers = said.read_heads(audio)
        if self._check is not None:
            if heard.at_ns[0] >= self._end_ns - 1_000_000_000:
                self._check.keep(rows, heard.lengths, legs)
            right = np.ones(len(legs), np.bool_)
            speakers, numbers = self._expects[legs], sequence % said.COUNTED
        elif self.plan.presses:
            which = said.PROMPT - speakers
            silent = speakers == UNNUMBERED
            right = (which >= 0) & (which < said.PROMPTS)
            right &= (audio[:, said.DIGITS :] == self._prompt_bodies[np.where(right, which, 0)]).all(axis=1)
            right |= silent & (audio == said.SILENCE).all(axis=1)  # between one prompt and the next
            self._pressed.heard(legs, speakers, heard.at_ns)
        else:
            right = (speakers == self._expects[legs]) & (audio[:, said.DIGITS :] == self._heard_bodies[legs]).all(
                axis=1
            )
        own = right & (speakers < len(self._expects)) & (self._check is None)
        sent_ns = self._sent_ns[np.where(own, numbers, 0), np.where(own, speakers, 0) % PHASES]
        delay = np.where(own, heard.at_ns - sent_ns, -1)
        other = (speakers >= 0) & (speakers < len(self._bodies)) & (speakers != self._expects[legs])
        foreign = other & (audio[:, said.DIGITS :] == self._bodies[np.where(other, speakers, 0)]).all(axis=1)
        self._judged.append(Judged(legs, heard.at_ns, sequence, speakers, numbers, right, delay, foreign))

    def _unsealed(self, heard: Heard, legs: Integers) -> Octets:
        rows = heard.rows.copy()
        for row, (leg, length) in enumerate(zip(legs.tolist(), heard.lengths.tolist(), strict=True)):
            opened = self._secured[leg].open(rows[row].data, length)
            rows[row, opened:] = 0
        return rows

    def _figures(self) -> dict[str, object]:
        counts = self._judged or [Judged.none()]
        found = figures(Judged.together(counts), self._expects, self._begin_ns, self.plan.seconds)
        late_ms = 1000 * np.percentile(self._late_s or [0.0], 99)
        found["load_late_ms"] = round(float(late_ms), 2)
        if self.plan.presses:
            reactions = np.concatenate([*self._pressed.reactions_ns, np.zeros(0, np.int64)]) / 1e6
            p50, p99 = np.percentile(reactions, [50, 99]) if reactions.size else (float("nan"),) * 2
            found |= {"key_to_prompt_p50_ms": round(float(p50), 1), "key_to_prompt_p99_ms": round(float(p99), 1)}
            found |= {"keys": self._pressed.pressed, "failed": self._pressed.unanswered}
        if self.plan.tones:
            found["keys"] = self.tones_sent
        if self._check is not None:
            found["wrong"] = self._check.wrong(self._expects)
        return found


def _secured(key: Srtp) -> SecureRtp:
    secured = SecureRtp()
    secured.use(key)
    return secured


def _tone_payloads() -> Octets:
    """Return 100 ms of each key's tones: uint8[16, PRESS_TICKS, 160]."""
    at = np.arange(PRESS_TICKS * said.OCTETS) / 8000
    pairs = [(row, column) for row in ROWS_HZ for column in COLUMNS_HZ]
    waves = np.array([np.sin(2 * np.pi * row * at) + np.sin(2 * np.pi * column * at) for row, column in pairs])
    samples = (6000 * waves).astype(np.int16).reshape(-1, said.OCTETS)
    return g711.encode(samples, np.zeros(len(samples), np.uint8)).reshape(len(pairs), PRESS_TICKS, said.OCTETS)


def main() -> None:
    """Say which port is ours, take the plan from standard input, print the figures."""
    udp = bind()
    _tell({"port": udp.getsockname()[1]})
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    load = Load(plan, udp)
    _tell(load.run())


def _tell(message: object) -> None:
    print(msgspec.json.encode(message).decode(), flush=True)  # noqa: T201 (the pipe to the measuring side)


if __name__ == "__main__":
    main()
