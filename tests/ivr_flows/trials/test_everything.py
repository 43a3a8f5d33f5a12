"""Every verb of the language in scenarios: flows that call, wait in and go over to each other (`everything/`)."""

import shutil
from pathlib import Path

import pytest

from ivr_flows.load import flow_files, load
from ivr_flows.source import FlowErrors
from ivr_flows.trials import telling
from ivr_flows.trials.examining import Examined, examine, read_beside
from ivr_flows.trials.marks import marked
from ivr_flows.trials.search import find
from ivr_flows.trials.writing import new_file

FLOWS = Path(__file__).parent / "everything"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in flow_files(FLOWS):
        shutil.copy(file, tmp_path)
    return tmp_path


def _played(folder: Path, scenarios: str) -> list[Examined]:
    (folder / "main.test.yaml").write_text(f"flow: main\nscenarios:\n{scenarios}", encoding="utf-8")
    return examine([read_beside(file) for file in flow_files(folder)])


def _all_pass(folder: Path, scenarios: str) -> None:
    for examined in _played(folder, scenarios):
        assert examined.passed, "\n".join(telling.lines_of(examined))


def test_scenarios_are_found_for_everything(folder: Path) -> None:
    main = marked(load(folder / "main.yaml"))
    found = find(main, tuple(main.exits))
    (folder / "main.test.yaml").write_text(new_file("main", found), encoding="utf-8")
    for examined in examine([read_beside(file) for file in flow_files(folder)]):
        assert examined.passed, "\n".join(telling.lines_of(examined))
        assert examined.coverage.missed == ()


def test_a_web_service_answers(folder: Path) -> None:
    _all_pass(
        folder,
        """\
  found:
    http: {"*/123456": {order: {status: late, day: 2026-03-03, left: [5]}}}
    call: [press: 1, press: "123456#", hears: "một, hai, ba", press: 1]
    expect:
      variables: {delivery: {status: late, days: 5}, ticket: case-new}
      case: case-new
      noted: Khách hỏi đơn 123456
      exit: [find.next, open_case.next]
  not_there:
    http: {"GET orders_url/*": 410}
    call: [press: 1, press: "123456#", press: 1, hears: Vị trí 1, hangs_up]
    expect: {exit: find.not_found}
  too_late:
    settings: {orders_url: "https://orders.example"}
    http: {"https://orders.example/*": {code: 200, after: 10s}}
    call: [press: 1, press: "123456#", press: 1, hears: Vị trí, hangs_up]
    expect: {exit: find.timed_out}
  of_another_type:
    http: {"*": {order: {status: late, day: soon, left: [5]}}}
    call: [press: 1, press: "123456#", press: 1, hears: Xin lỗi]
    expect: {exit: find.failed}
""",
    )


def test_what_no_one_answers_is_told(folder: Path) -> None:
    main = _played(folder, "  a: {call: [press: 1, press: '123456#', press: 1]}\n")[2]
    (disappointment,) = main.verdicts[0].disappointments
    assert "the flow asks for orders_url/123456, and nothing under the scenario's `http:`" in disappointment.text


def test_somebody_says_it(folder: Path) -> None:
    _all_pass(
        folder,
        """\
  plainly:
    call: [says: tôi hỏi về đơn hàng, hears: Mã, hangs_up]
    expect: {exit: menu.1}
  unclearly:
    call: [says: {text: đơn hàng, confidence: 0.2}, hears: Bấm 1, hangs_up]
""",
    )
    main = _played(folder, "  a: {call: [says: đơn hàng, says: một hai ba]}\n")[2]
    assert "says: một hai ba: ask_order takes keys only" in main.verdicts[0].disappointments[0].text


def test_a_caller_waits_and_is_heard_in_the_queue(folder: Path) -> None:
    _all_pass(
        folder,
        """\
  asks_to_be_called_back:
    queues: {care: {waiting: 4, after: 4m}}
    call: [press: 0, hears: Vị trí 5, press: 1, hears: Cảm ơn]
    expect: {queue: care, exit: [operator.call_back, callback.next, waiting_room/offer.1]}
  presses_while_talking:
    queues: {care: {after: 2s, talk: 30s}}
    call: [press: 0, waits: 10s, interrupts: "1", hears: 0 đến 10, press: 9]
    expect: {exit: [operator.answered, survey.next], scored: 9}
""",
    )


def test_subflows_are_given_their_answers(folder: Path) -> None:
    _all_pass(
        folder,
        """\
  verified_the_second_time:
    caller: {phone: "+84900000006", known_as: {name: Lan}}
    verify: [refused, verified]
    lookup: {name: Lan Anh}
    call: [press: "02031990", press: 0, hangs_up]
    expect: {steps: [..., identify, identify/ask, identify/check, identify/bad, menu, ...], variables: {who: ""}}
  verified:
    caller: "+84900000006"
    verify: {outcome: verified, known_as: {name: Lan}}
    lookup: {name: Lan Anh}
    call: [press: "02031990", press: 3, hangs_up]
    expect: {variables: {who: Lan, person: {name: Lan Anh}}, exit: [identify.verified, look.found]}
""",
    )


def test_a_flow_with_parameters_is_tried_by_itself(folder: Path) -> None:
    (folder / "identify.test.yaml").write_text(
        """\
flow: identify
scenarios:
  by_itself:
    parameters: {level: 3}
    verify: verified
    call: [press: "02031990"]
    expect: {steps: [ask, check, enough, bad], exit: [refused, enough.else], ends: completed}
""",
        encoding="utf-8",
    )
    (examined,) = examine([read_beside(folder / "identify.yaml")])
    assert examined.passed, "\n".join(telling.lines_of(examined))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("http: {'*': 99}", "'99' is neither a status from 100 to 599 nor timed_out"),
        ("http: {'*': time_out}", "did you mean 'timed_out'?"),
        ("lookup: fond", "'fond' is not what comes of 'lookup': found, not_found, several or failed"),
        ("dial: {outcome: busy, aftr: 2s}", "what comes of 'dial' has no 'aftr'; did you mean 'after'?"),
        ("hours: {ofice: open}", "the flow has no opening hours 'ofice'; did you mean 'office'?"),
        ("hours: {office: opened}", "'opened' is not a state of opening hours"),
        ("parameters: {level: 1}", "'level' is not among the flow's parameters"),
        ("expect: {steps: [identify/aks]}", "there is no step 'identify/aks'; did you mean 'identify/ask'?"),
    ],
)
def test_faults_of_the_world(line: str, fault: str, folder: Path) -> None:
    with pytest.raises(FlowErrors) as raised:
        _played(folder, f"  a: {{call: [], {line}}}\n")
    assert fault in str(raised.value)
