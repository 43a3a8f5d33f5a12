"""`hotline omnitest`: one person on every channel of a running server, and a verdict: one profile, one timeline.

`persona` makes somebody up, `channels` writes as they would, `story` does one after the other, `verdict` judges, and
`command` is the command.
"""
