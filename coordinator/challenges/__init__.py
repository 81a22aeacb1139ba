"""Reports judged and challenged at a ledger, by anyone: what breaks a law, proofs of it, and the bond that they take.

`exhibits` finds breaches in a signed report, `challenging` brings them to a ledger, `watching` follows all that is brought there,
`bonding` is the consortium's pooled bond.
"""
