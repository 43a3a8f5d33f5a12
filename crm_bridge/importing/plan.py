"""What the rows of a file make of the profiles that are there; pure. The rules are those of `crm_bridge.match`.

Rule 1: known identities decide, contradictions merge nobody. Rule 2: what is there stays; only what is empty is filled.
Rule 3: a dry run and a real one are planned here alike, so that one says what the other does.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from crm_bridge.facts import Fact, Saying, Statement, made_of, news, together
from crm_bridge.importing.entry import MAX_TAGS, TAGS_FULL, Entry
from crm_bridge.importing.report import Counts, Note
from crm_bridge.importing.told import Told
from crm_bridge.match import Claim, decide, in_locking_order, through
from crm_bridge.rows import new_id


@dataclass(slots=True)
class Profile:
    """A profile as it is and as the rows leave it, with what this import has written to it (`ImportProfile`).

    `row` is the first of the file that was this person's, 0 for none so far. `is_new`: made by these very rows;
    `is_met_now`: one of these rows is the first. `read_at` is `updated_at` as the database had it.
    """

    id: str
    person: str
    name: str
    language: str
    tags: list[str]
    created_at: float
    updated_at: float
    row: int = 0
    created: bool = False
    is_new: bool = False
    is_met_now: bool = False
    name_seal: str = ""
    language_seal: str = ""
    tag_seals: list[str] = field(default_factory=list)
    through: str | None = None
    updated_was: float | None = None
    updated_to: float | None = None
    is_changed: bool = False
    read_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.read_at = self.updated_at


@dataclass(frozen=True, slots=True)
class Known:
    """An identity and whose it is: a row that is there, or one that will be. `leans_on` is another's id."""

    id: str
    customer_id: str
    kind: str
    value: str
    assurance: int
    confidence: float
    evidence: str = ""
    leans_on: str | None = None
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Stated:
    """What is said of a fact of a profile."""

    customer_id: str
    saying: Saying
    at: float


@dataclass(slots=True)
class Plan:
    """The people of a batch as they are (`owners` by (kind, value), `profiles` by id, `facts` by (profile, kind, key)),
    and what becomes of them."""

    import_id: str
    source: str
    now: float
    owners: dict[tuple[str, str], Known]
    profiles: dict[str, Profile]
    facts: dict[tuple[str, str, str], Fact] = field(default_factory=dict)
    identities: list[Known] = field(default_factory=list)
    users: list[tuple[str, str, str, int]] = field(default_factory=list)
    """Kind, value, the profile that uses that besides its owner, and the row that says so."""
    statements: list[Stated] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def take(self, entry: Entry) -> None:
        """Put what a row says where it belongs."""
        shared = [each for each in entry.claims if each.key in self.owners and self.owners[each.key].is_shared]
        # What several people use decides where a row has nothing else; then nothing is filled in by it.
        claims = [each for each in entry.claims if each not in shared] or entry.claims
        known = [each for each in claims if each.key in self.owners]
        decisive = decide(claims, self.owners) if known else None
        profile = self._new(entry.row) if decisive is None else self._found(decisive, entry.row)
        leaning = None if decisive is None else self.owners[decisive.key]
        for each in in_locking_order(each for each in entry.claims if each.key not in self.owners):
            worth = each if decisive is None or leaning is None else through(each, decisive, leaning)
            self._link(profile, worth, entry.row, None if leaning is None else leaning.id)
        self._contradictions(profile, known, entry.row)
        if decisive in shared:
            return
        self.users += [(*each.key, profile.id, entry.row) for each in shared]
        self._fill(profile, entry, None if leaning is None else leaning.id)

    def new_profiles(self) -> list[Profile]:
        return [each for each in self.profiles.values() if each.is_new]

    def changed_profiles(self) -> list[Profile]:
        """Profiles that were there before this batch and are written to, in an order that all writers share."""
        return sorted((each for each in self.profiles.values() if each.is_changed), key=lambda each: each.id)

    def _new(self, row: int) -> Profile:
        id_ = new_id()
        profile = Profile(id_, id_, "", "", [], self.now, self.now, row, created=True, is_new=True, is_met_now=True)
        self.profiles[id_] = profile
        self.counts.created += 1
        return profile

    def _found(self, decisive: Claim, row: int) -> Profile:
        profile = self.profiles[self.owners[decisive.key].customer_id]
        if profile.row:
            self.counts.repeated += 1
            self.notes.append(
                Note("repeated", row, decisive.kind, customer_id=profile.id, other_id=profile.id, other_row=profile.row)
            )
        else:
            profile.row, profile.is_met_now = row, True
            self.counts.matched += 1
            self.notes.append(Note("matched", row, decisive.kind, customer_id=profile.id, other_id=profile.id))
        return profile

    def _link(self, profile: Profile, worth: Claim, row: int, leaning: str | None) -> None:
        evidence = f"import {self.import_id} row {row}"
        identity = Known(
            new_id(), profile.id, worth.kind, worth.value, worth.assurance, worth.confidence, evidence, leaning
        )
        self.owners[worth.key] = identity
        self.identities.append(identity)
        self.counts.identities += 1
        self._touch(profile, leaning)

    def _contradictions(self, profile: Profile, known: Iterable[Claim], row: int) -> None:
        others = [self.owners[each.key] for each in known]
        foreign = [each for each in others if self.profiles[each.customer_id].person != profile.person]
        self.counts.contradictions += len(foreign)
        for each in foreign:
            other = self.profiles[each.customer_id]
            self.users.append((each.kind, each.value, profile.id, row))
            self.notes.append(
                Note(
                    "contradiction",
                    row,
                    each.kind,
                    customer_id=profile.id,
                    other_id=other.id,
                    other_row=other.row if other.created else 0,
                    identity_id=each.id,
                )
            )

    def _fill(self, profile: Profile, entry: Entry, leaning: str | None) -> None:
        if entry.name and not profile.name:
            profile.name, profile.name_seal = entry.name, seal(profile.id, entry.name)
            self._filled(profile, leaning)
        if entry.language and not profile.language:
            profile.language, profile.language_seal = entry.language, seal(profile.id, entry.language)
            self._filled(profile, leaning)
        lacking = [tag for tag in entry.tags if tag not in profile.tags]
        missing = lacking[: max(0, MAX_TAGS - len(profile.tags))]
        if len(missing) < len(lacking):
            self.counts.ignored += 1
            self.notes.append(Note("ignored", entry.row, "tags", *TAGS_FULL, customer_id=profile.id))
        if missing:
            profile.tags = [*profile.tags, *missing]
            profile.tag_seals = [*profile.tag_seals, *(seal(profile.id, tag) for tag in missing)]
            self._filled(profile, leaning)

        for each in entry.told:
            self._tell(profile, each, leaning)

    def _tell(self, profile: Profile, told: Told, leaning: str | None) -> None:
        """Say what is empty of a fact, or, where the row says when it was so, what is older."""
        saying, at = told.saying, self.now if told.at is None else min(told.at, self.now)
        key = profile.id, saying.kind, saying.key
        known = self.facts.get(key)
        said = news(saying, known, fill=told.at is None)
        if said is not None and known is not None and told.at is not None:
            newer = {name: value for name, value in said.said.items() if known.told.get(name, -inf) < at}
            said = Saying(saying.kind, saying.key, newer) if newer else None
        if said is None:
            return
        self.statements.append(Stated(profile.id, said, at))
        new = made_of(saying.kind, saying.key, [Statement(said.said, at, self.source)])
        self.facts[key] = new if known is None else together([known, new])[0]
        self._filled(profile, leaning)

    def _filled(self, profile: Profile, leaning: str | None) -> None:
        self.counts.filled += 1
        self._touch(profile, leaning)

    def _touch(self, profile: Profile, leaning: str | None) -> None:
        profile.through = profile.through or leaning
        if profile.updated_was is None:
            profile.updated_was = profile.updated_at
        profile.updated_at = profile.updated_to = self.now
        profile.is_changed = not profile.is_new


def seal(customer_id: str, value: str) -> str:
    """Return what tells whether a field of a profile still holds `value`, and not what that is."""
    return hashlib.sha256(f"{customer_id}\0{value}".encode()).hexdigest()[:32]
