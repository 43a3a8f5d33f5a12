"""`hotline flow simulate`: a flow with callers by stated probabilities, real queues and agents, in virtual time. Pure.

`behaviour` is what callers, agents and other systems do, `reading` reads it from `main.sim.yaml`, `draws` are numbers
by chance that are the same for the same seed, `caller` is one call, `center` all of them with the queues, `figures`
what came of it, `erlang` what the books say, `telling` is for people and programs.
"""
