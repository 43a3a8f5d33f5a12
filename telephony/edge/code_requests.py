"""One-time codes for whom a caller may be: sent and checked for flows, and for agents.

Rule 1: a code is for one person. While a number means several, it is for none.
Rule 2: what is begun is done to its end, however late: a message that went out is on the timeline as that.
Rule 3: who asked for a code, and what became of it, stands in the audit log, by the call; the digits stand nowhere.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from crm_bridge import context
from crm_bridge.advice import Advice
from crm_bridge.codes.book import Asked, Checked, Codes, TooManyCodes
from crm_bridge.keep import KeepContended
from crm_bridge.notify.choice import NotReachable
from crm_bridge.person import NoProfile
from telephony.edge.customer_requests import SOURCE, WHO, Note
from telephony.edge.flow_requests import FlowRequests, Outcome
from telephony.events import VERIFIED, CallerContext, CallerVerified, FlowRequest
from telephony.requests import CheckCode, SendCode

BY_CODE: Final = "code"
CAUSES: Final[Mapping[type[Exception], str]] = {
    TooManyCodes: "too_many",
    NotReachable: "no_channel",
    NoProfile: "gone",
    KeepContended: "contended",
}
"""Why a code is not sent, for the audit log."""


@dataclass(slots=True)
class CodeRequests:
    """Performs them. `note` writes into the audit log where there is one; `advice` is as in `CustomerRequests`."""

    codes: Codes
    note: Note | None = None
    advice: Advice = context.NO_OFFERS

    def register(self, requests: FlowRequests) -> None:
        """Have codes of flows sent and checked here."""
        requests.register(SendCode, self.send)
        requests.register(CheckCode, self.check)

    async def send(self, asked: FlowRequest) -> Outcome:
        """Send whom the caller may be a code: `sent`, `not_sent` or `failed`."""
        return await asyncio.shield(self._send(asked))

    async def _send(self, asked: FlowRequest) -> Outcome:
        request = asked.request
        assert isinstance(request, SendCode)  # noqa: S101 - it is registered for nothing else
        if len(asked.candidates) != 1:
            await self._audit(asked.call, "nobody_known")
            return Outcome("not_sent")
        wanted = Asked(
            asked.call, asked.candidates[0], request.by, request.valid_s, asked.language, who=f"flow {asked.flow}"
        )
        try:
            sent = await self.codes.send(wanted)
        except tuple(CAUSES) as cause:
            await self._audit(asked.call, f"not_sent.{CAUSES[type(cause)]}")
            return Outcome("failed" if isinstance(cause, KeepContended) else "not_sent")
        await self._audit(asked.call, f"{'failed' if sent.cause else 'sent'}.{sent.channel}")
        return Outcome("failed" if sent.cause else "sent", {"channel": sent.channel})

    async def check(self, asked: FlowRequest) -> Outcome:
        """Compare keys with the code: `verified`, `wrong` or `refused`."""
        request = asked.request
        assert isinstance(request, CheckCode)  # noqa: S101 - likewise
        checked = await self.codes.check(asked.call, request.code)
        await self._audit(asked.call, f"checked.{checked.why}")
        if checked.verdict != "verified":
            return Outcome(checked.verdict)
        who = await self.verified(checked)
        return Outcome("verified", events=(CallerVerified(asked.call, who, proven=True),))

    async def verified(self, checked: Checked) -> CallerContext:
        """Return what is known of whoever gave the right code."""
        async with self.codes.notifier.sessions() as session:
            await session.connection(execution_options={"read_only": True})
            who = await context.read(session, checked.customer, VERIFIED, self.codes.now(), self.advice)
        return msgspec.structs.replace(who, verified_by=BY_CODE)

    async def _audit(self, call: str, came: str) -> None:
        if self.note is not None:
            await self.note(self.codes.now(), WHO, f"caller.code.{came}"[:64], call, SOURCE)
