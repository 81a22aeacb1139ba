"""One party's life: its state machine, what it checks in a proposal, and the worker that computes and signs.

`PartyMachine` is pure; `run_round` is the worker's part of one round; `PartyService` ties them to the bus, the mesh,
the market and the journal.
"""
