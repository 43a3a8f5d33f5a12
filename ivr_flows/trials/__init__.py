"""Tests beside flows: scenarios of a caller, of the world and of what is expected, run in virtual time. Pure.

`reading` reads `main.test.yaml`, `conduct` plays the caller, `walked` is a flow and its way, `call` one call on a
virtual clock, `playing` plays it to its end, `played` is what it was, `verdict` says what came of it, `marks` and
`coverage` tell which exits were taken, `search` finds ways that no scenario goes, `writing` writes them down, `telling`
is for people.
"""
