"""Keys and nonces that a test knows, shared out as the ceremonies would have shared them. Never outside tests."""

from __future__ import annotations

from mpc_party.signing import KeyShare, Presignature
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.field import GROUP_ORDER, split
from mpc_party.signing.one_use import OneUse
from mpc_party.signing.presignature import NonceShares
from mpc_party.signing.secret import SecretScalar
from tests.support.signing_parties import EPOCH, ROSTER_HASH


def shares_of_key(x: int, members: int, threshold: int) -> tuple[KeyShare, ...]:
    """Key shares of x, by Shamir's polynomial of degree t."""
    shares = [row[0] for row in split([x], threshold, members)]
    public_shares = tuple(multiply_base(share).encode() for share in shares)
    return tuple(
        KeyShare(
            index,
            threshold,
            EPOCH,
            ROSTER_HASH,
            multiply_base(x).encode(),
            public_shares,
            SecretScalar(share),
        )
        for index, share in enumerate(shares)
    )


def put_nonce(presignatures: dict[int, Presignature], k: int, keys: tuple[KeyShare, ...]) -> None:
    """Put the nonce k in the place of the one that a nonce phase has made: what follows signs with k."""
    threshold = keys[0].threshold
    nonce_point = multiply_base(k)
    # As the nonce phase leaves them: c of degree t with c(0) = 1/k, and d and e of degree 2t with constant term 0.
    cs = [row[0] for row in split([pow(k, -1, GROUP_ORDER)], threshold, len(keys))]
    zeros = split([0, 0], 2 * threshold, len(keys))
    for member, presignature in presignatures.items():
        d, e = zeros[member]
        presignature.r, presignature.nonce_y_is_odd = nonce_point.x, nonce_point.y_is_odd
        shares = NonceShares(
            alpha=(cs[member] + d) % GROUP_ORDER,
            beta=cs[member] * keys[member].secret.reveal() % GROUP_ORDER,
            e=e,
        )
        presignature._shares = OneUse(shares, "a nonce for tests")
