"""What callers are offered, by the file that the settings name."""

from zoneinfo import ZoneInfo

from crm_bridge import offers
from crm_bridge.advice import Advice
from hotline.cannot_start import CannotStart
from hotline.config import Settings


def load_advice(settings: Settings) -> Advice:
    """Return the rules of the settings' file, and where their days begin. Raises `CannotStart`."""
    file = settings.offers.file
    try:
        rules = () if file is None else offers.load(file)
    except offers.OfferErrors as error:
        raise CannotStart(f"{error}; mend the file, or leave `offers.file` out") from None
    return Advice(rules, ZoneInfo(settings.privacy.time_zone))
