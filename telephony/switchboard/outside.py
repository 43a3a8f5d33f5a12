"""The world outside: by which trunk a number is called.

A call goes out for an agent who dials (`direct`, `outbound`), or for a caller who is given away to a number
(`forward`). In both the party outside is tried by one trunk after another, as long as it is the trunk that fails.
"""

from typing import Final

from telephony.events import (
    Codec,
    DialogEnded,
    Invite,
    RefuseNumber,
    TrunkChanged,
)
from telephony.switchboard import party
from telephony.switchboard.board import Board
from telephony.switchboard.dialling import TrunkRules, dialled, refusal
from telephony.switchboard.side import Side

FORBIDDEN, NOT_FOUND, UNAVAILABLE = 403, 404, 503
_FAILED: Final = frozenset({"failed", "timed_out"})
_OF_THE_TRUNK: Final = frozenset({408, 430, 500, 502, 503, 504})
"""Final responses that speak of the trunk, not of who was called."""


class Refused(Exception):
    """A number that is not called. `status` is what whoever dialled is told."""

    def __init__(self, status: int, cause: str) -> None:
        super().__init__(cause)
        self.status = status


# ------------------------------------------------------------------------------------------------------- trunks


def trunk_changed(board: Board, event: TrunkChanged, _now: float) -> None:
    """Know how a trunk stands."""
    board.trunks[event.trunk] = event


def load(board: Board, trunk: str) -> int:
    """Return how many calls there are on a trunk, in both directions."""
    calls = sum((call.trunk == trunk) + _goes_by(call.outsider, trunk) for call in board.calls.values())
    return calls + sum(_goes_by(between.far, trunk) for between in board.directs.values())


def _goes_by(side: Side | None, trunk: str) -> bool:
    return side is not None and side.trunk == trunk


def is_full(board: Board, trunk: str) -> bool:
    """Whether a trunk has as many calls as it may."""
    most = next((rules.max_calls for rules in board.settings.trunks if rules.name == trunk), None)
    return most is not None and load(board, trunk) >= most


def outsider(board: Board, number: str, agent: str, leg: str, started: int) -> Side:
    """Return the party that a number stands for, called for an agent. Raises `Refused`, which the log is told of."""
    settings = board.settings
    called = dialled(number, settings.region)
    try:
        trunks = _trunks(board, called)
    except Refused as refused:
        board.emit(RefuseNumber(agent, number, str(refused)))
        raise
    side = Side("", leg, leg, started, number=called, trunks=trunks, by=agent)
    show(side)
    return side


def show(side: Side) -> None:
    """Show the party what its present trunk shows: each has numbers of its own."""
    rules = side.trunks[0]
    side.shown = side.passed if rules.passes_on and side.passed else rules.shown(side.by)
    side.withheld = rules.withholds


def why_not(board: Board, number: str) -> tuple[int, str] | None:
    """Return status and cause of the refusal that dialling a number would meet now, None for none."""
    try:
        _trunks(board, dialled(number, board.settings.region))
    except Refused as refused:
        return refused.status, str(refused)
    return None


def _trunks(board: Board, called: str) -> tuple[TrunkRules, ...]:
    """Return the trunks by which a number may be called now, those that are up first."""
    settings = board.settings
    if not settings.trunks:
        raise Refused(NOT_FOUND, "there is no trunk")
    if not called:
        raise Refused(NOT_FOUND, "not a number that can be dialled")
    causes = [refusal(rules, called, settings.region) for rules in settings.trunks]
    may = [rules for rules, cause in zip(settings.trunks, causes, strict=True) if not cause]
    if not may:
        raise Refused(FORBIDDEN, causes[0])
    free = [rules for rules in may if not is_full(board, rules.name)]
    if not free:
        raise Refused(UNAVAILABLE, "every trunk that may dial it has as many calls as it may")
    return tuple(sorted(free, key=lambda rules: not _is_up(board, rules.name)))


def _is_up(board: Board, trunk: str) -> bool:
    known = board.trunks.get(trunk)
    return known is None or known.up


def call(board: Board, side: Side, identity: str, prefer: Codec | None = None) -> None:
    """Call the party by its present trunk; `prefer` is the codec of whom it is called for. Its leg must be open."""
    board.call_of_dialog[side.dialog] = identity
    offer = party.offer(board, side, prefer)
    board.emit(
        Invite(
            side.dialog,
            "",
            side.shown,
            "",
            offer,
            trunk=side.trunk,
            to=side.number,
            withheld=side.withheld,
            diverted=side.diverted,
        )
    )


def call_again(board: Board, side: Side, identity: str, event: DialogEnded, prefer: Codec | None = None) -> bool:
    """Call the party by its next trunk, where the present one has failed and nothing was heard yet. False where there
    is no other, or it was not the trunk's fault."""
    by_trunk = event.ending in _FAILED or (event.ending == "rejected" and event.status in _OF_THE_TRUNK)
    left = tuple(rules for rules in side.trunks[1:] if not is_full(board, rules.name))
    if not by_trunk or side.heard or not left:
        return False
    board.call_of_dialog.pop(side.dialog, None)
    side.trunks = left
    show(side)
    side.dialog = f"{side.leg}.{side.trunk}"
    side.agreed = None
    call(board, side, identity, prefer)
    return True


def standing(board: Board) -> list[tuple[TrunkRules, TrunkChanged | None, int]]:
    """Return every trunk with how it stands and how many calls it has."""
    return [(rules, board.trunks.get(rules.name), load(board, rules.name)) for rules in board.settings.trunks]
