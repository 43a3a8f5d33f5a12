"""A small world of two queues and some agents in virtual time, with short words for what happens in it."""

from collections.abc import Sequence

from telephony.acd import (
    Acd,
    AcdInput,
    AcdOutput,
    AgentChanged,
    AgentReachable,
    AgentSettings,
    AgentSnapshot,
    CallQueued,
    OfferAnswered,
    OfferCall,
    QueueSettings,
    TimePassed,
)

BEGIN = 1_800_000_000.0
SALES = QueueSettings("sales", ring_timeout_s=15.0, wrap_up_s=10.0, max_waiting=3)
CARE = QueueSettings("care", ring_timeout_s=20.0, wrap_up_s=0.0, max_waiting=100, agents=("chi", "dao"))
AGENTS = ("an", "binh", "chi", "dao")


class World:
    """An `Acd` with a clock, everything it has put out, and which agents are registered."""

    def __init__(self, *reachable: str, queues: Sequence[QueueSettings] = (SALES, CARE)) -> None:
        self.now = BEGIN
        self.acd = Acd({queue.name: queue for queue in queues}, {name: AgentSettings(name) for name in AGENTS})
        for name in reachable:
            self.tell(AgentReachable(name, reachable=True))
            self.now += 1.0

    def tell(self, happened: AcdInput) -> list[AcdOutput]:
        """Return what the input leads to, now."""
        return self.acd.handle(happened, self.now)

    def told(self, happened: AcdInput) -> list[AcdOutput]:
        """Return what the input leads to, now, but for the news of agents."""
        return [output for output in self.tell(happened) if not isinstance(output, AgentChanged)]

    def queue(self, call: str, queue: str = "sales", limit_s: float = 600.0, priority: int = 5) -> list[AcdOutput]:
        """Let a call enter a queue."""
        return self.told(CallQueued(call, queue, limit_s, priority))

    def answer(self, call: str, agent: str) -> None:
        """Let an agent answer."""
        assert self.told(OfferAnswered(call, agent)) == []
        assert self.agent(agent).state == "talking"

    def wait(self, seconds: float) -> list[AcdOutput]:
        """Let time pass, stopping at every deadline on the way, and return what that leads to."""
        end = self.now + seconds
        outputs: list[AcdOutput] = []
        while (due := self.acd.deadline()) is not None and due <= end:
            assert due >= self.now, "a deadline in the past: nothing would ever come of it"
            self.now = due
            outputs += self.tell(TimePassed())
        self.now = end
        return [output for output in outputs if not isinstance(output, AgentChanged)]

    def agent(self, name: str) -> AgentSnapshot:
        """Return an agent as it stands."""
        return next(agent for agent in self.acd.agents() if agent.agent == name)

    def states(self) -> dict[str, str]:
        """Return every agent's state, but for those who are offline."""
        return {agent.agent: agent.state for agent in self.acd.agents() if agent.state != "offline"}


def offers(outputs: Sequence[AcdOutput]) -> list[tuple[str, str]]:
    """Return (call, agent) of every offer among outputs."""
    return [(output.call, output.agent) for output in outputs if isinstance(output, OfferCall)]
