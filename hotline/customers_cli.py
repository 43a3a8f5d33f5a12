"""`hotline customers …`: other systems' customers in and out again, a person to read, profiles put together."""

import json as json_text
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from hotline.cannot_start import CannotStart
from hotline.config import Settings
from hotline.database import Sessions
from hotline.terminal import (
    CLI,
    FAILED,
    Config,
    Data,
    Failed,
    audited,
    in_session,
    pasteable,
    print_rows,
    say,
    settings_of,
    who,
    with_sessions,
)
from telephony.clock import iso

if TYPE_CHECKING:
    from crm_bridge.customer import Profile
    from crm_bridge.importing.report import Report
    from crm_bridge.person import Grounds, Linked
    from crm_bridge.shapes import ContextOut, CustomerOut
    from crm_bridge.tables import Interaction

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Evidence = Annotated[str, typer.Option(metavar="T", help="Why, in words.")]


def add_to(group: typer.Typer) -> None:
    """Put the commands into their group."""
    group.command("import")(import_)
    group.command("imports")(imports)
    group.command("show")(show)
    group.command("merge")(merge)
    group.command("undo")(undo)


# --------------------------------------------------------------------------------------------------------- importing


def import_(
    file: Annotated[Path, typer.Argument(metavar="F", help="CSV or JSON, as another system exports it.")],
    source: Annotated[
        str, typer.Option(metavar="NAME", help="The other system, such as `pos`; its ids are prefixed by it.")
    ] = "",
    map_: Annotated[
        list[str] | None, typer.Option("--map", metavar="COLUMN=FIELD", help="What a column is; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Give the report, and write nothing.")] = False,
    json: Json = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Import customers; the same file again goes on where it stopped. Exit code 1 if a row was refused."""
    from crm_bridge.importing import headings, run, source_file  # noqa: PLC0415

    settings = settings_of(config, data)
    try:
        job = run.Job(
            source_file.look(file),
            headings.source_name(source),
            settings.region,
            by=who(),
            mapping=headings.chosen(map_ or ()),
        )
    except (source_file.Unreadable, headings.MapWrong) as error:
        raise Failed(str(error)) from error

    async def work(sessions: Sessions) -> "Report":
        with _progress("rows") as rows:
            watch = run.Watch(trouble=lambda each: say(f"{file}:{each}"), rows=rows)
            if dry_run:
                return await run.rehearse(sessions, job, time.time, watch)
            report = await run.run(sessions, job, time.time, watch)
        await audited(sessions, "customer.import", report.id)
        return report

    try:
        report = with_sessions(settings, work)
    except (source_file.Unreadable, run.ImportContended) as error:
        raise Failed(str(error)) from error
    except KeyboardInterrupt:
        raise Failed("stopped; the same command goes on from here, and `hotline customers imports` lists it") from None
    _print(report, json=json)
    if report.counts.refused:
        raise typer.Exit(FAILED)


def imports(
    limit: Annotated[int, typer.Option(min=1, help="The newest N.")] = 50, config: Config = None, data: Data = None
) -> None:
    """List imports, newest first."""
    from crm_bridge.importing.report_rows import newest  # noqa: PLC0415

    found = in_session(settings_of(config, data), lambda session: newest(session, limit))
    heads = ["id", "started_at", "state", "source", "rows", "created", "refused", "file"]
    print_rows(
        heads,
        [
            [
                row.id,
                iso(row.started_at),
                row.state,
                row.source or "-",
                *(str(row.counts[each]) for each in ("read", "created", "refused")),
                row.file,
            ]
            for row in found
        ],
    )


def _print(report: "Report", *, json: bool) -> None:
    from crm_bridge.importing.words import as_json, lines  # noqa: PLC0415

    if json:
        typer.echo(json_text.dumps(as_json(report), ensure_ascii=False))
    else:
        for line in lines(report):
            typer.echo(pasteable(line))


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many of something are done; what is called is told the number."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn(f"{{task.completed:,.0f}} {what}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)
        yield lambda done: shown.update(task, completed=done)


# ------------------------------------------------------------------------------------------------------------ people


def show(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="Of a profile; or a phone, an e-mail address, any identity.")
    ],
    limit: Annotated[int, typer.Option(min=1, help="The newest N entries of the timeline.")] = 50,
    json: Json = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Show a person with everything that is known of them, and their timeline."""
    from crm_bridge import context, timeline  # noqa: PLC0415
    from crm_bridge.present import context_out, interaction_out  # noqa: PLC0415
    from crm_bridge.routes import shown  # noqa: PLC0415
    from hotline.advice import load_advice  # noqa: PLC0415

    settings = settings_of(config, data)

    try:
        advice = load_advice(settings)
    except CannotStart as error:
        raise Failed(str(error)) from error

    async def read(session: AsyncSession) -> "tuple[Profile, CustomerOut, ContextOut, list[Interaction]]":
        found = await _find(session, id_, settings.region)
        now = time.time()
        (whole,) = await shown(session, [found], now)
        known = context_out(await context.read(session, found.person.id, 0, now, advice))
        return found, whole, known, await timeline.page(session, found.person.ids, limit=limit)

    profile, whole, known, entries = in_session(settings, read)
    if json:
        items = [interaction_out(each).model_dump(mode="json") for each in entries]
        dumped = whole.model_dump() | {"context": known.model_dump(), "timeline": items}
        typer.echo(json_text.dumps(dumped, ensure_ascii=False))
    else:
        _show(profile, whole, known, entries)


async def _find(session: AsyncSession, written: str, region: str) -> "Profile":
    from crm_bridge import customer  # noqa: PLC0415
    from crm_bridge.identity import normalise  # noqa: PLC0415
    from crm_bridge.routes import KINDS  # noqa: PLC0415

    if found := await customer.read(session, written):
        return found
    people: dict[str, Profile] = {}
    for kind in KINDS:
        if value := normalise(kind, written, region):
            people |= {each.person.id: each for each in await customer.find(session, [(kind, value)], limit=2)}
    if not people:
        raise Failed("there is no such customer; give the id of a profile, or an identity such as 0912345678")
    if len(people) > 1:
        raise Failed(f"this is an identity of several people: {', '.join(people)}; give one of these ids")
    return next(iter(people.values()))


def _show(profile: "Profile", whole: "CustomerOut", known: "ContextOut", entries: "list[Interaction]") -> None:
    person, reason, offer = profile.person, known.reason, known.offer
    pairs = [
        ("name", person.name),
        ("id", ", ".join(person.ids)),
        ("language", person.language),
        ("tags", ", ".join(person.tags)),
        ("birthday", whole.birthday or ""),
        ("preferred_channel", whole.preferred_channel or ""),
        ("last_agent", known.last_agent or ""),
        ("survey", f"{whole.survey.kind} {whole.survey.score} of {whole.survey.of}" if whole.survey else ""),
        ("reason", f"{reason.kind} {reason.subject}: {reason.why}" if reason else ""),
        ("offer", f"{offer.name}: {offer.why}" if offer else ""),
        ("created_at", iso(person.profiles[0].created_at)),
        ("updated_at", iso(person.updated_at)),
    ]
    for head, value in pairs:
        typer.echo(f"{head}: {_plain(value)}")
    typer.echo()
    print_rows(
        ["kind", "value", "assurance", "confidence", "source", "evidence"],
        [
            [each.kind, each.value, str(each.assurance), f"{each.confidence:.2g}", each.source, _plain(each.evidence)]
            for each in profile.identities
        ],
    )
    if profile.cases:
        typer.echo()
        print_rows(
            ["case", "state", "opened_at", "subject"],
            [[each.id, each.state, iso(each.opened_at), _plain(each.subject)] for each in profile.cases],
        )
    _show_facts(whole)
    typer.echo()
    rows = [[iso(each.occurred_at), each.channel, each.direction, _line(each)] for each in entries]
    print_rows(["occurred_at", "channel", "direction", "what"], rows)


def _show_facts(whole: "CustomerOut") -> None:
    """Show orders, payments, visits and needs, where there are any."""
    tables: list[tuple[list[str], list[list[str]]]] = [
        (
            ["order", "state", "amount", "items", "placed_at"],
            [
                [
                    each.number,
                    each.state or "-",
                    _sum(each.amount, each.currency),
                    str(each.items or "-"),
                    each.placed_at,
                ]
                for each in whole.orders
            ],
        ),
        (
            ["payment", "state", "amount", "order", "at"],
            [
                [each.id, each.state or "-", _sum(each.amount, each.currency), each.order or "-", each.at]
                for each in whole.payments
            ],
        ),
        (["visit", "purpose", "at"], [[each.place or "-", each.purpose or "-", each.at] for each in whole.visits]),
        (["need", "state", "since"], [[each.what, each.state, each.since] for each in whole.needs]),
    ]
    for heads, rows in tables:
        if rows:
            typer.echo()
            print_rows(heads, [[_plain(cell) for cell in row] for row in rows])


def _sum(amount: str | None, currency: str | None) -> str:
    return f"{amount} {currency or ''}".strip() if amount else "-"


def _line(entry: "Interaction") -> str:
    said = _plain(" ".join(entry.text.split()))
    text = said if len(said) <= 100 else said[:99] + "…"
    return " · ".join(part for part in (_plain(entry.subject), text) if part)


def _plain(text: str) -> str:
    """Return what strangers wrote without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def merge(
    one: Annotated[str, typer.Argument(metavar="ID", help="A profile.")],
    other: Annotated[str, typer.Argument(metavar="ID", help="Another profile of the same person.")],
    evidence: Evidence = "on the command line",
    config: Config = None,
    data: Data = None,
) -> None:
    """Make one person of two profiles; `customers undo` takes it back."""
    from crm_bridge import person  # noqa: PLC0415

    async def write(session: AsyncSession, grounds: "Grounds", now: float) -> "Linked":
        return await person.merge(session, one, other, grounds, now)

    _say_linked(_linked(settings_of(config, data), write, evidence))


def undo(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of a merge, a split or an undo; or of an import.")],
    evidence: Evidence = "",
    json: Json = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Take back a merge, a split or an undo; or an import, as far as nothing has used it since."""
    from crm_bridge import person  # noqa: PLC0415
    from crm_bridge.importing.tables import Import  # noqa: PLC0415

    settings = settings_of(config, data)
    if in_session(settings, lambda session: session.get(Import, id_)) is not None:
        _undo_import(settings, id_, json=json)
        return

    async def write(session: AsyncSession, grounds: "Grounds", now: float) -> "Linked":
        return await person.undo(session, id_, grounds, now)

    _say_linked(_linked(settings, write, evidence))


def _undo_import(settings: Settings, id_: str, *, json: bool) -> None:
    from crm_bridge.importing import undo as taking_back  # noqa: PLC0415

    async def work(sessions: Sessions) -> "Report":
        with _progress("profiles") as profiles:
            report = await taking_back.undo(sessions, id_, time.time, profiles)
        await audited(sessions, "customer.import.undo", id_)
        return report

    try:
        _print(with_sessions(settings, work), json=json)
    except taking_back.UndoRefused as error:
        raise Failed(str(error)) from error


def _linked(
    settings: Settings, write: "Callable[[AsyncSession, Grounds, float], Awaitable[Linked]]", evidence: str
) -> "Linked":
    from crm_bridge.person import Grounds, LinkRefused, NoLink, NoProfile  # noqa: PLC0415
    from crm_bridge.webhooks.outbox import Webhooks  # noqa: PLC0415
    from crm_bridge.webhooks.people import tell_linked  # noqa: PLC0415

    webhooks = Webhooks([each.endpoint for each in settings.webhooks])

    async def work(sessions: Sessions) -> "Linked":
        async with sessions.begin() as session:
            now = time.time()
            linked = await write(session, Grounds(evidence[:500], CLI, who()), now)
            await tell_linked(webhooks, session, linked, now)
        if not linked.repeated:
            await audited(sessions, f"customer.{linked.row.kind}", linked.row.id)
        return linked

    try:
        return with_sessions(settings, work)
    except NoProfile as error:
        raise Failed(
            f"there is no customer {error.args[0]}; `hotline customers show` finds one by any identity"
        ) from None
    except NoLink:
        raise Failed("there is no merge and no import of this id; `hotline customers imports` lists imports") from None
    except LinkRefused as error:
        raise Failed(str(error)) from None


def _say_linked(linked: "Linked") -> None:
    typer.echo(linked.row.id)
    done = "These two were merged before; nothing changed." if linked.repeated else f"Done: {linked.effect}."
    say(f"{done} The id above undoes it: `hotline customers undo {linked.row.id}`.")
    for profiles in linked.persons:
        say(f"One person: {', '.join(profiles)}.")
