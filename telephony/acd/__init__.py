"""The automatic call distributor. Others use `Acd`, its settings, and the messages in and out."""

from telephony.acd.acd import Acd
from telephony.acd.agent import AgentSettings
from telephony.acd.messages import (
    AcdInput,
    AcdOutput,
    AgentChanged,
    AgentDisengaged,
    AgentEngaged,
    AgentNotReady,
    AgentReachable,
    AgentReady,
    AgentSnapshot,
    CallLeft,
    CallQueued,
    CallRefused,
    CallTimedOut,
    OfferAnswered,
    OfferCall,
    OfferDeclined,
    OfferTaken,
    QueueFacts,
    TalkEnded,
    TalkTaken,
    WithdrawOffer,
)
from telephony.acd.queue import QueueSettings
from telephony.events import TimePassed

__all__ = [
    "Acd",
    "AcdInput",
    "AcdOutput",
    "AgentChanged",
    "AgentDisengaged",
    "AgentEngaged",
    "AgentNotReady",
    "AgentReachable",
    "AgentReady",
    "AgentSettings",
    "AgentSnapshot",
    "CallLeft",
    "CallQueued",
    "CallRefused",
    "CallTimedOut",
    "OfferAnswered",
    "OfferCall",
    "OfferDeclined",
    "OfferTaken",
    "QueueFacts",
    "QueueSettings",
    "TalkEnded",
    "TalkTaken",
    "TimePassed",
    "WithdrawOffer",
]
