"""Keys: in a flow they are the caller's choice; in a talk they go to the other side, whose voice menu may want them.

Rule 1: what is relayed is what is not in the voice: telephone-events and keys by INFO. Tones are heard as they are.

Rule 2: an agent's keys go to whom it talks to, those of a caller and a party outside to each other, and those of two
phones to each other. To an agent who serves somebody none go: nothing there waits for them, its phone would beep, and
what somebody types into a telephone may be a secret.

Rule 3: nothing is relayed in a hold, of whichever side. Whoever is held hears music, and presses keys in vain.
"""

from ivr_flows.step import KeyPressed
from telephony.events import DigitPressed, KeySignalled, KeysRequested, SendKeys
from telephony.switchboard import conference, ice, party
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call
from telephony.switchboard.party import Party


def pressed(board: Board, event: DigitPressed, _now: float) -> None:
    """A key came in the media."""
    if not _choose(board, event.leg, event.digit) and event.source != "inband":
        _relay(board, event.leg, event.digit)


def signalled(board: Board, event: KeySignalled, _now: float) -> None:
    """A key came by INFO."""
    found = ice.party_of(board, event.dialog)
    if found is not None and not _choose(board, found.leg, event.digit):
        _relay(board, found.leg, event.digit)


def requested(board: Board, event: KeysRequested, _now: float) -> None:
    """The agent of a talk presses keys on its page."""
    call = board.calls.get(event.call)
    if call is not None and call.agent == event.agent and not why_not(board, event.call):
        board.emit(SendKeys(call.leg, event.keys))


def why_not(board: Board, call_id: str) -> str:
    """Return why keys of the agent would not reach the other side of a call now, empty where they would."""
    call = board.calls.get(call_id)
    if call is None or call.state != "talking":
        return "Nobody is there to hear keys: take the call off hold first."
    if party.is_holding(call):
        return "The other side has put you on hold: keys reach it when it is back."
    return ""


def _choose(board: Board, leg: str, digit: str) -> bool:
    """Give a caller's key to its flow, or to its room; False where it is in neither."""
    call = board.by_leg(leg)
    if call is not None and leg == call.leg and call.room:
        conference.key(board, call, digit)
        return True
    if call is None or leg != call.leg or not call.takes_keys:
        return False
    board.tell_flow(call, KeyPressed(digit))
    return True


def _relay(board: Board, leg: str, digit: str) -> None:
    other = _other_side(board, leg)
    if other is not None and not party.is_holding(other):
        board.emit(SendKeys(other.leg, digit))


def _other_side(board: Board, leg: str) -> Party | None:
    """Return who is to get the keys of a leg, None for nobody."""
    call, between = board.by_leg(leg), board.direct_by_leg(leg)
    if call is not None:
        return _other_side_in(call, leg)
    if between is None or not (between.state == "talking" or between.is_early):
        return None
    own = between.near if between.near.leg == leg else between.far
    return between.other(own) if not party.is_holding(own) else None


def _other_side_in(call: Call, leg: str) -> Party | None:
    if call.state == "talking":
        return call if call.agent_leg is not None and call.agent_leg.leg == leg else None
    outsider = call.outsider
    if outsider is None or not (call.state == "outside" or outsider.heard):
        return None
    return outsider if leg == call.leg else call
