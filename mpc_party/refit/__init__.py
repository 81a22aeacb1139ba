"""Refit: the hedge model fitted anew under sharing, so that nobody ever holds its weights.

`history` makes a desk's normal equations from its own view of the market, and `equations` its private input of them;
`agreement` compares the public parameters; `protocol.compute_refit` is the joint part, from inputs (`inputs`) by the
program (`solve`) to shares at rest (`to_rest`); `attestation` is what the members sign at the end.
`mpc_party.member.refitting` is the ceremony around it.
"""
