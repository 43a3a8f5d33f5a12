"""What is told of a flow: how an error reads, names of the settings, warnings, folders, and how long it takes."""

import time
from pathlib import Path

import pytest

from hotline import flows
from ivr_flows import load, source
from ivr_flows.load import Files, flow_files
from ivr_flows.prove import Outside, check_file, load_proved, prove
from ivr_flows.source import FlowErrors
from tests.ivr_flows.flows import EXAMPLES
from tests.ivr_flows.prove.corpus import GOOD

HEAD = "flow: {name}\nlanguages: [en]\nstart: ask\n"
END = """\
  agent:
    queue: care
    answered: end
    timeout: bye
    full: bye
    closed: bye
  bye:
    hangup:
"""
ROUND = """\
  ask{n}:
    menu:
      prompt: "Say {{{{ tries{n} }}}}, press 1 or 2."
      choices: {{1: order{n}, 2: number{n}, 9: agent}}
      no_input: count{n}
      no_match: agent
  order{n}:
    gather: {{into: order{n}, prompt: "Your order?"}}
    next: number{n}
    no_input: count{n}
    no_match: agent
  number{n}:
    http: {{get: "https://x.example/{{{{ order{n} | default('') }}}}", into: parcel{n}}}
    next: tell{n}
    failed: count{n}
  tell{n}:
    say: "It is in {{{{ parcel{n}.place }}}}, and weighs {{{{ parcel{n}.weight + 1 }}}}."
    next: heavy{n}
  heavy{n}:
    when:
      - {{if: parcel{n}.weight > 10 and caller.assurance >= 1, next: noted{n}}}
      - {{if: parcel{n}.weight <= 2, next: ask{next}}}
      - else: hours{n}
  noted{n}:
    note: "{{{{ parcel{n}.place }}}}"
    next: ask{next}
  hours{n}:
    hours: office
    open: ask{next}
    closed: agent
    holiday: agent
    emergency: bye
  count{n}:
    set: {{tries{n}: tries{n} + 1}}
    next: often{n}
  often{n}:
    when:
      - {{if: tries{n} >= 3, next: agent}}
      - else: told{n}
  told{n}:
    say: "Once more."
    next: ask{n}
"""
RECORD = "{type: record, fields: {place: text, weight: number}}"


def flow_in(folder: Path, steps: str, name: str = "main", head: str = "") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(HEAD.format(name=name) + head + "steps:\n" + steps, encoding="utf-8")
    return path


def large(folder: Path, rounds: int) -> Path:
    """A flow of ten times so many steps, with loops, counters, records and facts."""
    steps = "".join(ROUND.format(n=n, next=n + 1) for n in range(rounds)).replace(f"ask{rounds}", "agent")
    variables = "".join(
        f"  tries{n}: {{type: number, initial: 0}}\n  order{n}: {{type: digits, length: 6}}\n  parcel{n}: {RECORD}\n"
        for n in range(rounds)
    )
    head = f"variables:\n{variables}"
    path = flow_in(folder, steps + END, head=head)
    path.write_text(path.read_text(encoding="utf-8").replace("start: ask\n", "start: ask0\n"), encoding="utf-8")
    return path


def test_an_error_reads_as_its_place_its_code_its_text_and_a_call(tmp_path: Path) -> None:
    steps = '  ask:\n    menu: {prompt: "1?", choices: {1: tell}, no_input: tell, no_match: bye}\n'
    steps += '  tell:\n    say: "It is {{ order }}."\n    next: agent\n'
    (error,) = check_file(flow_in(tmp_path, steps + END, head="variables: {order: digits}\n"))
    place, call = str(error).splitlines()
    assert place.startswith(f"{tmp_path}/main.yaml:9:10: unset-variable: 'order' may have no value here")
    assert call == "  such a call: press 1"


@pytest.mark.parametrize(
    ("outside", "codes"),
    [
        (Outside(), []),
        (Outside(queues=frozenset({"care"}), hours=frozenset({"office"}), settings=frozenset({"url"})), []),
        (Outside(queues=frozenset({"cares"})), [(8, "unknown-queue"), (15, "unknown-queue")]),
        (Outside(hours=frozenset()), [(8, "unknown-hours")]),
        (Outside(settings=frozenset({"urls"})), [(11, "unknown-setting")]),
    ],
)
def test_names_of_the_settings_are_there(tmp_path: Path, outside: Outside, codes: list[tuple[int, str]]) -> None:
    steps = """\
  ask:
    when:
      - {if: true == caller.known, next: fetch}
      - {if: 'queue("care").open and hours("office") == "open"', next: agent}
      - else: bye
  fetch:
    http: {get: "{{ settings.url }}/x"}
    next: agent
    failed: agent
"""
    found = check_file(flow_in(tmp_path, steps + END), outside)
    assert [(error.line, error.code) for error in found] == codes


def test_a_warning_stops_no_folder_and_an_error_does(tmp_path: Path) -> None:
    ask = '  ask:\n    menu: {prompt: "1?", choices: {1: ask}, no_input: bye, no_match: bye}\n'
    flow_in(tmp_path, ask + "  bye:\n    hangup:\n")
    flows, warnings = load_proved(tmp_path)
    assert (list(flows), [(each.code, each.warning) for each in warnings]) == (["main"], [("no-way-to-person", True)])
    assert ": warning: no-way-to-person: " in str(warnings[0])
    flow_in(tmp_path, "  ask:\n    note: x\n    next: more\n  more:\n    note: y\n    next: ask\n" + END, name="worse")
    flow_in(tmp_path, '  ask:\n    say: "{{ 1 / 0 }}"\n    next: agent\n' + END, name="broken")
    with pytest.raises(FlowErrors) as raised:
        load_proved(tmp_path)
    assert {error.code for error in raised.value.errors} >= {"unreachable-step"}
    (tmp_path / "worse.yaml").unlink()
    with pytest.raises(FlowErrors) as raised:
        load_proved(tmp_path)
    assert [error.code for error in raised.value.errors] == ["zero-division"]


@pytest.mark.parametrize(
    ("returned", "found"),
    [("return: {values: {code: \"'x'\"}}", []), ("return:", [(11, "may-be-missing")])],
)
def test_what_a_flow_does_not_give_back_is_nothing(tmp_path: Path, returned: str, found: list[tuple[int, str]]) -> None:
    asked = f"returns: {{code: text}}\nsteps:\n  ask:\n    {returned}\n"
    (tmp_path / "asked.yaml").write_text(HEAD.format(name="asked") + asked, encoding="utf-8")
    steps = "  ask:\n    subflow: {flow: asked, into: {code: code}}\n    next: tell\n    failed: agent\n"
    tell = '  tell:\n    say: "It is {{ code }}."\n    next: agent\n'
    path = flow_in(tmp_path, steps + tell + END, head="variables: {code: text}\n")
    assert [(error.line, error.code) for error in check_file(path)] == found


def test_folders_of_good_flows_are_served() -> None:
    flows, warnings = load_proved(GOOD / "identified")
    assert (sorted(flows), warnings) == (["identify", "main", "room"], [])


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_what_is_shipped_is_proved(path: Path) -> None:
    if not path.name.endswith((".test.yaml", ".sim.yaml")) and path.name != "prompts.yaml":
        assert [str(error) for error in check_file(path)] == []


def test_a_file_is_read_once_for_all_that_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def reading(path: Path, faults: source.Faults) -> bytes | None:
        read.append(path)
        return source.octets_of(path, faults)

    monkeypatch.setattr(load, "octets_of", reading)
    files = flow_files(EXAMPLES)
    assert flows.check(files, None) == []
    assert sorted(read) == sorted([*files, EXAMPLES / "prompts.yaml"])


def test_a_flow_of_300_steps_is_proved_at_once(tmp_path: Path) -> None:
    checked = Files().linked(large(tmp_path, 30))
    assert checked.flow is not None
    assert len(checked.flow.steps) == 302
    begun = time.process_time()
    assert [str(error) for error in (*checked.errors, *prove(checked))] == []
    assert time.process_time() - begun < 1.0
