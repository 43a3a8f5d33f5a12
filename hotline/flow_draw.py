"""`hotline flow draw`: the picture of a flow."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from hotline.terminal import Config, Failed, settings_of

Format = Literal["svg", "mermaid", "png"]
SUFFIXES: Final[dict[str, Format]] = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".png": "png"}
TERMINAL: Final = Path("-")


def add_to(group: typer.Typer) -> None:
    """Put the command into its group."""
    group.command("draw")(draw)


def draw(
    file: Annotated[Path, typer.Argument(metavar="F", help="A flow.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="svg, mermaid or png; else as OUT is named, else svg.")
    ] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUT", help="The file to write; `-` for here.")
    ] = TERMINAL,
    language: Annotated[str, typer.Option(metavar="L", help="Language of the words; else the flow's first.")] = "",
    config: Config = None,
) -> None:
    """Draw a flow: every step, and every way a call can go."""
    from ivr_flows.draw.pictures import CannotDraw, picture  # noqa: PLC0415
    from ivr_flows.load import load  # noqa: PLC0415

    settings_of(config)
    chosen = form or SUFFIXES.get(out.suffix.lower(), "svg")
    if chosen == "png" and out == TERMINAL and sys.stdout.isatty():
        raise Failed("a PNG is nothing to read here: name a file with -o OUT.png, or draw svg or mermaid")
    flow = load(file)
    if language and language not in flow.languages:
        raise Failed(f"'{flow.name}' does not speak '{language}'; it has {', '.join(flow.languages)}")
    try:
        drawn = picture(flow, language or flow.languages[0], chosen)
    except CannotDraw as error:
        raise Failed(str(error)) from error
    if out == TERMINAL:
        sys.stdout.buffer.write(drawn)
        sys.stdout.buffer.flush()
    else:
        _write(out, drawn)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: others may be reading it."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise Failed(f"{path} cannot be written: {error.strerror}") from error
