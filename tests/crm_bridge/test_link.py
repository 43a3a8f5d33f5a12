"""Who is one person, by the events alone."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.link import Link, effect, held_apart, judged, judgements, live, once, persons, repeated

PROFILES = "abcdef"


def merge(id_: str, one: str, other: str) -> Link:
    return Link(id_, "merge", one, other)


def split(id_: str, profile: str) -> Link:
    return Link(id_, "split", profile)


def undo(id_: str, of: Link) -> Link:
    return Link(id_, "undo", of.customer, of.other, of.id)


def groups(links: Sequence[Link]) -> set[str]:
    """Return who is together with somebody, as sorted words."""
    return {"".join(sorted(whole)) for whole in persons(links).values() if len(whole) > 1}


@st.composite
def histories(draw: st.DrawFn, kinds: Sequence[str] = ("merge", "split", "undo")) -> list[Link]:
    """Events as they can come about: an undo is of something live."""
    links: list[Link] = []
    for number in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(kinds))
        holding = sorted(live(links))
        if kind == "undo" and holding:
            taken_back = draw(st.sampled_from(holding))
            links.append(undo(f"{number:02}", next(each for each in links if each.id == taken_back)))
        elif kind == "split":
            links.append(split(f"{number:02}", draw(st.sampled_from(PROFILES))))
        else:
            one, other = draw(st.permutations(PROFILES))[:2]
            links.append(merge(f"{number:02}", one, other))
    return links


def reachable(merges: Sequence[Link], start: str) -> frozenset[str]:
    """Return the connected component of `start`: what merges alone must come to."""
    seen, wanted = {start}, [start]
    while wanted:
        here = wanted.pop()
        for each in merges:
            if here in each.profiles:
                wanted += each.profiles - seen
                seen |= each.profiles
    return frozenset(seen)


@given(histories(kinds=("merge",)), st.data())
def test_merges_in_any_order_give_the_same_persons(merges: list[Link], data: st.DataObject) -> None:
    found = persons(merges)
    assert found == {profile: reachable(merges, profile) for each in merges for profile in each.profiles}
    assert persons(data.draw(st.permutations(merges))) == found


@given(histories(), st.data())
def test_what_is_undone_is_as_if_it_had_never_been_whatever_came_after(links: list[Link], data: st.DataObject) -> None:
    holding = [each for each in links if each.id in live(links) and each.kind != "undo"]
    if not holding:
        return
    taken_back = data.draw(st.sampled_from(holding))
    without = [each for each in links if taken_back.id not in (each.id, each.undoes)]
    known = {profile for each in without for profile in each.profiles}
    found = persons([*links, undo("zz", taken_back)])
    # An undo that was itself undone names the event, and falls away with it; nothing live does.
    assert {profile: found[profile] for profile in known} == persons(without)
    assert all(found[profile] == {profile} for profile in taken_back.profiles - known)


@given(histories(), st.sampled_from(PROFILES), st.sampled_from(PROFILES))
def test_an_event_and_its_undo_are_the_identity_and_the_undo_of_that_the_event(
    links: list[Link], one: str, other: str
) -> None:
    event = split("y0", one) if one == other else merge("y0", one, other)
    before = persons([*links, undo("y1", event)])  # an undo of nothing: it only names the profiles
    with_event = persons([*links, event])
    taken_back = undo("y2", event)
    assert persons([*links, event, taken_back]) == before
    assert persons([*links, event, taken_back, undo("y3", taken_back)]) == with_event


@given(histories(), st.permutations(range(14)))
def test_undoing_everything_in_any_order_leaves_everybody_alone(links: list[Link], order: list[int]) -> None:
    firm = [each for each in links if each.kind != "undo"]
    for place in order:
        if place < len(firm) and firm[place].id in live(links):
            links = [*links, undo(f"z{place:02}", firm[place])]
    assert groups(links) == set()


@given(histories())
def test_a_merge_only_joins_and_a_split_only_parts_also_when_undone(links: list[Link]) -> None:
    for length in range(1, len(links) + 1):
        before, after = persons(links[: length - 1]), persons(links[:length])
        finer = all(whole <= after[profile] for profile, whole in before.items())
        coarser = all(after[profile] <= before.get(profile, frozenset({profile})) for profile in after)
        expected = {(True, False): "merged", (False, True): "split", (True, True): "none"}
        assert effect(before, after) == expected[finer, coarser]


@given(histories(), st.sampled_from(PROFILES))
def test_a_split_takes_out_one_and_leaves_the_rest_together(links: list[Link], profile: str) -> None:
    before = persons(links)
    after = persons([*links, split("zz", profile)])
    assert after[profile] == {profile}
    for each, whole in before.items():
        assert each == profile or after[each] == whole - {profile}


A_B, B_C, SPLIT_B = merge("1", "a", "b"), merge("2", "b", "c"), split("3", "b")


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([A_B], {"ab"}),
        ([A_B, B_C], {"abc"}),
        ([A_B, B_C, SPLIT_B], {"ac"}),
        ([A_B, B_C, SPLIT_B, undo("4", SPLIT_B)], {"abc"}),
        ([A_B, B_C, SPLIT_B, undo("4", A_B)], set()),  # a and c were one by b alone
        ([A_B, B_C, SPLIT_B, merge("4", "b", "a")], {"abc"}),
        ([A_B, B_C, undo("3", A_B), undo("4", undo("3", A_B))], {"abc"}),
        ([A_B, merge("2", "a", "b"), undo("3", A_B)], {"ab"}),  # the second merge still holds
    ],
)
def test_examples(links: list[Link], expected: set[str]) -> None:
    assert groups(links) == expected


def test_who_was_one_person_once_is_remembered() -> None:
    links = [A_B, undo("2", A_B), merge("3", "b", "c")]
    assert once(links, "a") == set("ab")
    assert once(links, "b") == set("abc")
    assert once(links, "x") == {"x"}


@given(histories(), st.data())
def test_that_two_are_held_apart_changes_nobody_and_is_known_until_it_is_undone(
    links: list[Link], data: st.DataObject
) -> None:
    one, other = data.draw(st.permutations(PROFILES))[:2]
    apart = Link("apart", "apart", one, other)
    at = data.draw(st.integers(0, len(links)))
    judging = [*links[:at], apart, *links[at:]]
    assert groups(judging) == groups(links)
    assert judged(held_apart(judging), {one}, {other, "z"}) == judged(held_apart(judging), {other}, {one}) == "apart"
    assert judged(held_apart(judging), {one}, set(PROFILES) - {one, other}) is None
    taken_back = [*judging, undo("undone", apart)]
    assert judged(held_apart(taken_back), {one}, {other}) is None
    assert judgements(taken_back) == {"apart", "undone"}


def test_a_merge_is_repeated_only_while_the_two_are_one_person() -> None:
    assert repeated([A_B], live([A_B]), persons([A_B]), "b", "a") == "1"
    for links in ([], [A_B, SPLIT_B], [A_B, undo("4", A_B)], [A_B, B_C]):
        assert repeated(links, live(links), persons(links), "a", "c" if B_C in links else "b") is None
