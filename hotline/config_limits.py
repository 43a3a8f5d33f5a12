"""The part of `hotline.yaml` that bounds what others may make us do."""

from pydantic import Field

from hotline.config_section import Section
from hotline.config_values import Duration
from telephony.sip.settings import AdmissionSettings, EndpointLimits


class Limits(Section):
    """Durations are seconds; `texts` are those of strangers in a minute; `import_size` is MiB; `sip_...` are of one
    address, of IPv6 of one /64."""

    max_calls: int = Field(ge=1)
    max_call: Duration = Field(gt=0)
    conference: int = Field(ge=2, le=100)
    media_timeout: Duration = Field(gt=0)
    subscriptions: int = Field(ge=0)
    texts: int = Field(ge=0)
    import_size: int = Field(ge=1, le=1024)
    sip_requests: float = Field(gt=0)
    sip_burst: int = Field(ge=1)
    sip_phone_requests: float = Field(gt=0)
    sip_phone_burst: int = Field(ge=1)
    sip_calls: int | None = Field(None, ge=1)
    sip_waiting: int = Field(ge=1)
    sip_silence: Duration = Field(gt=0)
    sip_guesses: int = Field(ge=1)

    @property
    def admission(self) -> AdmissionSettings:
        """The same, as the SIP door is told."""
        return AdmissionSettings(
            requests_per_s=self.sip_requests,
            burst=self.sip_burst,
            phone_requests_per_s=self.sip_phone_requests,
            phone_burst=self.sip_phone_burst,
            pending_per_source=self.sip_waiting,
            calls_per_source=self.sip_calls or self.max_calls,
            # The other half stays for callers who have shown that they are there.
            pending=max(1, self.max_calls // 2),
            silence_s=self.sip_silence,
        )

    @property
    def endpoint(self) -> EndpointLimits:
        """What of it is for every message."""
        return EndpointLimits(guesses=self.sip_guesses)
