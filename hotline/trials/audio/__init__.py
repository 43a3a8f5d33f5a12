"""`hotline flow test --depth audio`: scenarios of flows played with real sound, and no signalling.

A `handset` speaks and presses keys as RTP packets; the media plane, its keys and its voices are those of any call, and
the recogniser decides what was said (`sound`); the switchboard goes through the flow in the world of the scenario
(`exchange`). All of it is moved on tick by tick on a virtual clock: a call takes as long as its sound takes to be
computed, and goes the same way each time.
"""
