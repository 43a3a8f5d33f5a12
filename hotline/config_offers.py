"""`offers`: what callers may be offered, by rules in a file."""

from hotline.config_section import Section
from hotline.config_values import Folder


class Offers(Section):
    """`file` is the rules' (docs/customers.md); none: nobody is offered anything."""

    file: Folder | None = None
