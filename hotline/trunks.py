"""The trunks of the settings, as the SIP core and the switchboard want them, and the looking up of their names."""

import secrets

from hotline.config import Settings
from telephony.edge.dns import Dns
from telephony.edge.funnel import Funnel
from telephony.edge.trunks import Performs, Trunks
from telephony.sip.invitation import Credentials
from telephony.sip.trunk_settings import TrunkSettings
from telephony.switchboard.dialling import TrunkRules


def sip_settings(settings: Settings) -> tuple[TrunkSettings, ...]:
    """Return what the SIP core is told of each trunk."""
    return tuple(
        TrunkSettings(
            name=trunk.name,
            targets=trunk.uris,
            credentials=Credentials(trunk.user, trunk.password.get_secret_value(), trunk.realm) if trunk.user else None,
            register=trunk.register_,
            domain=trunk.from_domain or "",
            sources=tuple(trunk.sources),
            expires_s=int(trunk.register_every),
            probe_s=trunk.probe,
            patience_s=trunk.no_answer,
            number_from=trunk.number_from,
            called=trunk.called_format,
            caller=trunk.caller_format,
            prefix=trunk.prefix,
            shows_account=trunk.show_account,
        )
        for trunk in settings.sip.trunks
    )


def rules(settings: Settings) -> tuple[TrunkRules, ...]:
    """Return what may be dialled by each trunk, and what is shown there."""
    return tuple(
        TrunkRules(
            name=trunk.name,
            countries=frozenset([settings.region] if trunk.countries is None else trunk.countries),
            allow=tuple(trunk.allow),
            deny=tuple(trunk.deny),
            max_calls=trunk.max_calls,
            caller_number=trunk.caller_number,
            caller_numbers=trunk.caller_numbers,
            passes_on=trunk.pass_on_caller,
            withholds=trunk.withhold,
            refers=trunk.refer,
        )
        for trunk in settings.sip.trunks
    )


def start(settings: Settings, sip: Performs, funnel: Funnel) -> Trunks:
    """Look the names of the trunks up from now on; `stop` ends that, and unregisters."""
    now = funnel.clock.now
    dns = Dns([(each.host, each.port) for each in settings.sip.dns], now, secrets.token_hex)
    funnel.trunks = Trunks(sip_settings(settings), sip, dns, now)
    funnel.trunks.start()
    return funnel.trunks
