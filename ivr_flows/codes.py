"""A code that is sent to the caller and asked back: what follows each answer of the world. Pure.

Rule: what is keyed is in the flow's state until it is asked about, and nowhere afterwards.
"""

from ivr_flows import questions
from ivr_flows.flow import VerifyByCode
from ivr_flows.walk import Following, Walk


def answered(walk: Walk, here: VerifyByCode, outcome: str) -> Following:
    """Go on by what became of the sending, or of the keys. A wrong code is asked again as any wrong answer is."""
    walk.stop_playing()
    match outcome:
        case "sent":
            walk.change(keys="")  # nobody types ahead a code that was not sent yet
            return questions.ask(walk, here.question, ())
        case "wrong":
            return questions.no_match(walk, here.question)
        case "refused":
            return here.question.no_match.next
    if outcome not in here.exits:
        walk.note(f"an answer that the step does not know: {outcome}")
        outcome = "failed"
    return here.exits[outcome]
