"""What every part of `hotline.yaml` has in common, and the part that says which certificates are shown and believed."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from hotline.config_values import Folder


class Section(BaseModel):
    """A part of the settings: immutable, strict about its keys, silent about its input in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_given(cls, value: Any) -> Any:
        if value is None:
            return {}
        if isinstance(value, dict):
            return {key: part for key, part in value.items() if part is not None or key not in cls.model_fields}
        return value


class TlsFiles(Section):
    """A certificate, with its chain, and its key, in PEM."""

    certificate: Folder
    key: Folder


class SipTls(Section):
    """What `tls:` in `sip.listen` shows to others, ours by itself where nothing is given, and whom we believe: the
    system's authorities where no file (PEM) is given."""

    certificate: Folder | None = None
    key: Folder | None = None
    authorities: Folder | None = None

    @model_validator(mode="after")
    def _has_both(self) -> "SipTls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` belong together: name both, or neither")
        return self

    @property
    def files(self) -> TlsFiles | None:
        """The certificate that somebody gave, None for one of our own making."""
        if self.certificate is None or self.key is None:
            return None
        return TlsFiles.model_construct(certificate=self.certificate, key=self.key)
