"""`hotline flow …`: what flows do, tried before a caller does."""

import json as json_text
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hotline.terminal import FAILED, Config, Failed, say, settings_of

if TYPE_CHECKING:
    from hotline.trials.depth import LeftOut
    from ivr_flows.trials.examining import Beside, Examined
    from ivr_flows.trials.search import Found

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add_to(group: typer.Typer) -> None:
    """Put the commands into their group."""
    group.command("test")(try_out)
    group.command("simulate")(simulate)


# ------------------------------------------------------------------------------------------------------------ testing


def try_out(  # noqa: PLR0913, PLR0917 - the options of a command, one by one
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[F…]", help="Flows or folders of them; else the settings' flows.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this scenario; may be repeated.")] = None,
    fail_under: Annotated[
        float, typer.Option(metavar="N", min=0, max=100, help="Fail where less than N % of the exits are taken.")
    ] = 0.0,
    generate: Annotated[
        bool, typer.Option("--generate", help="Print scenarios for the exits that none takes yet.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Put what --generate finds into the test file.")] = False,
    depth: Annotated[
        Literal["logic", "audio", "sip"],
        typer.Option(help="`audio`: with real sound; `sip`: by real calls to a server that is started for each."),
    ] = "logic",
    slow: Annotated[
        bool, typer.Option("--slow", help="Play scenarios that last, too: at `sip` over 3 minutes, at `audio` over 30.")
    ] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Play the scenarios beside flows, and say which exits of each flow they take."""
    from ivr_flows.load import Files  # noqa: PLC0415
    from ivr_flows.trials import examining, telling  # noqa: PLC0415

    settings = settings_of(config)
    read = Files()
    besides = [examining.read_beside(file, read) for file in examining.files_of(files or [settings.flows_folder])]
    if not besides:
        raise Failed(f"there is no flow in {', '.join(map(str, files or [settings.flows_folder]))}")
    _look_for(only or [], besides)
    if (generate or write) and depth != "logic":
        raise Failed("--generate looks for ways through the logic: leave --depth away")
    left_out: list[LeftOut] = []
    if depth == "logic":
        examined = examining.examine(besides, only or ())
    else:
        from hotline.trials.depth import examine_at  # noqa: PLC0415

        examined, left_out = examine_at(depth, besides, only or (), settings, say, slow=slow)
    if generate or write:
        _generate(examined, write=write)
        return
    if json:
        typer.echo(json_text.dumps(_body(examined, left_out, depth), ensure_ascii=False))
    else:
        for line in (line for each in examined for line in telling.lines_of(each)):
            typer.echo(line)
        for one in left_out:
            typer.echo(f"  not for this depth: {one.flow}: {one.scenario.name}: {one.reason}")
    low = [each for each in examined if not only and each.coverage.percent < fail_under]
    for each in low:
        say(f"{each.beside.file}: {telling.percent(each.coverage.percent)} % is under {fail_under:g} %; see --generate")
    if low or not all(each.passed for each in examined):
        raise typer.Exit(FAILED)


def _body(examined: Sequence["Examined"], left_out: Sequence["LeftOut"], depth: str) -> dict[str, object]:
    """Return what came of scenarios as plain values."""
    from ivr_flows.trials import telling  # noqa: PLC0415

    told: dict[str, object] = {"flows": [telling.body(each) for each in examined]}
    if depth != "logic":
        told["depth"] = depth
        told["not_for_this_depth"] = [
            {"flow": one.flow, "name": one.scenario.name, "line": one.scenario.line, "reason": one.reason}
            for one in left_out
        ]
    return told


def _look_for(only: Sequence[str], besides: Sequence["Beside"]) -> None:
    from ivr_flows.source import did_you_mean  # noqa: PLC0415

    names = [scenario.name for beside in besides for scenario in beside.trials.scenarios]
    for name in only:
        if name not in names:
            raise Failed(f"--only: there is no scenario '{name}'{did_you_mean(name, names)}")


def _generate(examined: Sequence["Examined"], *, write: bool) -> None:
    """Print scenarios for what is not covered, or write them; say what no way was found to. A flow that others call is
    looked at through them first."""
    from ivr_flows.trials import search  # noqa: PLC0415

    missed = {exit_: None for each in examined for exit_ in each.coverage.missed}
    called = {name for each in examined for name in each.beside.flow.flows}
    for each in sorted(examined, key=lambda one: one.beside.flow.name in called):
        trials, flow = each.beside.trials, each.marked.flow
        wanted = [exit_ for exit_ in missed if exit_.flow == flow.name or exit_.flow in flow.flows]
        found = search.find(each.marked, wanted, [scenario.name for scenario in trials.scenarios])
        for exit_ in (exit_ for one in found for exit_ in one.exits):
            missed.pop(exit_, None)
        _put_down(each, found, write=write)
    for exit_ in missed:
        say(f"no way was found to {exit_.written('')}")


def _put_down(examined: "Examined", found: Sequence["Found"], *, write: bool) -> None:
    from ivr_flows.trials import reading, writing  # noqa: PLC0415

    file = reading.scenarios_beside(examined.beside.file)
    if found and write:
        text = file.read_text("utf-8") if file.is_file() else ""
        try:
            new = (
                writing.appended(text, found) if text.strip() else writing.new_file(examined.beside.trials.flow, found)
            )
        except writing.NotAppendable as error:
            raise Failed(f"{file}: {error}") from None
        file.write_text(new, "utf-8")
    elif found:
        typer.echo(writing.yaml_of(found), nl=False)
    what = f"{len(found)} scenarios {'written to' if write else 'for'} {file}" if found else "nothing to add"
    say(f"{examined.beside.file}: {what}")


# --------------------------------------------------------------------------------------------------------- simulating


def simulate(
    file: Annotated[Path, typer.Argument(metavar="F", help="The flow.")],
    calls: Annotated[int, typer.Option(metavar="N", min=1, max=1_000_000, help="So many callers.")] = 1000,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same result.")] = 1,
    agents: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=10_000, help="So many agents serve all queues.")
    ] = None,
    arrivals: Annotated[str, typer.Option(metavar="120/h", help="How often somebody calls.")] = "",
    behaviour: Annotated[
        Path | None, typer.Option("--file", metavar="F", help="What callers do; else `.sim.yaml` beside the flow.")
    ] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Let callers by stated probabilities call a flow, with real queues, in virtual time."""
    import msgspec  # noqa: PLC0415

    from hotline.simulate import center, figures, reading, telling  # noqa: PLC0415
    from ivr_flows.load import load  # noqa: PLC0415

    settings_of(config)
    flow = load(file)
    beside = reading.behaviour_beside(file)
    known = reading.read_behaviour(behaviour or (beside if beside.is_file() else None), flow)
    rate = reading.read_rate(arrivals) if arrivals else None
    if arrivals and rate is None:
        raise Failed(f"--arrivals: '{arrivals}' is not a rate such as 120/h or 2/min")
    told = figures.figures(center.simulate(flow, reading.changed(known, agents, rate), calls, seed))
    if json:
        typer.echo(msgspec.json.encode(told).decode())
        return
    for line in telling.lines_of(told):
        typer.echo(line)
