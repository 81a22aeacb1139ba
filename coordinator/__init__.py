"""The coordinator: launches rounds, follows them, settles the signed reports on the chain and keeps their history.

It is trusted with liveness only: it sees no secret, and nothing it says makes a party sign what that party did not
compute.
"""
