"""`hotline flow test --depth audio` and `--depth sip`: scenarios of flows played deeper than by their logic.

`suitable` says which a depth can play, `depth` has them played. `audio` plays them with real sound in process, `call`
by a real call to the server that `house` sets up. `course` is what the caller of either does, `following` knows by
its events which way the call went.
"""
