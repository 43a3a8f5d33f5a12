"""Zalo's Open API for Official Accounts: messages to people who wrote to the account.

Rule 1: an answer is HTTP 200 and `error` in its body; 0 is success. What the codes mean for a message is in the tables
below (https://developers.zalo.me/docs/official-account/phu-luc/ma-loi); one that is not there is tried again.
Rule 2: an access token that is not taken (-216, -220) is renewed and the message tried once more at once. It was not
sent, so it is not sent twice.
Rule 3: Zalo has no key of idempotency. Where the answer is lost the message is sent again, and may come twice.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from crm_bridge.notify.courier import Fault
from crm_bridge.notify.parcel import Parcel
from crm_bridge.oauth import NoToken, Tokens
from crm_bridge.outgoing.schedule import Answer

PATH: Final = "/v3.0/oa/message/cs"
TIMEOUT_S: Final = 15.0
MINUTE_S: Final = 60.0
MAX_ANSWER_OCTETS: Final = 65_536
MAX_SAID: Final = 120

SPENT: Final = frozenset({-216, -220})
"""The access token is invalid, or expired."""
TOO_FAST: Final = -32
"""The app or the account has asked too often; the count begins anew each minute."""
OF_THIS_PERSON: Final[Mapping[int, str]] = {
    -201: "the message or the user id is not valid",
    -210: "the text is too long",
    -213: "the person does not follow the account: ask for a message first, or send by another channel",
    -217: "the person has blocked the account: send by another channel",
    -227: "the person's Zalo account is blocked, or was not used for 45 days: send by another channel",
    -230: "the person did not write to the account in the last 7 days: ask for a message, or send by another channel",
    -232: "the person never wrote to the account, or too long ago: ask for a message, or send by another channel",
    -233: "this kind of message is not taken",
    -244: "the person wants no such messages from the account: send by another channel",
    -248: "the text breaks the rules of Zalo",
}
"""Trying again is of no use."""
OF_OUR_ACCOUNT: Final[Mapping[int, str]] = {
    -204: "activate the account again",
    -205: "link the app to an account",
    -209: "activate the app for this API at developers.zalo.me",
    -211: "the package of the account is used up: wait, or buy a greater one",
    -212: "let the account grant the app the right to send messages",
    -219: "activate the app again",
    -221: "have the account verified",
    -223: "let the account grant the app the right to send messages",
    -224: "the account needs a greater package",
    -235: "this kind of account cannot send",
    -242: "the app asks for `appsecret_proof`: take that off in its settings",
    -320: "connect the app with a Zalo Cloud Account",
    -321: "pay into the Zalo Cloud Account",
}
"""Somebody has to mend it; what waits is tried again."""


@dataclass(frozen=True, slots=True)
class Said:
    """What Zalo answered: `code` is its `error`, None where there was no answer of its own."""

    status: int
    code: int | None
    message: str
    message_id: str = ""


def read(status: int, body: bytes) -> Said:
    """Read an answer. Pure; any bytes are legal."""
    try:
        document = json.loads(body[:MAX_ANSWER_OCTETS])
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("error"), int):
        return Said(status, None, "")
    data: Any = document.get("data")
    id_ = data.get("message_id") if isinstance(data, dict) else ""
    words = "".join(sign for sign in str(document.get("message", "")) if sign.isprintable())
    return Said(status, document["error"], words[:MAX_SAID], str(id_ or "")[:255])


def judged(said: Said) -> tuple[Answer, Fault | None]:
    """Return what an answer means for the message, and for all of them. Pure."""
    if said.code is None:
        cause = f"Zalo answers HTTP {said.status}"
        return Answer(0, cause), Fault(f"Zalo does not take messages: {cause}", "nothing: what waits is sent later")
    if said.code == 0:
        return Answer(200, reference=said.message_id), None
    cause = f"Zalo says {said.code} {said.message}".rstrip()
    if said.code in OF_THIS_PERSON:
        return Answer(0, f"{cause}: {OF_THIS_PERSON[said.code]}", is_final=True), None
    if said.code in OF_OUR_ACCOUNT:
        return Answer(0, cause), Fault(f"Zalo does not let us send: {cause}", OF_OUR_ACCOUNT[said.code])
    return Answer(0, cause, retry_after_s=MINUTE_S if said.code == TOO_FAST else 0.0), None


class ZaloAccount:
    """Sends parcels from an Official Account. `name` is its channel's in the settings."""

    def __init__(self, name: str, api_url: str, tokens: Tokens, client: httpx.AsyncClient) -> None:
        self._name = name
        self._url = api_url.rstrip("/") + PATH
        self._tokens = tokens
        self._client = client
        self.fault: Fault | None = None

    async def send(self, parcel: Parcel, written_at: float, now: float) -> Answer:
        """Make an attempt, and with a new access token a second one where the first was not taken."""
        del written_at
        try:
            token = await self._tokens.get(now)
            said = await self._post(parcel, token)
            if said.code in SPENT:
                said = await self._post(parcel, await self._tokens.get(now, spent=token))
        except NoToken as error:
            return self._not_let_in(str(error))
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            cause = str(error) or type(error).__name__
            self.fault = Fault(f"Zalo is out of reach: {cause}", "see whether this machine reaches the address")
            return Answer(0, f"Zalo is out of reach: {cause}")
        if said.code in SPENT:
            return self._not_let_in(f"Zalo takes no token of ours: {said.code} {said.message}")
        answer, self.fault = judged(said)
        return answer

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    def _not_let_in(self, cause: str) -> Answer:
        mend = f"have the account grant the app access again, and set `channels.{self._name}.refresh_token`"
        self.fault = Fault(f"messages by `{self._name}` are not sent: {cause}", mend)
        return Answer(0, cause)

    async def _post(self, parcel: Parcel, token: str) -> Said:
        body = {"recipient": {"user_id": parcel.to}, "message": {"text": parcel.text}}
        async with asyncio.timeout(TIMEOUT_S):
            response = await self._client.post(self._url, json=body, headers={"access_token": token})
        return read(response.status_code, response.content)
