"""A signer that deals something else than the protocol says, and changes to messages of the signing protocols."""

from __future__ import annotations

import msgspec

from mpc_party.signing.curve import Point, add, multiply_base
from mpc_party.signing.field import GROUP_ORDER, encode_scalar
from mpc_party.signing.presign import NonceParty
from tests.support.plain_scalars import hidden, split_plain


def fields_of(message: bytes) -> list:
    return msgspec.msgpack.decode(message)


def changed(message: bytes, position: int, value) -> bytes:
    fields = fields_of(message)
    fields[position] = value(fields[position]) if callable(value) else value
    return msgspec.msgpack.encode(fields)


def plus_one(scalar: bytes) -> bytes:
    return encode_scalar((int.from_bytes(scalar, "big") + 1) % GROUP_ORDER)


def shifted_point(encoded: bytes) -> bytes:
    moved = add([Point.decode(encoded), multiply_base(1)])
    assert moved is not None
    return moved.encode()


K, A, B, D, E = range(4, 9)  # positions in a NonceDeal


class Redealing(NonceParty):
    """Replaces one of the dealt sharings by one of another degree or another constant term."""

    position: int
    degree_factor: int
    constant: int

    def deal(self) -> dict[int, bytes]:
        dealt = super().deal()
        rows = split_plain([self.constant], self.degree_factor * self._key.threshold, len(self.context.names))
        self._own_deal[self.position - 4] = hidden(rows[self.own][0])
        return {
            peer: changed(message, self.position, encode_scalar(rows[peer][0]))
            for peer, message in dealt.items()
        }


def redealing(position: int, degree_factor: int, constant: int) -> type[Redealing]:
    return type(
        "Redealt", (Redealing,), {"position": position, "degree_factor": degree_factor, "constant": constant}
    )
