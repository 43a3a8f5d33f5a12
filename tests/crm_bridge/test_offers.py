"""The file of offers: what is good is taken, what is wrong is said with its place and its mend."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from crm_bridge.advice import Rule
from crm_bridge.offers import OfferErrors, load

GOOD = """\
offers:
  - name: birthday
    text: {vi: "Chúc mừng  sinh nhật", en: Happy birthday}
    from: 2026-12-01
    until: 2026-12-31
    when:
      birthday_within_days: 7
      bought: [Trà xanh, "24"]
      not_bought: Ấm trà
      tags: [VIP]
      without_tags: [stop]
      language: vi
      needs: [Máy lọc nước]
      preferred_channel: [Zalo]
      spent: 1000000.5 VND
      open_cases: false
  - name: everybody
    text: {vi: Trà mới}
    when:
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "offers.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_offers_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    first, second = load(written(tmp_path, GOOD))
    assert second == Rule("everybody", {"vi": "Trà mới"})
    assert first == Rule(
        name="birthday",
        text={"vi": "Chúc mừng sinh nhật", "en": "Happy birthday"},
        birthday_within=7,
        bought=frozenset({"tra xanh", "24"}),
        not_bought=frozenset({"am tra"}),
        tags=frozenset({"vip"}),
        without_tags=frozenset({"stop"}),
        languages=frozenset({"vi"}),
        needs=frozenset({"may loc nuoc"}),
        channels=frozenset({"zalo"}),
        spent=Decimal("1000000.5"),
        currency="VND",
        open_cases=False,
        first=date(2026, 12, 1),
        last=date(2026, 12, 31),
    )


ONE = "offers:\n  - name: a\n    text: {vi: x}\n"


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("", ["1:1: `key: value` lines are due here, the first of them `offers:`"]),
        ("offer: []", ["1:1: `offer` means nothing here; `offers`?", "1:1: `offers:` with a list under it is due"]),
        ("offers: 7", ["1:9: `offers:` with a list under it is due here"]),
        ("offers:\n  - 7", ["2:5: an offer is a mapping"]),
        ("offers:\n  - text: {vi: x}", ["2:5: this offer has no `name:`"]),
        ("offers:\n  - name: A b\n    text: {vi: x}", ["2:11: a name is up to 64"]),
        ("offers:\n  - name: a\n    text: x", ["3:11: the words stand under their language"]),
        ("offers:\n  - name: a\n    text: {Vietnamese: ''}", ["3:12: `Vietnamese` is no language", "3:24: words are"]),
        (ONE + "  - name: a\n    text: {vi: y}", ["4:5: `a` stands here twice"]),
        (ONE + "    when: 7", ["4:11: conditions are a mapping"]),
        (ONE + "    when: {birthday: 7}", ["4:12: `birthday` means nothing here; write birthday_within_days, "]),
        (ONE + "    when: {birthday_within_days: soon}", ["4:34: a number of days is due here, 0 to 183"]),
        (ONE + "    when: {birthday_within_days: true}", ["4:34: a number of days"]),
        (ONE + "    when: {bought: []}", ["4:20: a list without words"]),
        (ONE + "    when: {language: [Vietnamese]}", ["4:22: languages are due here"]),
        (ONE + "    when: {spent: 5}", ["4:19: an amount and its currency"]),
        (ONE + "    when: {spent: NaN VND}", ["4:19: an amount and its currency"]),
        (ONE + "    when: {open_cases: maybe}", ["4:24: `true` or `false`"]),
        (ONE + "    from: tomorrow", ["4:11: a day is due here"]),
        (ONE + "    from: 2026-12-02\n    until: 2026-12-01", ["5:12: `until` lies before `from`"]),
        (ONE + "   x: [", ["this is not YAML"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, errors: list[str]) -> None:
    path = written(tmp_path, text)
    with pytest.raises(OfferErrors) as caught:
        load(path)
    assert len(caught.value.errors) == len(errors)
    for said, expected in zip(caught.value.errors, errors, strict=True):
        assert said.startswith(f"{path}:")
        assert expected in said


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OfferErrors, match="1:1: cannot be read"):
        load(tmp_path / "offers.yaml")
