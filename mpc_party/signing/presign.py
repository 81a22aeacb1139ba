"""The nonce phase of threshold ECDSA among exactly 2t+1 members, before the digest is known.

Damgard, Jakobsen, Nielsen, Pagter, Ostergaard, "Fast Threshold ECDSA with Honest Majority" (2020). [x] is a Shamir
sharing of degree t, <x> one of degree 2t. `NonceParty` is the protocol, `run_presign` carries its messages.

1. deal  - to each: shares of random k, a (degree t) and of zero three times, b, d, e (degree 2t). Each signer adds
   up what it got: [k], [a], <0>_b, <0>_d, <0>_e that nobody knows.
2. open  - to all: R_i = k_i G and w_i = a_i k_i + b_i, with two hashes for disputes (see `wire.NonceOpen`). All R_i must lie on degree t; R = k G and w = a k follow by
   interpolation; R != 0, w != 0.
3. check - to all: W_i = a_i R and the echo of step 2. All W_i must lie on degree t, and W = w G.

Then c_i = a_i / w is a share of 1/k, alpha_i = c_i + d_i and beta_i = c_i x_i.

What each check stops. Degree t of the R_i: a dealer whose k has a higher degree. Degree t of the W_i: the same for
a, and a signer that uses another a_i here than in w_i. W = w G: a wrong w_i, or a b whose constant term is not zero.
A d or e whose constant term is not zero spoils the signature, which is verified before it is released. Degree 2t
cannot be exceeded among 2t+1 signers.

Why the echo of step 2 may ride on step 3: of the R_i a signer has checked, t+1 come from honest signers and fix the
polynomial, so no two honest signers go on with different R; and W_i = a_i R is then the same value whatever w they
saw. A split view of w is caught by W = w G, which fixes w as W's logarithm, and by the echo. Why step 3 needs no
echo of its own before the approval: honest shares fix every W_i too. Its transcript hash is compared there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpc_party.mesh.errors import PeerDisputes
from mpc_party.mesh.exchange import DisputableExchange
from mpc_party.protocol.errors import Reason
from mpc_party.signing.channel import Channel, MessageKeys, SignedMessage
from mpc_party.signing.curve import Point, multiply_base, multiply_secret
from mpc_party.signing.dispute import is_disputable, settle
from mpc_party.signing.echo import compare_echoes, hash_broadcasts
from mpc_party.signing.errors import SigningError
from mpc_party.signing.evidence import Disclosure
from mpc_party.signing.exponent import interpolate_points, lie_on_degree
from mpc_party.signing.field import GROUP_ORDER, coordinate, decode_scalar, encode_scalar, interpolate
from mpc_party.signing.judge_nonce import STAGE
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.nonce_rules import CHECK, DEAL, OPEN, DealtPoints, hash_of_deals, transcript_of
from mpc_party.signing.presignature import NonceShares, Presignature, SigningContext, UnspentNonce
from mpc_party.signing.scalar import SecretScalar, split, total
from mpc_party.signing.signing_case import SigningCase
from mpc_party.signing.steps import Steps
from mpc_party.signing.wire import M, NonceCheck, NonceDeal, NonceOpen, decode_all, encode


class NonceParty(Steps):
    """One signer's side of the nonce phase, as a state machine without I/O: each step once and in order.

    A `SigningError` ends the phase, and nothing that was made in it is used.
    """

    def __init__(self, context: SigningContext, key: KeyShare, signers: Sequence[int]) -> None:
        super().__init__("deal")
        self.context = context
        self.signers = tuple(signers)
        self.own = key.index
        self.peers = tuple(member for member in self.signers if member != self.own)
        self._key = key
        self._require_fitting()
        self._coordinates = tuple(coordinate(member) for member in self.signers)
        self._session = context.session(self.signers, key.public_key)
        self._own_deal: list[SecretScalar] = []  # k, a, b, d, e as this signer deals them to itself
        self._points: DealtPoints | None = None  # of what it deals
        self._shares: list[SecretScalar] = []  # this signer's a_i, d_i, e_i, from step 2 on
        self._nonce_points: dict[int, Point] = {}  # R_i
        self._products: dict[int, int] = {}  # w_i
        self._check_points: dict[int, Point] = {}  # W_i
        self._broadcasts: dict[int, list[bytes]] = {member: [] for member in self.signers}
        self._nonce: Point | None = None  # R
        self._product = 0  # w
        self._echo: tuple[bytes, ...] = ()

    def _require_fitting(self) -> None:
        needed = 2 * self._key.threshold + 1
        fitting = (
            len(self.signers) == needed
            and self.signers == tuple(sorted(set(self.signers)))
            and self.own in self.signers
            and self.signers[0] >= 0
            and self.signers[-1] < len(self.context.names)
        )
        if not fitting:
            # More than 2t+1 would let two sets of signers finish two digests with one nonce.
            raise SigningError(
                f"a signature takes exactly {needed} signers, this one among them, in ascending order",
                reason=Reason.PROPOSAL_REFUSED,
            )
        if self.context.epoch != self._key.epoch or len(self.context.names) != len(self._key.public_shares):
            raise SigningError(
                f"the key share is of epoch {self._key.epoch} with {len(self._key.public_shares)} members, the round "
                f"of epoch {self.context.epoch} with {len(self.context.names)}",
                reason=Reason.CONSORTIUM_MISMATCH,
                remedy="use the consortium file and the key share of one epoch",
            )

    def deal(self) -> dict[int, bytes]:
        """Step 1: the private message to each peer."""
        with self._step("deal", then="open"):
            threshold = self._key.threshold
            # The protocol: "deal k and a of degree t, and b, d, e of degree 2t with constant term 0"
            low = [split(SecretScalar.random(), threshold, self._coordinates) for _ in range(2)]
            zero = [split(None, 2 * threshold, self._coordinates) for _ in range(3)]
            rows = dict(zip(self.signers, zip(*low, *zero, strict=True), strict=True))
            self._own_deal = list(rows[self.own])
            self._points = self._points_of(rows)
            return {
                peer: encode(
                    NonceDeal(self._session, self.own, peer, *(share.reveal() for share in rows[peer]))
                )
                for peer in self.peers
            }

    def _points_of(self, rows: Mapping[int, Sequence[SecretScalar]]) -> DealtPoints:
        """What this signer commits to having dealt: see `judge_signature`."""
        a, d, e = (
            tuple(multiply_base(rows[member][column]) for member in self.signers[:count])
            for column, count in ((1, self._key.threshold + 1), (3, -1), (4, -1))
        )
        return DealtPoints(self.signers, a, d, e)

    def open(self, deals: Mapping[int, bytes]) -> bytes:
        """Step 2: R_i and w_i, to all."""
        with self._step("open", then="check"):
            rows = [self._own_deal]
            for peer, deal in self._receive(NonceDeal, deals).items():
                rows.append([self._dealt(field, peer) for field in (deal.k, deal.a, deal.b, deal.d, deal.e)])
            self._own_deal = []
            # The protocol: "Broadcast R_i = k_i G and w_i = a_i k_i + b_i"
            try:
                k, a, b, d, e = (total(column) for column in zip(*rows, strict=True))
                product = (a * k + b).publish()
            except ValueError:  # what honest dealers gave keeps a cheat from aiming at it
                raise self._refuse("a sum of shares is zero") from None
            self._shares = [a, d, e]
            point = multiply_base(k)
            self._nonce_points[self.own] = point
            self._products[self.own] = product
            return self._broadcast(
                encode(
                    NonceOpen(
                        self._session,
                        self.own,
                        point.encode(),
                        encode_scalar(product),
                        hash_of_deals(self._session, self.own, deals),
                        self._own_points().hash(self._session, self.own),
                    )
                )
            )

    def check(self, opens: Mapping[int, bytes]) -> bytes:
        """Step 3: W_i and the echo of step 2, to all."""
        with self._step("check", then="finish"):
            for peer, message in self._receive(NonceOpen, opens).items():
                self._nonce_points[peer] = self._point(message.nonce_point, peer)
                self._products[peer] = self._scalar(message.masked_product, peer)
                self._broadcasts[peer].append(bytes(opens[peer]))
            self._echo = hash_broadcasts(self._broadcasts)
            # The protocol: "check that all R_i lie on degree t"
            self._nonce = self._interpolate_checked(self._nonce_points, "nonce points")
            self._product = interpolate(
                self._coordinates, [self._products[member] for member in self.signers]
            )
            # The protocol: "R != 0, w != 0"; the first is part of the interpolation above
            if self._product == 0:
                raise self._refuse("the product of nonce and mask is zero")
            # The protocol: "refuse R.x >= q": Ethereum's v has no value for it
            if self._nonce.x >= GROUP_ORDER:
                raise self._refuse("the nonce point's x-coordinate is not below the group order")
            # The protocol: "Broadcast W_i = a_i R"
            point = multiply_secret(self._shares[0], self._nonce)
            self._check_points[self.own] = point
            return self._broadcast(encode(NonceCheck(self._session, self.own, point.encode(), self._echo)))

    @property
    def case(self) -> SigningCase:
        """What a judge is told of it."""
        return self.context.case(self.signers, self._key)

    def finish(self, checks: Mapping[int, bytes], record: Sequence[SignedMessage] = ()) -> Presignature:
        """The presignature, once the echoes agree and W = w G. `record`: the signed messages, for a dispute."""
        with self._step("finish", then=None):
            received = self._receive(NonceCheck, checks)
            echoes = {peer: message.echo for peer, message in received.items()}
            compare_echoes(self.own, self.signers, self._echo, echoes, self.context.names)
            for peer, message in received.items():
                self._check_points[peer] = self._point(message.check_point, peer)
                self._broadcasts[peer].append(bytes(checks[peer]))
            # The protocol: "check degree t and W = w G"
            if self._interpolate_checked(self._check_points, "check points") != multiply_base(self._product):
                raise self._refuse("the product of nonce and mask is not what was opened")
            return self._presignature(tuple(record))

    def _presignature(self, record: tuple[SignedMessage, ...]) -> Presignature:
        if self._nonce is None:
            raise SigningError("the nonce phase has no nonce", reason=Reason.INTERNAL)
        # The protocol: "c_i = a_i / w, alpha_i = c_i + d_i, beta_i = c_i x_i"; w is public, so its inverse may take its time
        a, d, e = self._shares
        self._shares = []
        c = a * pow(self._product, -1, GROUP_ORDER)
        try:
            shares = NonceShares(alpha=c + d, beta=c * self._key.secret, e=e)
        except ValueError:
            raise self._refuse("a sum of shares is zero") from None
        nonce = UnspentNonce(shares, self._own_points(), multiply_base(c), record)
        return Presignature(
            self.context,
            self.case,
            self.own,
            r=self._nonce.x,
            nonce_y_is_odd=self._nonce.y_is_odd,
            transcript=transcript_of(self._session, hash_broadcasts(self._broadcasts)),
            nonce=nonce,
        )

    def _own_points(self) -> DealtPoints:
        if self._points is None:
            raise SigningError("nothing has been dealt", reason=Reason.INTERNAL)
        return self._points

    def abandon(self) -> None:
        """Forget everything: no step can follow."""
        self._next = None
        self._own_deal, self._shares, self._points = [], [], None

    def _interpolate_checked(self, points: Mapping[int, Point], what: str) -> Point:
        """The polynomial's value at 0, from the first t+1 points, after checking that they predict the others."""
        ordered = [points[member] for member in self.signers]
        if not lie_on_degree(self._coordinates, ordered, self._key.threshold):
            raise self._refuse(f"the {what} do not lie on a polynomial of degree t")
        basis = self._key.threshold + 1
        value = interpolate_points(self._coordinates[:basis], ordered[:basis])
        if value is None:
            raise self._refuse(f"the {what} interpolate to zero")
        return value

    def _broadcast(self, message: bytes) -> bytes:
        self._broadcasts[self.own].append(message)
        return message

    def _receive(self, kind: type[M], messages: Mapping[int, bytes]) -> dict[int, M]:
        return decode_all(
            kind,
            messages,
            session=self._session,
            own=self.own,
            peers=self.peers,
            names=self.context.names,
            reason=Reason.NONCE_INVALID,
        )

    def _refuse(self, what: str, culprit: int | None = None) -> SigningError:
        name = None if culprit is None else self.context.names[culprit]
        return SigningError(what, reason=Reason.NONCE_INVALID, culprit=name, remedy="start a new round")

    def _dealt(self, data: bytes, sender: int) -> SecretScalar:
        try:
            return SecretScalar(data)
        except ValueError:  # an honest dealer's share is zero with probability 1/q
            raise self._refuse("a share is no scalar in [1, q)", sender) from None

    def _scalar(self, data: bytes, sender: int) -> int:
        try:
            return decode_scalar(data)
        except ValueError:
            raise self._refuse("a share is no scalar", sender) from None

    def _point(self, data: bytes, sender: int) -> Point:
        try:
            return Point.decode(data)
        except ValueError:
            raise self._refuse("a broadcast point is no point", sender) from None


def run_presign(
    exchange: DisputableExchange, key: KeyShare, context: SigningContext, keys: MessageKeys
) -> Presignature:
    """Make one nonce. Collective: exactly 2t+1 members call it, with equal contexts and shares of one key.

    Rounds: 3 exchanges of kind CEREMONY. Bytes sent to each peer: 780 for t = 1, 848 for t = 2. After a failed check, 3 more of kind
    DISPUTE (see `dispute.settle`). Measured as key generation is, for t = 1, 2, 3: p50 3.1, 7.2, 12.7 ms, p95 4.5, 9.4, 16.7.
    Reveals: to all signers, R = k G, the random w = a k, R_i and W_i; to t of them together, nothing about k or x. In a dispute, all
    that was dealt, of a nonce that is given up then.

    Args:
        exchange: the mesh among the signers.
        key: this member's key share.
        context: what the nonce is bound to, with the signer set and the group's key. For one run (see there).
        keys: this member's identity, and everybody's public keys.

    Raises:
        SigningError: NONCE_INVALID, ECHO_MISMATCH, MESSAGE_FORGED or DISPUTED, with a culprit where one is proven, attested or seen
            here (the message says which), and with `evidence`; PROPOSAL_REFUSED or CONSORTIUM_MISMATCH before anything is sent, if
            the signers are not 2t+1 or the key is of another epoch.
        MeshError: a signer is silent or gone.
    """
    return drive_presign(exchange, NonceParty(context, key, sorted((exchange.own, *exchange.peers))), keys)


def drive_presign(exchange: DisputableExchange, party: NonceParty, keys: MessageKeys) -> Presignature:
    """Carry the messages of one `NonceParty` over the mesh, and settle who is at fault should a check fail."""
    case = party.case
    channel = Channel(exchange, case.session, keys, party.context.names)
    try:
        deals = channel.to_each(DEAL, party.deal())
        opens = channel.to_all(OPEN, party.open(deals))
        checks = channel.to_all(CHECK, party.check(opens))
        return party.finish(checks, channel.messages)
    except (SigningError, PeerDisputes) as cause:
        party.abandon()
        if not is_disputable(cause):
            raise
        # No digest has been approved, so this nonce signs nothing: everything can be shown.
        signed = tuple(message for message in channel.messages if message.is_signed(keys.keys))
        settle(channel, case, cause, lambda claim: Disclosure(STAGE, claim, signed))
