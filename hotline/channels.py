"""From the settings of channels to the door that they deliver at."""

from typing import Final

from crm_bridge.channels.door import Door
from crm_bridge.channels.form import Form
from crm_bridge.channels.message import SignedChannel
from crm_bridge.channels.messenger import Messenger
from crm_bridge.channels.zalo import Zalo
from hotline.config import Settings
from hotline.throttle import Throttle

MINUTE_S: Final = 60.0


def door(settings: Settings) -> Door:
    """Return the door with every channel of the settings."""
    signed: dict[str, SignedChannel] = {}
    forms: dict[str, Form] = {}
    throttles: dict[str, Throttle] = {}
    for name, channel in settings.channels.items():
        match channel.kind:
            case "zalo":
                signed[name] = Zalo(channel.app_id, channel.oa_secret.get_secret_value())
            case "messenger":
                app_secret, verify_token = channel.app_secret, channel.verify_token
                signed[name] = Messenger(app_secret.get_secret_value(), verify_token.get_secret_value())
            case "form":
                forms[name] = Form(frozenset(channel.origins), channel.honeypot)
                throttles[name] = Throttle(burst=channel.per_minute, leak_s=MINUTE_S / channel.per_minute)
    return Door(signed, forms, throttles)
