"""`hotline customers export`, `erase`, `certificate`, `hold`, `release` and `consents`; `hotline recordings purge`.

They work on the database and the folders themselves, whether a server runs on them or not.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hotline.database import Sessions
from hotline.terminal import (
    Config,
    Data,
    Failed,
    audited,
    in_session,
    print_rows,
    say,
    settings_of,
    who,
    with_sessions,
)
from telephony.clock import iso

Id = Annotated[str, typer.Argument(metavar="ID", help="The id of any profile of the person.")]


def add_to(group: typer.Typer) -> None:
    """Put the commands into a group."""
    for name, command in (
        ("export", export),
        ("erase", erase),
        ("certificate", certificate_),
        ("hold", hold_),
        ("release", release),
        ("consents", consents),
    ):
        group.command(name)(command)


def export(
    customer: Id,
    file: Annotated[
        Path | None, typer.Argument(metavar="[F]", help="The .zip file; else customer-ID.zip here.")
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Write everything that is kept of a person into a .zip file, which must not be there yet."""
    from crm_bridge.privacy.archive import archive, read  # noqa: PLC0415
    from hotline import privacy  # noqa: PLC0415

    settings = settings_of(config, data)
    path = file or Path(f"customer-{customer}.zip")

    async def run(sessions: Sessions) -> None:
        eraser = privacy.eraser(settings, sessions)
        whole = await read(eraser, customer, time.time())
        if whole is None:
            raise Failed(_nobody(customer))
        await asyncio.to_thread(_write, path, archive(whole, eraser.files))
        await audited(sessions, "customer.export", customer)

    with_sessions(settings, run)
    say(f"Written to {path}: it is personal data, give it to nobody but the person.")


def _write(path: Path, pieces: Any) -> None:
    """Write a file as a whole or not at all. Raises `Failed`."""
    try:
        with path.open("xb") as target:
            try:
                for piece in pieces:
                    target.write(piece)
            except BaseException:
                path.unlink()
                raise
    except FileExistsError:
        raise Failed(f"{path} is there already: name another file, or remove it first") from None
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}") from None


def erase(
    customer: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Erase a person from everywhere, and print the certificate. It cannot be undone."""
    from crm_bridge.person import NoProfile  # noqa: PLC0415
    from crm_bridge.privacy.certificate import KeyUnusable  # noqa: PLC0415
    from crm_bridge.privacy.erasure import Held, StillRunning, Unfinished  # noqa: PLC0415
    from hotline import privacy  # noqa: PLC0415

    settings = settings_of(config, data)
    if not yes:
        if not sys.stdin.isatty():
            raise Failed("erasing cannot be undone: say --yes, where nobody can be asked")
        typer.confirm(f"Erase customer {customer} from everywhere? It cannot be undone", abort=True, err=True)

    async def run(sessions: Sessions) -> dict[str, Any]:
        try:
            erasure, is_new = await privacy.eraser(settings, sessions).erase(customer, who(), time.time)
        except NoProfile:
            raise Failed(_nobody(customer)) from None
        except (Held, StillRunning, KeyUnusable) as error:
            raise Failed(str(error)) from None
        except Unfinished as error:
            if error.is_new:
                await audited(sessions, "customer.erase", error.erasure.id)
            raise Failed(f"the rows are gone, but not everything yet: {error}; run the same again to finish") from None
        if is_new:
            await audited(sessions, "customer.erase", erasure.id)
        return erasure.certificate

    typer.echo(json.dumps(with_sessions(settings, run), indent=1, ensure_ascii=False))
    say("Erased. Keep the certificate: after a backup is restored, `customers certificate F` says whom to erase again.")


def certificate_(
    file: Annotated[Path, typer.Argument(metavar="F", help="The certificate as the erasure gave it.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Check the certificate of an erasure, and whether a restored backup has brought the person back."""
    from sqlalchemy import select  # noqa: PLC0415

    from crm_bridge.privacy import certificate  # noqa: PLC0415
    from crm_bridge.tables import Customer  # noqa: PLC0415
    from hotline import privacy  # noqa: PLC0415

    settings = settings_of(config, data)
    try:
        written = json.loads(file.read_bytes())
        statement = certificate.verify(written, privacy.key(settings).public_key())
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, certificate.KeyUnusable) as error:  # JSON's own error is one
        raise Failed(f"{file} proves nothing: {error}") from None
    known = in_session(settings, lambda inner: inner.scalars(select(Customer.id)))
    back = [each for each in known if certificate.mark(each) in statement["profiles"]]
    if back:
        commands = "; ".join(f"hotline customers erase {each}" for each in back)
        raise Failed(f"{file} is genuine, but the person is here again, as after restoring a backup: {commands}")
    say(f"Genuine: erased {statement['done_at']} by {statement['by']}, {statement['storage']}.")
    print_rows(["kind", "erased"], [[kind, str(count)] for kind, count in statement["erased"].items()])


def hold_(
    customer: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why the data has to be kept.")],
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day (UTC) from which on it holds no more.")
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Put a legal hold on a person: nothing of theirs is deleted while it stands."""
    from crm_bridge.person import NoProfile  # noqa: PLC0415
    from crm_bridge.privacy import hold  # noqa: PLC0415

    ends_at = until.replace(tzinfo=UTC).timestamp() if until else None
    if ends_at is not None and ends_at <= time.time():
        raise Failed("--until is over already: name a day to come, or leave it out")
    if not reason.strip() or len(reason) > 500:
        raise Failed("--reason says why in 1 to 500 characters")

    async def run(sessions: Sessions) -> None:
        async with sessions() as session:
            try:
                await hold.place(session, customer, reason.strip(), who(), ends_at, time.time())
            except NoProfile:
                raise Failed(_nobody(customer)) from None
            await session.commit()
        await audited(sessions, "customer.hold", customer)

    with_sessions(settings_of(config, data), run)
    say("Held: `hotline customers release ID` releases it.")


def release(customer: Id, config: Config = None, data: Data = None) -> None:
    """Release every legal hold on a person."""
    from crm_bridge.person import NoProfile  # noqa: PLC0415
    from crm_bridge.privacy import hold  # noqa: PLC0415

    async def run(sessions: Sessions) -> int:
        async with sessions() as session:
            try:
                found = await hold.release(session, customer, who(), time.time())
            except NoProfile:
                raise Failed(_nobody(customer)) from None
            except hold.NotHeld as error:
                raise Failed(str(error)) from None
            await session.commit()
        await audited(sessions, "customer.release", customer)
        return len(found)

    say(f"{with_sessions(settings_of(config, data), run)} released.")


def consents(customer: Id, config: Config = None, data: Data = None) -> None:
    """List what a person agreed to and refused, the newest first."""
    from crm_bridge import person  # noqa: PLC0415
    from crm_bridge.privacy import consent  # noqa: PLC0415

    async def run(sessions: Sessions) -> list[list[str]]:
        async with sessions() as session:
            found = await person.read(session, customer)
            if found is None:
                raise Failed(_nobody(customer))
            rows = await consent.history(session, found.ids)
        return [
            [row.id, iso(row.at), row.purpose, row.state, row.channel, row.notice_version, row.recording_id or "-"]
            for row in rows
        ]

    heads = ["id", "at", "purpose", "state", "channel", "notice_version", "recording"]
    print_rows(heads, with_sessions(settings_of(config, data), run))


def purge(config: Config = None, data: Data = None) -> None:
    """Delete recordings and transcripts that are out of their time (privacy.retention), unless a hold keeps them."""
    from hotline import privacy  # noqa: PLC0415

    settings = settings_of(config, data)

    async def run(sessions: Sessions) -> dict[str, int]:
        try:
            gone = await privacy.purger(settings, sessions).purge(time.time(), ("recordings", "transcripts"))
        except OSError as error:
            raise Failed(f"not everything could be deleted: {error}; mend that and run the same again") from None
        return {str(kind): count for kind, count in gone.items()}

    gone = with_sessions(settings, run)
    if not gone:
        say("Nothing has a time: privacy.retention.recordings and privacy.retention.transcripts are not set.")
    print_rows(["kind", "deleted"], [[kind, str(count)] for kind, count in gone.items()])


def _nobody(customer: str) -> str:
    return f"there is no customer `{customer}`: GET /api/v1/customers finds their ids"
