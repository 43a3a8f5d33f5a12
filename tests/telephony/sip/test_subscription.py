"""The table of subscriptions, and any sequence of what may happen to one."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from telephony.events import LampCall, TellLamp
from telephony.sip.subscription import OVER, PACKAGES, SUBSCRIPTION, Action, Input, State
from tests.telephony.sip.watcher import RINGING, Watcher, lamp

ACTIVE = {State.ACTIVE, State.NOTIFYING, State.PACING}
FINAL = {Action.NOTIFY_TIMEOUT, Action.NOTIFY_DEACTIVATED}


class TestTable:
    def test_every_active_state_knows_every_end(self) -> None:
        ends = (Input.UNSUBSCRIBE, Input.EXPIRED, Input.DEACTIVATED, Input.REFUSED, Input.LOST)
        assert all(SUBSCRIPTION[state, end][0] in OVER for state in ACTIVE for end in ends)

    def test_every_200_is_followed_by_a_notify(self) -> None:
        for _, actions in SUBSCRIPTION.values():
            if Action.ACCEPT in actions:
                assert actions[0] is Action.ACCEPT
                assert actions[-1] in FINAL | {Action.NOTIFY}

    def test_whoever_closes_has_sent_the_last_notify(self) -> None:
        for (before, _), (after, actions) in SUBSCRIPTION.items():
            assert (after is State.CLOSING and before is not State.CLOSING) == bool(FINAL & set(actions))

    def test_nothing_leaves_the_end(self) -> None:
        assert all(before is not State.TERMINATED for before, _ in SUBSCRIPTION)


class Story:
    """A watcher, what has happened, and what the agent's calls are now."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.watcher = Watcher()
        self.calls: tuple[LampCall, ...] = ()
        self.is_over = False
        assert self.watcher.subscribe(package).status == 200

    def happens(self, step: str) -> None:
        """Let one thing happen."""
        getattr(self, step)()
        over = self.watcher.endpoint.load()[1] == 0 or self.watcher.state.startswith("terminated")
        self.is_over = self.is_over or over

    def _tell(self, told: TellLamp) -> None:
        self.calls = told.calls
        self.watcher.tell(told)

    def ring(self) -> None:
        self._tell(lamp("ringing", RINGING))

    def answer(self) -> None:
        self._tell(lamp("talking", msgspec.structs.replace(RINGING, state="confirmed")))

    def rest(self) -> None:
        self._tell(lamp())

    def refresh(self) -> None:
        before = len(self.watcher.notifies)
        assert self.watcher.subscribe(self.package).status == (481 if self.is_over else 200)
        assert len(self.watcher.notifies) == before + (not self.is_over)

    def leave(self) -> None:
        assert self.watcher.subscribe(self.package, "Expires: 0").status == (481 if self.is_over else 200)

    def wait(self) -> None:
        self.watcher.run(6.0)

    def wait_long(self) -> None:
        self.watcher.run(1800.0)

    def ask_for_a_moment(self) -> None:
        self.watcher.statuses.append(503)
        self.watcher.retry_after = "2"

    def refuse(self) -> None:
        self.watcher.statuses.append(481)

    def fall_silent(self) -> None:
        self.watcher.statuses.extend([0] * 20)

    def stop(self) -> None:
        self.watcher.endpoint.deactivate(self.watcher.wire.now)
        self.watcher.wire.collect()
        self.watcher.react()


STEPS = [name for name in vars(Story) if not name.startswith("_") and name != "happens"]


class TestAnySequence:
    @given(steps=st.lists(st.sampled_from(STEPS), max_size=25), package=st.sampled_from(sorted(PACKAGES)))
    def test_watcher_ends_up_knowing(self, steps: list[str], package: str) -> None:
        """Whatever happens: a subscription that both sides know shows the calls as they are within its pace, every 200
        is followed by a NOTIFY, and in the end nothing is left."""
        story = Story(package)
        watcher = story.watcher
        for step in steps:
            story.happens(step)
        watcher.statuses.clear()
        watcher.run(12.0)
        if watcher.endpoint.load()[1] == 1 and watcher.state.startswith("active") and package == "dialog":
            running = [each for each in watcher.shown() if each[1] != "terminated"]
            assert running == [(call.id, call.state) for call in story.calls]
        watcher.run(4000.0)
        assert watcher.endpoint.load() == (0, 0, 0)
