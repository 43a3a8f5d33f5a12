"""Events in, commands out: the switchboard joins signalling, media, flows and queues, and does no I/O."""

from telephony.switchboard.board import SwitchboardSettings
from telephony.switchboard.call import CALL, Call, CallInput, CallState
from telephony.switchboard.switchboard import Switchboard

__all__ = ["CALL", "Call", "CallInput", "CallState", "Switchboard", "SwitchboardSettings"]
