"""The list of places cannot rot: every table and column there is, is in it."""

import pytest

from crm_bridge.privacy.places import NOBODY, PLACES, Place
from hotline.database import tables

TABLES = tables()


def test_every_table_is_a_place_or_holds_nothing_on_customers() -> None:
    listed = [place.table for place in PLACES] + list(NOBODY)
    assert sorted(listed) == sorted(TABLES), "say in crm_bridge/privacy/places.py what the new table holds of whom"


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.table)
def test_every_column_has_a_use(place: Place) -> None:
    assert sorted(place.columns) == sorted(TABLES[place.table].columns.keys())
    assert place.by.keys() <= place.columns.keys()
    assert place.outbound_only <= place.columns.keys()


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.table)
def test_of_rows_that_go_nothing_can_be_kept(place: Place) -> None:
    if place.rows == "go":
        assert set(place.columns.values()) <= {"told", "hidden"}
    else:
        assert not any(
            TABLES[place.table].columns[name].primary_key for name, use in place.columns.items() if use == "told"
        )


def test_places_are_emptied_before_what_they_point_at() -> None:
    order = [place.table for place in PLACES]
    for place in PLACES:
        for key in TABLES[place.table].foreign_keys:
            target = key.column.table.name
            assert target == place.table or order.index(place.table) < order.index(target)
