"""Events and commands cross sockets and files unchanged."""

from collections.abc import Iterator

import msgspec

from telephony import events


def _leaves(base: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _leaves(kind)


def _kinds() -> list[type[msgspec.Struct]]:
    return [*_leaves(events.Event), *_leaves(events.Command)]


def test_every_event_and_command_is_frozen_and_tagged_by_its_own_name() -> None:
    for kind in _kinds():
        config = kind.__struct_config__
        assert config.frozen, kind
        assert config.tag == kind.__name__


def test_no_field_hides_the_tag() -> None:
    for kind in _kinds():
        assert kind.__struct_config__.tag_field not in kind.__struct_fields__, kind


def test_every_event_and_command_says_what_it_is() -> None:
    for kind in _kinds():
        assert kind.__doc__, kind
