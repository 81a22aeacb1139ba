"""A consortium member's process, and the protocol that every process of the consortium speaks.

Read in this order: `protocol` (who is in the consortium and what may be said), `mesh` (the links between
parties), `secure` (arithmetic on secret shares), `market` (what one desk knows), `hedging` (what the desks
compute together), `signing` (how they sign it), `journal` (what a party has promised), `daemon` (one party's
life), `cli` (`mpc-party`).
"""
