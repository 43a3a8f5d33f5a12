"""The Silero voice detector that faster-whisper brings along (MIT licence), for many voices at once.

Its file takes one voice: 32 ms after 32 ms of it go in along the first axis, which is time to the LSTM within. Here the
first axis is a leg each, and a run is the same 32 ms of all of them. For that the file is changed as it is read: one
transposition before the LSTM, so that its second axis, the batch, is what was its time, and the shapes of its memory,
whose second axis may be of any length then. Nothing else is: the weights are what they were.
"""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

WINDOW: Final = 512
"""Samples at 16 kHz that are new in each run."""
CONTEXT: Final = 64
"""Samples before them that are seen again."""
MEMORY: Final = 128
PACKAGE, RUNTIME = "faster_whisper", "onnxruntime"

# Field numbers of onnx.proto3.
_GRAPH, _NODE, _INPUT, _OUTPUT, _ATTRIBUTE = 7, 1, 11, 12, 5
_TYPE, _TENSOR, _SHAPE = 2, 1, 2
_PERM: Final = b"\n\x04perm"
_TIME_FIRST: Final = b"@\x00@\x02@\x01"
"""`ints` 0, 2, 1 of an attribute."""
_LEGS_SECOND: Final = b"@\x02@\x00@\x01"
_MEMORY_NAMES: Final = (b"\n\x01h", b"\n\x01c", b"\n\x02hn", b"\n\x02cn")
_ONE_BY_ANY_BY_MEMORY: Final = b"\n\x02\x08\x01" + b"\n\x00" + b"\n\x03\x08\x80\x01"

Edits = Mapping[int, Callable[[bytes], bytes]]


class NoModel(RuntimeError):
    """The detector cannot be used here, and what to do about it."""


class Silero:
    """The model. Raises `NoModel` where it is not installed, or is another one than this was made for."""

    def __init__(self) -> None:
        path = installed()
        import onnxruntime  # noqa: PLC0415 - of the extra `whisper`

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        try:
            self._session: Any = onnxruntime.InferenceSession(
                for_many(path.read_bytes()), options, providers=["CPUExecutionProvider"]
            )
            memory = np.zeros((2, 2, MEMORY), np.float32)
            likely, _ = self.run(np.zeros((2, CONTEXT + WINDOW), np.float32), memory)
        except Exception as error:  # onnxruntime has a class for every fault, and documents none
            raise NoModel(f"{path.name} is another model than this version knows: {error}") from error
        if likely.shape != (2,):
            raise NoModel(f"{path.name} is another model than this version knows: it answers {likely.shape}")

    def run(self, sound: Floats, memory: Floats) -> tuple[Floats, Floats]:
        """Return how likely each of n legs has voice, and its memory afterwards, from float32[n, CONTEXT + WINDOW]
        between -1 and 1 and float32[2, n, MEMORY]."""
        likely, hidden, cell = self._session.run(None, {"input": sound, "h": memory[:1], "c": memory[1:]})
        return likely, np.concatenate((hidden, cell))


def installed() -> Path:
    """Return where the model's file is, loading nothing. Raises `NoModel`."""
    if importlib.util.find_spec(RUNTIME) is None:
        raise NoModel("onnxruntime is not installed: pip install 'hotline[whisper]'")
    spec = importlib.util.find_spec(PACKAGE)
    folder = Path(spec.origin).parent / "assets" if spec is not None and spec.origin else None
    found = sorted(folder.glob("silero_vad*.onnx")) if folder is not None else []
    if not found:
        raise NoModel("faster-whisper is not installed, or has no Silero model: pip install 'hotline[whisper]'")
    return found[-1]


def for_many(model: bytes) -> bytes:
    """Return the model with legs where it had time. Raises `NoModel`."""
    memory = edited_by({_TYPE: edited_by({_TENSOR: edited_by({_SHAPE: lambda _: _ONE_BY_ANY_BY_MEMORY})})})

    def value(told: bytes) -> bytes:
        return memory(told) if told.startswith(_MEMORY_NAMES) else told

    def attribute(told: bytes) -> bytes:
        return told.replace(_TIME_FIRST, _LEGS_SECOND) if told.startswith(_PERM) else told

    graph = {_NODE: edited_by({_ATTRIBUTE: attribute}), _INPUT: value, _OUTPUT: value}
    return edited_by({_GRAPH: edited_by(graph)})(model)


def edited_by(edits: Edits) -> Callable[[bytes], bytes]:
    """Return what changes the fields of a protobuf message that these edits are for."""
    return lambda message: _edited(message, edits)


def _edited(message: bytes, edits: Edits) -> bytes:
    changed, at = bytearray(), 0
    while at < len(message):
        begin = at
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                begin_of_value = at
                length, at = _varint(message, at)
                edit = edits.get(key >> 3)
                if edit is not None:
                    value = edit(message[at : at + length])
                    changed += message[begin:begin_of_value] + _as_varint(len(value)) + value
                    begin = at + length
                at += length
            case other:
                raise NoModel(f"the model's file is broken: it has a field of wire type {other}")
        changed += message[begin:at]
    return bytes(changed)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise NoModel("the model's file is cut off: install faster-whisper again")
        octet = message[at]
        value |= (octet & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if octet < 0x80:
            return value, at


def _as_varint(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*octets, value])
