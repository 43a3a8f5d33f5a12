"""What is proved of a flow before any call comes to it: `prove` for a file that was read, `check_file` for a file and
`load_proved` for a folder. Pure but for the length of sound files.

    numbers, value      sets of what an expression may be
    world               what is known at a place
    evaluate, filters   what an expression gives there, and what is wrong with it; compare: of comparisons
    assume              what is known where a condition holds or fails
    transfer, dataflow  what is known after a step, and at every step
    uses, findings      what is wrong with the expressions of a step
    graph, loops        ways round without end
    duration            the longest way to a person
    called, names       what other flows come back with; what the settings know
    witness, report     a call that shows a fault; everything together
"""

from ivr_flows.prove.names import Outside
from ivr_flows.prove.report import check_file, load_proved, prove

__all__ = ["Outside", "check_file", "load_proved", "prove"]
