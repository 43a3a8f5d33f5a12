"""The command-line phone, on pyVoIP (GPL-3.0, extra `phone`): `python -m hotline.phone`, a process of its own."""

from hotline.phone.command import Account, Part, agent, call, dial, main

__all__ = ["Account", "Part", "agent", "call", "dial", "main"]
