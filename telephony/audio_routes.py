"""A call's audio while it is spoken, over a WebSocket. Who may listen is decided outside; who did is written down."""

import asyncio
import contextlib
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from telephony.clock import TICKS_PER_S, iso
from telephony.edge.audio_streams import AudioStream, Shaper, TooManyStreams
from telephony.routes import NO_CALL, TRY_AGAIN_LATER, running_funnel

router = APIRouter(tags=["calls"])

NO_SUCH_CALL: Final = 4404


@router.websocket("/calls/{call}/audio")
async def audio(
    websocket: WebSocket,
    call: str,
    rate: Annotated[Literal["8000", "16000"], Query()] = "8000",
    block: Annotated[Literal["20", "100"], Query()] = "100",
) -> None:
    """Send what is said in a running call: the caller left, everybody else right, 16 bit little endian, `block` ms in
    each binary frame. Text frames are JSON: `begin` first, `gap` where audio is missing, `end` last."""
    funnel = running_funnel(websocket)
    running = funnel.switchboard.board.calls.get(call)
    await websocket.accept()
    if running is None:
        await websocket.close(NO_SUCH_CALL, NO_CALL)
        return
    principal = websocket.state.principal
    source = websocket.client.host if websocket.client else ""
    await websocket.app.state.audit.note(funnel.clock.now(), principal.name, "call.listened", call, source)
    try:
        stream = funnel.audio.listen(running.leg)
    except TooManyStreams:
        await websocket.close(TRY_AGAIN_LATER, "as many listen already as can be served")
        return
    sender = asyncio.create_task(_send(websocket, stream, call, int(rate), int(block)))
    receiver = asyncio.create_task(_until_gone(websocket))
    try:
        await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        funnel.audio.leave(stream)
        for task in (sender, receiver):
            task.cancel()
        for task in (sender, receiver):
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await task


async def _send(websocket: WebSocket, stream: AudioStream, call: str, rate: int, block_ms: int) -> None:
    shaper = Shaper(rate)
    begun = False
    while rows := await stream.block(block_ms * TICKS_PER_S // 1000):
        if not begun:
            begun = True
            await websocket.send_json(
                {
                    "type": "begin",
                    "call": call,
                    "rate": rate,
                    "channels": 2,
                    "format": "s16le",
                    "block_ms": block_ms,
                    "tick": rows[0].tick,
                    "at": iso(rows[0].tick / TICKS_PER_S),
                }
            )
        if stream.dropped:
            dropped, stream.dropped = stream.dropped, 0
            missing_ms = dropped * 1000 // TICKS_PER_S
            await websocket.send_json({"type": "gap", "dropped_ms": missing_ms, "tick": rows[0].tick})
        await websocket.send_bytes(shaper.octets(rows))
    await websocket.send_json({"type": "end", "cause": stream.cause})
    await websocket.close()


async def _until_gone(websocket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, KeyError, RuntimeError):
        while True:
            await websocket.receive()
