"""What `hotline bench signalling` makes of the figures; `tests/end_to_end/test_bench.py` runs it."""

from pathlib import Path

import pytest

from hotline.cli import _benchmark

signalling = _benchmark("signalling")


def write(folder: Path, succeeded: int, answers: list[tuple[float, str]]) -> Path:
    """Write what SIPp would of ten calls, begun within a second."""
    rtt = [f"{1000 + number};{ms};{name}" for number, (ms, name) in enumerate(answers)]
    (folder / "uac_1_rtt.csv").write_text("\n".join(["Date_ms;response_time_ms;rtd_no", *rtt]))
    statistics = folder / "statistics.csv"
    rows = ["4;3;0", f"10;{succeeded};7"]
    statistics.write_text("\n".join(["TotalCallCreated;SuccessfulCall(C);Retransmissions(C)", *rows]))
    return statistics


class TestSipp:
    def test_answered_refused_and_failed(self, tmp_path: Path) -> None:
        answers = [(8.0, "answered")] * 6 + [(4.0, "refused")] * 2 + [(2000.0, "answered")]
        load = signalling._told_by_sipp(write(tmp_path, 8, answers), tmp_path, 1.0)
        assert (load.calls, load.answered, load.refused, load.failed, load.retransmissions) == (10, 6, 2, 2, 7)
        assert (load.failed_share, load.lasted_s) == (0.2, 1.0)

    def test_calls_that_it_does_not_tell_of(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match="8 calls"):
            signalling._told_by_sipp(write(tmp_path, 8, []), tmp_path, 1.0)


class TestVerdicts:
    def test_each_target_is_told(self) -> None:
        rows = [
            {"case": "udp", "n": 600, "met": True, "target": "quick"},
            {"case": "memory", "n": 9, "met": None, "target": "flat"},
            {"case": "overload", "n": 1200, "met": False, "target": "orderly"},
            {"case": "server", "n": 20},
        ]
        assert signalling.verdicts(rows) == [
            "udp 600: met: quick",
            "memory 9: not told by so short a run: flat",
            "overload 1200: NOT MET: orderly",
        ]

    def test_an_unknown_case(self) -> None:
        with pytest.raises(ValueError, match="there is no case 'sctp'"):
            signalling.run(case="sctp")

    def test_without_sipp(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(RuntimeError, match="sip-tester"):
            signalling.run(case="udp")

    @pytest.mark.parametrize(("share", "value"), [(0.5, 3.0), (0.99, 4.0), (0.0, 1.0)])
    def test_percentiles(self, share: float, value: float) -> None:
        assert signalling._percentile([4.0, 1.0, 3.0, 2.0], share) == value
