"""What the nonce phase and the signature hash, commit to and check without secrets: for a signer and for the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mpc_party.signing.curve import Point, add, linear_combination
from mpc_party.signing.echo import hash_broadcasts
from mpc_party.signing.evidence import Opening
from mpc_party.signing.exponent import interpolate_points, lie_on_degree
from mpc_party.signing.field import GROUP_ORDER, coordinate, interpolate, lagrange
from mpc_party.signing.wire import bind

DEAL: Final = "nonce-deal"
OPEN: Final = "nonce-open"
CHECK: Final = "nonce-check"
APPROVAL: Final = "approval"
SHARE: Final = "signature-share"


def hash_of_deals(session: bytes, receiver: int, bodies: Mapping[int, bytes]) -> bytes:
    """What a signer acknowledges in step 2: the private messages that it got, by dealer."""
    heard = hash_broadcasts({dealer: [body] for dealer, body in bodies.items()})
    return bind(b"mpc-hedge/presign/received/v1", session, receiver, heard)


def hash_of_points(
    session: bytes, dealer: int, a: Sequence[bytes], d: Sequence[bytes], e: Sequence[bytes]
) -> bytes:
    """What a dealer commits to in step 2."""
    return bind(b"mpc-hedge/presign/dealt-points/v1", session, dealer, tuple(a), tuple(d), tuple(e))


def transcript_of(session: bytes, echo: tuple[bytes, ...]) -> bytes:
    """The hash of all that was broadcast in the nonce phase. `echo`: over both steps, by signer."""
    return bind(b"mpc-hedge/presign/transcript/v1", session, echo)


def session_of_shares(session: bytes, transcript: bytes, digest: bytes) -> bytes:
    """What signature shares are bound to."""
    return bind(b"mpc-hedge/signature-share/v1", session, transcript, digest)


@dataclass(frozen=True)
class DealtPoints:
    """a_ij G at the first t+1 signers, d_ij G and e_ij G at the first 2t.

    By its form a sharing of degree t and two of degree 2t with constant term zero: t+1 points, or 2t and zero at zero, give the rest.
    """

    signers: tuple[int, ...]
    a: tuple[Point, ...]
    d: tuple[Point, ...]
    e: tuple[Point, ...]

    @classmethod
    def decode(cls, signers: tuple[int, ...], opening: Opening) -> DealtPoints:
        """The points of an opening.

        Raises:
            ValueError: another number of points, or something that is no point.
        """
        threshold = (len(signers) - 1) // 2
        if (len(opening.a), len(opening.d), len(opening.e)) != (threshold + 1, 2 * threshold, 2 * threshold):
            raise ValueError("another number of points")
        return cls(signers, *(tuple(map(Point.decode, part)) for part in (opening.a, opening.d, opening.e)))

    def hash(self, session: bytes, dealer: int) -> bytes:
        """What `dealer` commits to."""
        return hash_of_points(session, dealer, *self.encoded())

    def encoded(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...], tuple[bytes, ...]]:
        """As in an `Opening`."""
        a, d, e = (tuple(point.encode() for point in part) for part in (self.a, self.d, self.e))
        return a, d, e

    def at(self, member: int) -> tuple[Point | None, Point | None, Point | None]:
        """a_ij G, d_ij G, e_ij G for the signer j."""
        at = coordinate(member)
        known = tuple(map(coordinate, self.signers[:-1]))
        zero = lagrange((0, *known), at)[1:]
        return (
            interpolate_points(known[: len(self.a)], self.a, at),
            linear_combination(zero, self.d),
            linear_combination(zero, self.e),
        )


def sum_at(dealt: Sequence[DealtPoints], member: int) -> tuple[Point | None, Point | None, Point | None]:
    """A_j = a_j G, D_j and E_j of a signer: the sums over all dealers."""
    columns = zip(*(points.at(member) for points in dealt), strict=True)
    a, d, e = (add(point for point in column if point is not None) for column in columns)
    return a, d, e


def nonce_point(signers: Sequence[int], points: Sequence[Point], threshold: int) -> Point | None:
    """The value at zero of points that lie on degree t; None where they do not, or where it is zero.

    The protocol: "check that all R_i lie on degree t", and the same for the W_i
    """
    coordinates = tuple(map(coordinate, signers))
    if not lie_on_degree(coordinates, points, threshold):
        return None
    return interpolate_points(coordinates[: threshold + 1], points[: threshold + 1])


def product(signers: Sequence[int], products: Sequence[int]) -> int:
    """The value w of the opened w_i."""
    return interpolate(tuple(map(coordinate, signers)), products)


def is_usable(nonce: Point | None, masked: int) -> bool:
    """The protocol: "R != 0, w != 0", and "refuse R.x >= q"."""
    return nonce is not None and masked != 0 and nonce.x < GROUP_ORDER
