"""The shipped flows have scenarios that pass and take every exit."""

from ivr_flows.load import flow_files
from ivr_flows.trials import telling
from ivr_flows.trials.examining import examine, files_of, read_beside
from tests.ivr_flows.flows import EXAMPLES


def test_shipped_scenarios_pass_and_cover() -> None:
    for examined in examine([read_beside(file) for file in flow_files(EXAMPLES)]):
        assert examined.passed, "\n".join(telling.lines_of(examined))
        assert examined.coverage.missed == ()


def test_folders_and_test_files_mean_their_flows() -> None:
    flows = flow_files(EXAMPLES)
    assert files_of([EXAMPLES]) == flows
    assert files_of([EXAMPLES / "main.test.yaml", EXAMPLES / "main.yaml"]) == [EXAMPLES / "main.yaml"]
