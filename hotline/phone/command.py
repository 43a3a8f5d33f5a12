"""`hotline call`: a command-line phone for people, and the phones of `hotline demo` and of tests.

The phone is pyVoIP 1.6.8 (GPL-3.0, extra `phone`), loaded only when a call is made, in a process of its own. So it is a
phone of another make than the server: what the two understand of each other, they understand of the standards.

    python -m hotline.phone call NUMBER --server HOST:PORT ...    what `hotline call` does, and --json for programs
    python -m hotline.phone agent --server HOST:PORT --user U --password P ...    register, take one call, talk
    python -m hotline.phone outside --server HOST:PORT --listen HOST:PORT ...    the same where a trunk leads to

With `--live` standard input says what to do in the call, a line at a time: `press 12#`, `play F.wav`, `hang_up`; its
end hangs up.
"""

import argparse
import re
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hotline.phone.audio import speech
from hotline.phone.conversation import ANSWER_S, CLOSE_S, Conversation, PhoneFailed, Speaking, Stopped
from hotline.phone.dialog import LineError
from hotline.phone.keypad import obey
from hotline.phone.progress import Progress
from hotline.phone.script import ScriptError, write_script
from ivr_flows.prompts import PromptError

if TYPE_CHECKING:
    from hotline.phone.line import Line

DONE: Final = 0
FAILED: Final = 1
NO_PYVOIP: Final = "the phone needs pyVoIP, which is not installed: pip install 'hotline[phone]'"
_SEPARATORS: Final = re.compile(r"[\s().\-]")
_NUMBER: Final = re.compile(r"\+?[0-9*#]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """What the phone does in its call: presses keys, then says a text or plays a file, and records what it hears.

    `speech_after` is in seconds from the last key (from the answer without keys). `voice` is an `.onnx` file for piper.
    `seconds` after the answer the phone hangs up; an agent's phone `seconds` after it began. `live`: standard input
    says more (`hotline.phone.keypad.obey`).
    """

    press: str = ""
    say: str = ""
    play: Path | None = None
    speech_after: float | None = None
    language: str = ""
    voice: Path | None = None
    record: Path | None = None
    seconds: float | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """Where the phone is and who it is. `from_` is the number that the far end sees; none or `anonymous` hides it.
    `listen` is where it is called without being registered."""

    server: str
    user: str = ""
    password: str = ""
    from_: str = ""
    listen: str = ""


def call(  # noqa: PLR0913  (the options of `hotline call`, one by one)
    number: str,
    *,
    server: str,
    from_: str = "",
    user: str = "",
    password: str = "",
    press: str = "",
    say: str = "",
    play: Path | None = None,
    record: Path | None = None,
    seconds: float | None = None,
) -> int:
    """Call a number; return 0 when it was answered and ended in order, 1 otherwise, having said why."""
    part = Part(press=press, say=say, play=play, record=record, seconds=seconds)
    return dial(number, Account(server, user, password, from_), part)


def dial(number: str, account: Account, part: Part, *, answer_s: float = ANSWER_S, as_json: bool = False) -> int:
    """Call a number as `call` does, waiting `answer_s` for an answer; `as_json` tells programs of the progress."""

    def run(conversation: Conversation, line: "Line") -> None:
        if account.user:
            conversation.register(line, account.server)
        conversation.dial(line, _number(number), answer_s)

    return _run(account, part, run, as_json=as_json)


def agent(account: Account, part: Part, *, answer_after: float = 1.0, refuse: str = "", as_json: bool = False) -> int:
    """Register, if there is a user, take one call after `answer_after` seconds of ringing, and talk; or `refuse` every
    call, with a status such as `486 Busy Here`. Return as `call` does."""

    def run(conversation: Conversation, line: "Line") -> None:
        if account.user:
            conversation.register(line, account.server)
        else:
            conversation.progress.event("listening", f"called at {account.listen}")
        conversation.take_call(line, answer_after, refuse)

    return _run(account, part, run, as_json=as_json)


def _run(account: Account, part: Part, run: Callable[[Conversation, "Line"], None], *, as_json: bool) -> int:
    progress = Progress(as_json=as_json)
    spoken = part.play.name if part.play else part.say
    conversation = Conversation(progress, part.record, part.seconds, Speaking(spoken))
    try:
        with conversation.interruptible():
            line = _open_line(account, part, conversation)
            if part.live:
                said = (sys.stdin, line.keypad, line.mouth.play, conversation.stopping)
                threading.Thread(target=obey, args=said, name="commands", daemon=True).start()
            try:
                run(conversation, line)
            finally:
                _leave(account, conversation, line)
    except Stopped:
        return _failed(progress, "stopped before the call was answered", 0)
    except PhoneFailed as failure:
        return _failed(progress, str(failure), failure.status)
    return DONE


def _failed(progress: Progress, reason: str, status: int) -> int:
    progress.event("ended", f"no call: {reason}", ok=False, by="", reason=reason, status=status)
    return FAILED


def _open_line(account: Account, part: Part, conversation: Conversation) -> "Line":
    """Prepare all that may fail before anybody's phone rings. Raises `PhoneFailed`."""
    if part.record is not None and not part.record.parent.is_dir():
        raise PhoneFailed(f"--record {part.record}: there is no folder {part.record.parent}")
    try:
        from hotline.phone import line as phone_line  # noqa: PLC0415 - GPL-3.0, and not installed everywhere
    except ModuleNotFoundError as error:
        raise PhoneFailed(NO_PYVOIP) from error
    try:
        samples = speech(part.say, part.play, part.language, part.voice)
        script = write_script(part.press, samples, part.speech_after)
        host, port = phone_line.resolve(account.server)
        caller = _caller(account, host)
        user = account.user or "phone"
        told = conversation.told.put
        listen = phone_line.resolve(account.listen) if account.listen else None
        mark = conversation.on_mark
        line = phone_line.Line((host, port), user, account.password, caller, script, told, mark, listen)
        line.start()
    except (PromptError, ScriptError, LineError) as error:
        raise PhoneFailed(str(error)) from error
    except OSError as error:
        raise PhoneFailed(f"no way to {account.server}: {error.strerror or error}") from error
    return line


def _leave(account: Account, conversation: Conversation, line: "Line") -> None:
    """Take the registration back, if there is one, and close the line."""
    try:
        if account.user:
            line.sip.deregister()
            conversation.wait_for("unregistered", CLOSE_S, "")
    except (PhoneFailed, Stopped):
        pass  # it runs out by itself
    finally:
        line.stop()


def _number(text: str) -> str:
    """Return a number as it stands in a SIP URI. Raises `PhoneFailed`."""
    number = _SEPARATORS.sub("", text)
    if not _NUMBER.fullmatch(number):
        raise PhoneFailed(f"{text!r} is no number: write digits, perhaps with + before them")
    return number.replace("#", "%23")


def _caller(account: Account, host: str) -> str:
    """Return the From of our calls, without its tag; `{}` stands for our own address: who has no account at a server
    does not say so."""
    if account.from_ and account.from_.lower() != "anonymous":
        return f"<sip:{_number(account.from_)}@{host if account.user else '{}'}>"
    if account.user and not account.from_:
        return f"<sip:{account.user}@{host}>"
    return '"Anonymous" <sip:anonymous@anonymous.invalid>'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m hotline.phone`."""
    options = _parser().parse_args(arguments)
    listen = getattr(options, "listen", "")
    account = Account(options.server, options.user, options.password, getattr(options, "from_", ""), listen)
    part = Part(
        press=options.press,
        say=options.say,
        play=options.play,
        speech_after=options.speech_after,
        language=options.language,
        voice=options.voice,
        record=options.record,
        seconds=options.seconds,
        live=options.live,
    )
    if options.mode == "agent":
        return agent(account, part, answer_after=options.answer_after, as_json=options.json)
    if options.mode == "outside":
        return agent(account, part, answer_after=options.answer_after, refuse=options.refuse, as_json=options.json)
    return dial(options.number, account, part, answer_s=options.answer_timeout, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hotline.phone", description="A phone on pyVoIP.")
    modes = parser.add_subparsers(dest="mode", required=True)
    caller = modes.add_parser("call", help="call a number")
    caller.add_argument("number", metavar="NUMBER")
    caller.add_argument("--from", dest="from_", default="", metavar="N", help="the caller's number, or anonymous")
    caller.add_argument("--answer-timeout", type=float, default=ANSWER_S, metavar="S")
    desk = modes.add_parser("agent", help="register, and take one call")
    outside = modes.add_parser("outside", help="take one call, without being registered")
    outside.add_argument("--listen", required=True, metavar="HOST:PORT", help="where it is called")
    outside.add_argument("--refuse", default="", metavar="STATUS", help='answer every call so, such as "486 Busy Here"')
    for mode in (desk, outside):
        mode.add_argument("--answer-after", type=float, default=1.0, metavar="S", help="let it ring so long")
    for mode, needs_account in ((caller, False), (desk, True), (outside, False)):
        mode.add_argument("--server", required=True, metavar="HOST:PORT")
        mode.add_argument("--user", default="", required=needs_account, metavar="U")
        mode.add_argument("--password", default="", required=needs_account, metavar="P")
        mode.add_argument("--press", default="", metavar='"1 # 2"', help="keys, as tones; 2s and , are pauses")
        mode.add_argument("--say", default="", metavar="TEXT", help="speak a text after the keys")
        mode.add_argument("--play", type=Path, metavar="F", help="play a .wav file instead")
        mode.add_argument(
            "--say-after", "--play-after", dest="speech_after", type=float, metavar="S", help="so long after the keys"
        )
        mode.add_argument("--language", default="", metavar="LANG", help="of --say; else guessed: vi or en")
        mode.add_argument("--voice", type=Path, metavar="F", help="an .onnx voice for piper; else espeak-ng speaks")
        mode.add_argument("--record", type=Path, metavar="F", help="write what is heard to a .wav file")
        mode.add_argument("--seconds", type=float, metavar="N", help="end after so long")
        mode.add_argument("--live", action="store_true", help="obey standard input: press KEYS, play F, hang_up")
        mode.add_argument("--json", action="store_true", help="one JSON object per line, for programs")
    return parser
