"""`hotline bench signalling`, for a moment and with few calls: that it measures, not what."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(120)


def bench(*options: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "hotline", "bench", "signalling", *options, "--json"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


@pytest.mark.alone  # how many calls a second there are is what it looks at
@pytest.mark.parametrize("case", ["udp", "tcp", "tls"])
def test_calls_over_each_transport(case: str) -> None:
    (row,) = bench("--case", case, "--n", "20", "--seconds", "1")
    assert (row["case"], row["n"], row["failed"]) == (case, 20, 0.0)
    assert row["calls_per_s"] == pytest.approx(20, rel=0.3)
    for figure in ("cpu_ms_per_call", "memory_kb"):
        assert float(str(row[figure])) > 0
    assert float(str(row["invite_to_200_p99_ms"])) >= float(str(row["invite_to_200_p50_ms"]))


def test_the_whole_server() -> None:
    (row,) = bench("--case", "server", "--n", "5", "--seconds", "2")
    assert (row["n"], row["failed"]) == (5, 0.0)


def test_the_memory_of_few_calls_tells_nothing() -> None:
    (row,) = bench("--case", "memory", "--n", "100")
    assert (row["memory_growth_kb"], row["met"]) == (None, None)
