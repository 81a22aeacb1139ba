"""A nonce that 2t+1 members share, ready to sign one digest, once; and what its holder may still show of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from mpc_party.mesh.errors import PeerDisputes
from mpc_party.mesh.exchange import DisputableExchange
from mpc_party.protocol.secret import Secret
from mpc_party.signing.channel import EVERYBODY, Channel, MessageKeys, SignedMessage
from mpc_party.signing.curve import Point
from mpc_party.signing.dispute import Heard, settle
from mpc_party.signing.evidence import Disclosure
from mpc_party.signing.judge_nonce import STAGE
from mpc_party.signing.judge_signature import contradicts
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.nonce_rules import DEAL, OPEN, DealtPoints
from mpc_party.signing.one_use import OneUse
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.signing_case import SigningCase, signing_session
from mpc_party.signing.wire import NonceDeal, NonceOpen, read


@dataclass(frozen=True)
class SigningContext:
    """What all messages of one nonce phase and signature are bound to; the same at every signer.

    `names` are the names of all members, in the order of the consortium file. A context is for one run: who signs the messages of two
    under one round number looks like a cheat. The journal's promise of the round sees to that.
    """

    consortium_hash: bytes
    epoch: int
    round: int
    names: tuple[str, ...]

    def session(self, signers: tuple[int, ...], public_key: bytes) -> bytes:
        """32 bytes that every message of the nonce phase carries."""
        return signing_session(
            self.consortium_hash, self.epoch, self.round, signers, len(self.names), public_key
        )

    def case(self, signers: tuple[int, ...], key: KeyShare) -> SigningCase:
        """What a judge is told of it."""
        return SigningCase(
            self.consortium_hash, self.epoch, self.round, signers, key.public_key, key.public_shares
        )


@dataclass(frozen=True, repr=False, eq=False)
class NonceShares(Secret):
    """alpha_i = c_i + d_i, beta_i = c_i x_i and e_i, where c is the inverse of the nonce k."""

    alpha: SecretScalar
    beta: SecretScalar
    e: SecretScalar


@dataclass(frozen=True, repr=False, eq=False)
class UnspentNonce(Secret):
    """A nonce that no digest has been approved for: it can still be given up, and then everything about it be shown.

    `messages` are all signed ones of the nonce phase, deals included. `points` are of this signer's own dealings, `base` is c_i G.
    """

    shares: NonceShares
    points: DealtPoints
    base: Point
    messages: tuple[SignedMessage, ...] = ()

    def approve(self) -> ApprovedNonce:
        """What is left once an approval leaves. Deals that were received are then shown only against their own dealer."""
        public = tuple(message for message in self.messages if message.receiver == EVERYBODY)
        return ApprovedNonce(self.shares, self.points, self.base, public, _Deals(self.messages))


@dataclass(frozen=True, repr=False, eq=False)
class ApprovedNonce(Secret):
    """A nonce that others may sign with: a view of its dealings, beside one released share, is a share of the key.

    So this type gives no dealing away, to whoever asks: with t = 1, who has cheated needs only one honest signer's deals and
    another's signature share. `complaints` hands out deals of dealers that are proven at fault by them, and no others.
    """

    shares: NonceShares
    points: DealtPoints
    base: Point
    broadcasts: tuple[SignedMessage, ...]
    _deals: _Deals

    def complaints(
        self, own: int, session: bytes, signers: tuple[int, ...], disclosures: Heard
    ) -> tuple[SignedMessage, ...]:
        """The deals to this signer that contradict what their dealer has opened, and had committed to before the approval.

        A dealer that has told two things is held to the one that opens its commitment: there is one at most.
        """
        found: list[SignedMessage] = []
        for dealer, disclosure in disclosures:
            dealt = self._opened(dealer, session, signers, disclosure)
            if dealt is not None:
                found += (m for m in self._deals.against(dealer, own, dealt) if m not in found)
        return tuple(found)

    def _opened(
        self, dealer: int, session: bytes, signers: tuple[int, ...], disclosure: Disclosure
    ) -> DealtPoints | None:
        """The dealer's points, if they are those of its commitment, as it came to this signer from the dealer itself."""
        bodies = [m.body for m in self.broadcasts if m.sender == dealer and m.step == OPEN]
        commitment = read(NonceOpen, bodies[0]) if bodies else None
        if commitment is None or disclosure.opening is None:
            return None
        try:
            dealt = DealtPoints.decode(signers, disclosure.opening)
        except ValueError:
            return None
        return dealt if dealt.hash(session, dealer) == commitment.committed else None


class _Deals(Secret):
    """The private messages that a signer got; only `against` hands one out."""

    __slots__ = ("__messages",)

    def __init__(self, messages: Sequence[SignedMessage]) -> None:
        self.__messages = tuple(message for message in messages if message.step == DEAL)

    def against(self, dealer: int, own: int, dealt: DealtPoints) -> list[SignedMessage]:
        """The dealer's deal to `own`, if it contradicts these points."""
        mine = [m for m in self.__messages if (m.sender, m.receiver) == (dealer, own)]
        return [
            m for m in mine if (deal := read(NonceDeal, m.body)) is not None and contradicts(deal, dealt, own)
        ]


class Presignature(Secret):
    """This signer's part of one nonce. Lives in memory only; it is used once, to approve a digest or to be given up.

    Attributes:
        context, signers, own, public_key: what it was made for and can only be used for.
        r: R.x, which is below q (others are refused) and not zero.
        nonce_y_is_odd: the parity of R.y, for v.
        transcript: hash of all that was broadcast in the nonce phase; equal at all honest signers.
    """

    __slots__ = (
        "_nonce",
        "case",
        "context",
        "nonce_y_is_odd",
        "own",
        "public_key",
        "r",
        "signers",
        "transcript",
    )

    def __init__(
        self,
        context: SigningContext,
        case: SigningCase,
        own: int,
        *,
        r: int,
        nonce_y_is_odd: bool,
        transcript: bytes,
        nonce: UnspentNonce,
    ) -> None:
        self.context = context
        self.case = case
        self.signers = case.signers
        self.own = own
        self.public_key = case.public_key
        self.r = r
        self.nonce_y_is_odd = nonce_y_is_odd
        self.transcript = transcript
        self._nonce = OneUse(nonce, f"the nonce of round {context.round}")

    @property
    def nonce_id(self) -> bytes:
        """32 bytes that name this nonce in the journal: its transcript."""
        return self.transcript

    def approve(self) -> ApprovedNonce:
        """The shares, and what may be shown from now on. The first time; after it the nonce cannot be given up any more.

        Raises:
            SigningError: NONCE_SPENT, every other time.
        """
        return self._nonce.take().approve()

    def discard(self) -> None:
        """Forget the nonce: what an aborted round does. Can be called at any time, any number of times."""
        self._nonce.discard()

    def dispute(self, links: DisputableExchange, keys: MessageKeys, told: PeerDisputes) -> NoReturn:
        """Give the nonce up, and join a dispute that came between the nonce phase and the approval. Collective: the signers.

        Its shares are dropped before anything leaves, so that this signer approves nothing with it; then all messages of the nonce
        phase are shown, deals included. See `dispute.settle` for the rounds.

        Raises:
            SigningError: DISPUTED, with whoever is at fault and the evidence; or NONCE_SPENT: a digest has been approved, or the
                nonce was given up before, and nothing is shown.
        """
        messages = self._nonce.take().messages
        channel = Channel(links, self.case.session, keys, self.context.names, list(messages))
        settle(channel, self.case, told, lambda claim: Disclosure(STAGE, claim, messages))
