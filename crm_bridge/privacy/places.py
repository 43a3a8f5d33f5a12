"""Every place where data on a person lies: the one list that export, erasure and retention go by.

Rule 1: each table of the database stands here, with each of its columns, or in `NOBODY` with the reason why it holds
nothing on customers. A test compares the list with the tables, so that a new column has to be thought of.
Rule 2: places stand in the order in which they can be emptied: whatever points at a row goes before it.
Rule 3: rooms are named, never imported: whoever wires them hands the tables over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

Key = Literal["profile", "call", "recording", "identity"]
Use = Literal["told", "kept", "hidden", "stays"]
"""`told`: exported, and emptied by an erasure. `kept`: exported, and stays, since without the rest it says nothing of
anybody. `hidden`: a copy for machines, not exported, and emptied. `stays`: neither."""
FileKind = Literal["recording_files", "spools", "journals", "prompts"]
FILE_KINDS: Final[tuple[FileKind, ...]] = get_args(FileKind)


@dataclass(frozen=True, slots=True)
class Place:
    """A table. A person's rows are those of which any column of `by` names a profile, a call, a recording or an
    identity (`phone:+84912345678`) of theirs.

    `rows` says what becomes of them: they go, or what is `told` and `hidden` in them is emptied. `outbound_only` are
    columns that are a customer's only in calls that went out.
    """

    table: str
    by: Mapping[str, Key]
    columns: Mapping[str, Use]
    rows: Literal["go", "are emptied"] = "go"
    outbound_only: frozenset[str] = frozenset()


def _uses(use: Use, names: str) -> dict[str, Use]:
    return dict.fromkeys(names.split(), use)


PLACES: Final[tuple[Place, ...]] = (
    Place(
        "transcripts",
        {"recording_id": "recording"},
        _uses("told", "recording_id engine language text words created_at") | _uses("hidden", "folded"),
    ),
    Place(
        "recordings",
        {"customer_id": "profile", "call_id": "call"},
        _uses(
            "told",
            "id call_id customer_id path state cause started_at closed_at ticks seconds ended_early language ani agent "
            "queue person pauses gaps kind transcript_state transcript_cause",
        )
        | _uses("hidden", "person_folded"),
    ),
    Place(
        "voicemails",
        {"customer_id": "profile", "call_id": "call"},
        _uses("told", "id call_id queue customer_id ani language left_at seconds done_at done_by"),
    ),
    Place(
        "wrap_ups",
        {"call_id": "call"},
        _uses("told", "note") | _uses("kept", "call_id agent disposition at"),
        "are emptied",
    ),
    Place(
        "callbacks",
        {"customer_id": "profile", "call_id": "call", "last_call_id": "call"},
        _uses(
            "told",
            "call_id customer_id number queue note since state attempts last_call_id created_at ended_at",
        )
        | _uses("hidden", "id request next_at cause open_key"),
    ),
    Place(
        "calls",
        {"id": "call"},
        _uses("told", "number ani dnis customer_id context recording_id case_id")
        | _uses(
            "kept",
            "id state language flow flow_path queue agent started_at answered_at queued_at queue_left_at "
            "talk_started_at talk_ended_at ended_at ended_by transferred_by direction trunk asked_again",
        ),
        "are emptied",
        frozenset({"dnis"}),
    ),
    Place(
        "webhook_events",
        {"customer_id": "profile"},
        _uses("told", "event_id endpoint type customer_id body state created_at finished_at")
        | _uses("hidden", "id attempts next_at error"),
    ),
    Place(
        "outgoing_messages",
        {"customer_id": "profile"},
        _uses("told", "endpoint customer_id body state created_at finished_at interaction_id")
        | _uses("hidden", "id attempts next_at error"),
    ),
    Place(
        "import_notes",
        {"customer_id": "profile", "other_id": "profile"},
        _uses("told", "import_id kind row column cause mend")
        | _uses("hidden", "id customer_id other_id other_row identity_id"),
    ),
    Place(
        "import_identities",
        {"customer_id": "profile"},
        _uses("told", "import_id identity_id customer_id") | _uses("hidden", "through"),
    ),
    # What an import filled is kept as a seal, by which a name could be guessed.
    Place(
        "import_profiles",
        {"customer_id": "profile"},
        _uses("told", "import_id customer_id row created")
        | _uses("hidden", "name language tags through updated_was updated_to"),
    ),
    Place("connector_cache", {"key": "identity"}, _uses("told", "connector key found as_of")),
    Place(
        "fact_statements",
        {"customer_id": "profile"},
        _uses("told", "id customer_id kind key said at channel by origin created_at"),
    ),
    Place(
        "customer_facts",
        {"customer_id": "profile"},
        _uses("told", "id customer_id kind key said first_at at channel") | _uses("hidden", "told"),
    ),
    Place("customer_fields", {"customer_id": "profile"}, _uses("told", "id customer_id name value channel at")),
    Place(
        "interactions",
        {"customer_id": "profile"},
        _uses(
            "told",
            "id customer_id channel direction occurred_at subject text case_id call_id recording_id transcript "
            "disposition note external_id attributes outcome created_at",
        ),
    ),
    Place(
        "cases",
        {"customer_id": "profile"},
        _uses("told", "id customer_id subject topic state channel opened_at closed_at external_id"),
    ),
    Place(
        "identities",
        {"customer_id": "profile"},
        _uses("told", "id customer_id kind value assurance source evidence confidence created_at shared_at"),
    ),
    Place(
        "identity_users",
        {"customer_id": "profile"},
        _uses("told", "kind value customer_id source evidence at") | _uses("hidden", "id"),
    ),
    Place(
        "consents",
        {"customer_id": "profile"},
        _uses(
            "told",
            "id customer_id purpose state at channel notice notice_version call_id recording_id clip_from clip_until "
            "by created_at",
        ),
    ),
    Place(
        "legal_holds",
        {"customer_id": "profile"},
        _uses("told", "id customer_id reason by placed_at until released_at released_by"),
    ),
    Place(
        "privacy_requests",
        {"customer_id": "profile"},
        _uses("told", "customer_id note")
        | _uses("kept", "id kind received_at answer_due_at due_at answered_at done_at outcome by done_by"),
        "are emptied",
    ),
    # The ids stay where others hang on them: a merge through the person may hold two others together.
    Place(
        "customer_links",
        {"customer_id": "profile", "other_id": "profile"},
        _uses("told", "evidence") | _uses("kept", "id kind customer_id other_id undoes source by at"),
        "are emptied",
    ),
    Place(
        "customers",
        {"id": "profile"},
        _uses("told", "id name language tags created_at updated_at person_id") | _uses("hidden", "name_folded"),
    ),
)

NOBODY: Final[Mapping[str, str]] = {
    "mail_folders": "how far folders of mail servers are read",
    "webhook_endpoints_disabled": "addresses of other systems",
    "imports": "files of other systems: their names and counts",
    "hours_switches": "opening hours, and who of us switched them",
    "agents": "people who work here, and the id of the call they are in",
    "bindings": "phones of people who work here",
    "users": "people who work here",
    "tokens": "programs",
    "web_sessions": "people who work here",
    "audit": "who of us did what; customers stand in it by ids alone, which say nothing once the customer is erased",
    "verification_attempts": "how often somebody tried to prove who they are, by marks, for an hour",
    "erasures": "ids of profiles that are gone, and counts",
    "erased_profiles": "ids of profiles that are gone",
}
