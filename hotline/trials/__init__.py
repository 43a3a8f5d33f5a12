"""`hotline flow test --depth audio` and `--depth sip`: scenarios of flows played deeper than by their logic.

`suitable` says which a depth can play, `depth` has them played. `audio` plays them with real sound in process. `call`
plays them by a real call to the server that `house` sets up (`fittings`, `known`, `opening`, `web_answers`), with
`others` who answer, as `plan` has it. `course` is what the caller of either does, `speech` what they say; `following`
knows by its events which way the call went, and `unwritten` what those leave out.
"""
