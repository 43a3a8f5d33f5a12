"""pyVoIP 1.6.8 (GPL-3.0), imported here alone, and only in the phone's own process."""

# In this order: pyVoIP.SIP imports pyVoIP.VoIP, which in turn needs a complete pyVoIP.SIP.
from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone

# isort: split
from pyVoIP import RTP, SIP

__all__ = ["RTP", "SIP", "CallState", "VoIPCall", "VoIPPhone"]
