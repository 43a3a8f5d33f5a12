"""Tests beside flows: scenarios of a caller, of the world and of what is expected, run in virtual time. Pure.

`reading` reads `main.test.yaml`, `conduct` plays the caller, `call` is one call on a virtual clock, `verdict` says what
came of it, `marks` and `coverage` tell which exits were taken, `search` finds ways that no scenario goes, `writing`
writes them down, `telling` is for people.
"""
