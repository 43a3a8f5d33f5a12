"""`cases`: what belongs to a case."""

from hotline.config_section import Section
from hotline.config_values import Days


class Cases(Section):
    """`attach_within` is how recently something must have happened in a customer's one open case for what they write to
    go there by itself; nothing: never."""

    attach_within: Days | None = None
