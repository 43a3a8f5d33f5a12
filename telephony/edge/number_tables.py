"""The tables of the world's telephone numbers, loaded whole before the first call.

phonenumbers reads each country's when a number of it comes. That is a file in the middle of everything else, chosen by
whoever calls; and where it cannot be read (no file descriptor is free) the library keeps the lock that it took, so
that the next number would stop the process for ever.
"""

from phonenumbers import PhoneMetadata
from phonenumbers.shortnumberinfo import SUPPORTED_SHORT_REGIONS


def load() -> None:
    """Load all of them, once: a tenth of a second, and a few MiB."""
    PhoneMetadata.load_all()
    for region in SUPPORTED_SHORT_REGIONS:
        PhoneMetadata.short_metadata_for_region(region)
