"""`hotline demo --json`: the whole story on loopback, in processes of their own."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.timeout(240), pytest.mark.alone]


def test_the_demo_passes_and_says_so_in_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hotline", "demo", "--json"], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert [check["passed"] for check in told["checks"]] == [True] * 5
    assert [item["channel"] for item in told["timeline"]] == ["zalo", "email", "call"]
    assert told["customer"]["name"] == "Lan"
    assert told["word_error_rate"] <= 0.15
    assert told["transcript"]
    assert told["recording"]
