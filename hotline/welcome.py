"""What `hotline serve` says when it takes calls: how to dial, what is missing, and the first agents' secrets, once."""

from collections.abc import Sequence

from hotline import models
from hotline.auth import NewUser
from hotline.config import Settings
from hotline.config_values import Listen, host_port


def welcome(
    settings: Settings,
    sip_address: Listen,
    new_users: Sequence[NewUser] = (),
    options: str = "",
    fingerprint: str = "",
    sip_told: Sequence[str] = (),
) -> str:
    """Return the text. `options` are what the command was given, for commands that must find the same settings;
    `sip_told` is what there is to say of SIP besides `sip_address`."""
    sip = server = host_port(sip_address.host, sip_address.port)
    if sip_address.transport != "udp":
        sip = f"{server};transport={sip_address.transport}"
    number = next((number for number in settings.numbers if number != "*"), "19001234")
    lines = [
        f"The hotline serves {', '.join(f'{_dialled(one)} -> {flow}' for one, flow in settings.numbers.items())}",
        f"  dial      sip:{number}@{sip}",
        # The command-line phone speaks UDP alone.
        *([f"  or        hotline call {number} --server {server} --from 0912345678"] if sip == server else []),
        *(f"  phones    {line}" for line in sip_told),
        f"  desk      {settings.web.url}/desk",
        f"  replay    {settings.web.url}/supervise",
        f"  call      {settings.web.url}/call  (from a browser)",
        f"  web       {settings.web.url}  (a token: hotline tokens add NAME --scope admin{options})",
        *([f"            its certificate is SHA-256 {fingerprint}"] if fingerprint else []),
        f"  data      {settings.data}",
        *(f"  missing   {sentence}" for sentence in _missing(settings)),
    ]
    if new_users:
        lines += ["", "Two agents and a supervisor, whose passwords are shown this once:"]
        for user in new_users:
            lines.append(f"  sign-in   {user.name}  password {user.password}")
            if user.role == "agent":
                lines.append(
                    f"  or phone  sip:{user.sip_user}@{sip}  user {user.sip_user}  password {user.sip_password}"
                )
    return "\n".join(lines)


def _dialled(number: str) -> str:
    return "every number" if number == "*" else number


def _missing(settings: Settings) -> list[str]:
    """Return what is set for speech and is not there: else a caller would be the first to notice the silence."""
    return [
        f"the {state.role} for {state.language}: {state.cause}{f'; {state.mend}' if state.mend else ''}"
        for state in models.model_states(settings)
        if state.engine and state.cause
    ]
