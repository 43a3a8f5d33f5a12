"""Following a folder of an IMAP server: every message once, whatever happens in between.

Rule 1: the place that was reached is written in the transaction that records the message. After a crash nothing is read
twice and nothing is lost; a message that is recorded and not yet marked as seen stays unseen, and that is all.
Rule 2: UIDs hold as long as UIDVALIDITY does. With another one everything is read again: what is known already is known
by its Message-ID, and changes nothing.
Rule 3: a folder that was never followed begins with what nobody has read. What was answered long ago stays where it is.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from crm_bridge.mail.imap import Folder, Imap, ImapError, ImapRefused
from crm_bridge.mail.keep import Keeper
from crm_bridge.mail.place import Place, read_place

IDLE_S: Final = 540.0
"""RFC 2177 allows 29 minutes; many a NAT forgets a connection after ten."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where mail is read. `context` None is a connection in the clear; `trusted` as in `message.parse`. `token` gives
    an access token in place of the password, another one than that which is not taken ("" for none)."""

    name: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    context: ssl.SSLContext | None = None
    starttls: bool = False
    trusted: tuple[str, ...] = ()
    token: Callable[[str], Awaitable[str]] | None = field(default=None, repr=False)


async def follow(
    box: Mailbox,
    keeper: Keeper,
    failed: Callable[[Mailbox, str, float], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Read a folder, and what comes into it, until cancelled.

    When it cannot be read, `failed` is told the cause and in how many seconds it is tried again.
    """
    wait_s = FIRST_PAUSE_S
    while True:
        try:
            async with opened(box) as imap:
                folder = await imap.select(box.folder)
                while True:
                    await read_new(box, imap, folder, keeper)
                    wait_s = FIRST_PAUSE_S
                    await imap.wait(IDLE_S)
        except Exception as error:  # whatever it is: a folder that nobody follows any more would go unnoticed
            # Others' errors may hold what was to be written: the letter.
            failed(box, str(error) if isinstance(error, ImapError | OSError) else type(error).__name__, wait_s)
        await pause(wait_s)
        wait_s = min(2 * wait_s, LONGEST_PAUSE_S)


async def read_new(box: Mailbox, imap: Imap, folder: Folder, keeper: Keeper) -> None:
    """Record what is new in a folder, in its order. Raises `ImapError`, `OSError` and the database's errors."""
    async with keeper.sessions() as session:
        place = await read_place(session, box.name)
    if place is None:
        waiting = await imap.unseen()
    else:
        reached = place.uid if place.uid_validity == folder.uid_validity else 0
        waiting = await imap.uids_above(reached)
    for uid in waiting:
        at = Place(box.name, folder.uid_validity, uid)
        fetched = await imap.fetch(uid)
        if fetched is not None:
            await keeper.keep(fetched.raw, fetched.received_at, trusted=box.trusted, place=at)
            await imap.mark_seen(uid)
    if place is None:
        await keeper.keep_place(Place(box.name, folder.uid_validity, max([folder.uid_next - 1, 0, *waiting])))


@contextlib.asynccontextmanager
async def opened(box: Mailbox) -> AsyncIterator[Imap]:
    """Connect to the server of a folder, and sign in. Raises `ImapError` and `OSError`."""
    imap = await Imap.open(box.host, box.port, box.context, starttls=box.starttls)
    try:
        await _sign_in(imap, box)
        yield imap
    finally:
        await imap.close()


async def _sign_in(imap: Imap, box: Mailbox) -> None:
    if box.token is None:
        await imap.login(box.user, box.password)
        return
    token = await box.token("")
    try:
        await imap.authenticate(box.user, token, box.host, box.port)
    except ImapRefused:  # a token may end before its time
        await imap.authenticate(box.user, await box.token(token), box.host, box.port)
