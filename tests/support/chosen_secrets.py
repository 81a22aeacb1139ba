"""Keys and nonces that a test knows, shared out as the ceremonies would have shared them. Never outside tests.

Shamir's polynomials here are of plain numbers, and multiples of G are coincurve's own: nothing of what is tested.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from coincurve import PrivateKey

from mpc_party.signing import KeyShare, Presignature
from mpc_party.signing.one_use import OneUse
from mpc_party.signing.presignature import NonceShares
from mpc_party.signing.scalar import SecretScalar
from tests.support.signing_parties import EPOCH, ROSTER_HASH

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def multiple_of_generator(number: int) -> bytes:
    """The point number * G, 33 bytes."""
    return PrivateKey(number.to_bytes(32, "big")).public_key.format()


def split(constant: int, degree: int, members: int) -> list[int]:
    """Shamir's shares of a constant: the values at 1 .. n of a random polynomial."""
    coefficients = [constant, *(secrets.randbelow(ORDER) for _ in range(degree))]
    return [
        sum(coefficient * pow(at, power, ORDER) for power, coefficient in enumerate(coefficients)) % ORDER
        for at in range(1, members + 1)
    ]


def hidden(number: int) -> SecretScalar:
    return SecretScalar((number % ORDER).to_bytes(32, "big"))


def number_of(share: KeyShare) -> int:
    """x_i as a plain number."""
    return int.from_bytes(share.secret.reveal(), "big")


def shares_of_key(x: int, members: int, threshold: int) -> tuple[KeyShare, ...]:
    """Key shares of x, by a polynomial of degree t."""
    shares = split(x, threshold, members)
    public_shares = tuple(map(multiple_of_generator, shares))
    return tuple(
        KeyShare(index, threshold, EPOCH, ROSTER_HASH, multiple_of_generator(x), public_shares, hidden(share))
        for index, share in enumerate(shares)
    )


def put_nonce(presignatures: dict[int, Presignature], k: int, keys: tuple[KeyShare, ...]) -> None:
    """Put the nonce k in the place of the one that a nonce phase has made: what follows signs with k."""
    threshold, members = keys[0].threshold, len(keys)
    nonce_point = multiple_of_generator(k)
    # As the nonce phase leaves them: c of degree t with c(0) = 1/k, and d and e of degree 2t with constant term 0.
    cs = split(pow(k, -1, ORDER), threshold, members)
    ds, es = (split(0, 2 * threshold, members) for _ in range(2))
    for member, presignature in presignatures.items():
        presignature.r, presignature.nonce_y_is_odd = (
            int.from_bytes(nonce_point[1:], "big"),
            nonce_point[0] == 3,
        )
        shares = NonceShares(
            alpha=hidden(cs[member] + ds[member]),
            beta=hidden(cs[member] * number_of(keys[member])),
            e=hidden(es[member]),
        )
        made = presignature._nonce.take()
        presignature._nonce = OneUse(replace(made, shares=shares), "a nonce for tests")
