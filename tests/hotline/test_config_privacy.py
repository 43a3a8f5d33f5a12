"""`privacy` in the settings."""

from pathlib import Path

import pytest

from hotline.config import ConfigErrors, Settings, load


def loaded(text: str, folder: Path) -> Settings:
    path = folder / "hotline.yaml"
    path.write_text(text)
    return load(path, {})


def test_days_are_written_with_their_unit(tmp_path: Path) -> None:
    privacy = loaded("privacy: {retention: {recordings: 90d}, deadlines: {erase: 5d}}\n", tmp_path).privacy
    assert privacy.retention.recordings == 90 * 86_400
    assert privacy.retention.journals is None
    assert (privacy.deadlines.erase, privacy.deadlines.export) == (5 * 86_400, 10 * 86_400)
    assert privacy.time_zone == "Asia/Ho_Chi_Minh"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{retention: {recordings: 90}}", "privacy.retention.recordings: `90` is no number of days"),
        ("{retention: {recordings: 0d}}", "`0d` is no number of days"),
        ("{retention: {customers: 1d}}", "privacy.retention.customers: is not a setting"),
        ("{deadlines: {answer: 0}}", "privacy.deadlines.answer"),
        ("{time_zone: Mars/Base}", "`Mars/Base` is no time zone"),
        ("{time_zone: ../etc}", "is no time zone"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigErrors, match=r"hotline\.yaml:1") as errors:
        loaded(f"privacy: {text}\n", tmp_path)
    assert said in str(errors.value)
