"""A running call heard over the WebSocket, from a whole program: its real worker, its guard and its audit log."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import websockets
from sqlalchemy import select

from hotline import auth
from hotline.app import Hotline
from hotline.tables import AuditEntry
from telephony.events import ConnectLeg, DialogEnded, InviteReceived
from telephony.media import g711
from tests.telephony.media.signals import loudest, sine
from tests.telephony.test_routes import started

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def hotline(tmp_path: Path) -> AsyncIterator[Hotline]:
    async for made in started(tmp_path):
        yield made


async def with_scope(hotline: Hotline, scope: str) -> dict[str, str]:
    async with hotline.sessions() as session:
        token = await auth.add_token(session, scope, [scope], hotline.clock.now())
        await session.commit()
    return {"Authorization": f"Bearer {token}"}


async def speak(phone: socket.socket, to: tuple[str, int]) -> None:
    """A tone of 700 Hz, in PCMU."""
    law = np.zeros(50, np.uint8)
    payloads = [each.tobytes() for each in g711.encode(sine(700, 1).reshape(50, 160), law)]
    for number in range(10**6):
        head = bytes([0x80, 0]) + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big") + bytes(4)
        phone.sendto(head + payloads[number % 50], to)
        await asyncio.sleep(0.02)


async def test_a_call_is_heard_live_and_that_is_written_down(hotline: Hotline) -> None:
    funnel, board = hotline.funnel, hotline.funnel.switchboard.board
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        port = phone.getsockname()[1]
        offer = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        funnel.happened(InviteReceived("d1", "0912345678", "", False, "19001234", offer, "127.0.0.1:5061"))
        (call,) = board.calls.values()
        while call.media is None:  # noqa: ASYNC110 - the worker says so, and nobody else
            await asyncio.sleep(0.01)
        funnel._to_media(ConnectLeg(call.leg, "127.0.0.1", port, 0))
        speaking = asyncio.create_task(speak(phone, (call.media.address, call.media.port)))
        web = hotline.settings.web.url
        address = f"{web.replace('http', 'ws')}/api/v1/calls/{call.id}/audio?rate=16000"
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(address, additional_headers=await with_scope(hotline, "live"))
        async with websockets.connect(address, additional_headers=await with_scope(hotline, "listen")) as listener:
            begin = json.loads(await listener.recv())
            assert (begin["type"], begin["call"]) == ("begin", call.id)
            assert (begin["rate"], begin["channels"], begin["format"], begin["block_ms"]) == (16000, 2, "s16le", 100)
            blocks = [await listener.recv() for _ in range(10)]
            heard = np.frombuffer(b"".join(each for each in blocks if isinstance(each, bytes)), "<i2").reshape(-1, 2)
            assert len(heard) >= 8 * 1600
            assert abs(loudest(heard[-6400:, 0], 16000) - 700) < 5
            assert not heard[:, 1].any()
            funnel.happened(DialogEnded("d1", "bye"))
            told = [each async for each in listener]
        speaking.cancel()
    assert json.loads(told[-1]) == {"type": "end", "cause": ""}
    async with hotline.sessions() as session:
        entries = (await session.execute(select(AuditEntry.who, AuditEntry.what, AuditEntry.about))).all()
    assert [tuple(entry) for entry in entries] == [("listen", "call.listened", call.id)]
    async with websockets.connect(address, additional_headers=await with_scope(hotline, "admin")) as listener:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await listener.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4404


async def test_alarms_are_listed(hotline: Hotline) -> None:
    hotline.funnel.alarms.tell("recording_failed", "no space", "make room")
    async with httpx.AsyncClient(headers=await with_scope(hotline, "read")) as client:
        (alarm,) = (await client.get(f"{hotline.settings.web.url}/api/v1/alarms")).json()
    assert (alarm["kind"], alarm["text"], alarm["mend"]) == ("recording_failed", "no space", "make room")
