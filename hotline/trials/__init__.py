"""`hotline flow test --depth sip`: scenarios of flows played by real calls to a real server.

`suitable` says which can be, `house` is the server and the scenario's world, `call` makes the call, `following` knows
by its journal which way it went.
"""
