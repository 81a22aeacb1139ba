"""Resharing of the group's key: the same key, shares for another member set and threshold, of another polynomial.

Four exchanges in the cast of both epochs (see `reshare_context`), and an empty one to part. Dealers are t+1 old members; lambda_i are the Lagrange
weights of their coordinates at 0, so that the sum of lambda_i x_i is x. `ReshareParty` is the protocol, `run_reshare`
carries its messages.

1. commit  - dealer i to all: hash of the Feldman vector A_i0 .. A_it', A_ik = a_ik G, of g_i, of degree t', with
             g_i(0) = lambda_i x_i.
2. open    - dealer i to all: the vector, of length exactly t'+1, with A_i0 = lambda_i X_i.
3. deal    - dealer i to new member j: g_i(j+1).
4. confirm - everybody to all: the echo of steps 1 and 2, and the hash of all of it and of the result. Sent only after every
             check has passed.

Result: x'_j = sum of g_i(j+1), a share of degree t' of x; X'_j = sum over dealers of the committed value at j+1; Y as it was.
A refresh is a resharing to the same members. Old shares are not touched here.

*Why t+1 dealers suffice.* sum over Q of lambda_i x_i = x for any t+1 members (Shamir 1979), so sum of g_i is a polynomial of
degree t' with value x at 0 (Desmedt and Jajodia 1997). Nobody has to be trusted to deal the right value: X_i is public, so all
check A_i0 = lambda_i X_i (Feldman 1987), and one wrong dealer is named by everybody. More dealers would add nothing:
among t+1 there is an honest one, and its polynomial is random.

*What t old and t' new members learn together* (the mobile adversary of Herzberg, Jarecki, Krawczyk, Yung 1995: t before,
t' after; who is corrupt during the ceremony counts on both sides): nothing about x beyond Y. Say they hold x_i for
i in A, |A| <= t, all that corrupt dealers dealt, and g_h(j+1) for j in B, |B| <= t', of each honest dealer h. For every
candidate x there is one polynomial of degree t through it and the x_i in A (|A| = t), which fixes each lambda_h x_h; and
for each of these, one polynomial of degree t' through it and the values at B. So every x fits the view, each as well as
any other: the scalars tell nothing. The points add nothing to Y: all X_i, A_hk are linear in Y and the scalars of the view.
Old and new shares do not mix: the coefficients above the constant are of independent polynomials. That rests on old
shares being erased: t+1 of one epoch that are kept, and stolen later, are the key.

*Why the commitment comes before the opening.* Without it, who speaks last picks its coefficients knowing the others', and
with them the X'_j (Gennaro, Jarecki, Krawczyk, Rabin 2007, on key generation). With it, one honest dealer makes the new
polynomial uniform. A dealer can still refuse to open after it has seen the others' vectors, and so get another draw: that
costs it its name each time.

*Why no echo comes before the shares, nor with them.* What an honest dealer deals does not depend on what it heard, and t' of its
shares tell nothing under any view. The echo decides what is kept: no result is returned unless all confirm the same vectors.
It does not travel in the same message as a share, because in a dispute a member shows the messages that are wrong: a wrong
echo must not carry a good share into the open. An honest dealer's t' + 1st share is lambda_i x_i, of a key that lives on.

*What a cheating dealer can do*: make it fail, and be named: by everybody for a vector of another length, another opening or another
constant term, by the receiver for a share off its polynomial. Shares are checked by their sum, x'_j G = X'_j, and one by one
only if that fails: errors that cancel leave x'_j what it would have been. And it can keep the members apart: withhold
its confirmation from some, or its parting, so that some have no result while others have one. The switch of epochs comes
after, in two phases, and needs everybody's signature.
"""

from __future__ import annotations

from collections.abc import Mapping

from mpc_party.mesh.errors import PeerDisputes
from mpc_party.mesh.exchange import DisputableExchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing.channel import EVERYBODY, Channel, MessageKeys
from mpc_party.signing.curve import Point, multiply_base
from mpc_party.signing.dispute import is_disputable, settle
from mpc_party.signing.echo import compare_echoes, hash_broadcasts
from mpc_party.signing.errors import SigningError
from mpc_party.signing.evidence import DONE, Claim, Disclosure
from mpc_party.signing.exponent import evaluate_commitments
from mpc_party.signing.field import lagrange
from mpc_party.signing.judge_reshare import STAGE, ReshareCase, complaints
from mpc_party.signing.keygen_rules import RuleError
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.reshare_context import ReshareContext
from mpc_party.signing.reshare_public import PublicKeyMaterial
from mpc_party.signing.reshare_rules import (
    COMMIT,
    CONFIRM,
    DEAL,
    OPEN,
    check_opening,
    combine,
    hash_of_result,
    hash_of_vector,
)
from mpc_party.signing.scalar import SecretScalar, evaluate, total
from mpc_party.signing.steps import Steps
from mpc_party.signing.wire import (
    M,
    ReshareCommit,
    ReshareConfirm,
    ReshareDeal,
    ReshareOpen,
    decode_all,
    encode,
)

REMEDY = "nothing has changed: start again with a new ceremony, without the member at fault"


class ReshareParty(Steps):
    """One member's side of a resharing, as a state machine without I/O: each step once and in order.

    Every step takes the messages of the step before by cast index (from the dealers, those of `confirm` from all) and gives
    this member's own: None or nothing where it has none. A `SigningError` ends the ceremony; the object is then of no
    further use.
    """

    def __init__(self, context: ReshareContext, own: int, share: KeyShare | None) -> None:
        super().__init__("commit")
        if own not in context.participants:
            raise SigningError(f"index {own} takes no part", reason=Reason.RESHARE_FAILED)
        self.context = context
        self.own = own
        self.peers = tuple(index for index in context.participants if index != own)
        self.dealing = own in context.dealers
        self.receiving = own in context.receivers
        self.dealers = tuple(index for index in context.dealers if index != own)
        self._require_fitting(share)
        self._secret = share.secret if share is not None and self.dealing else None
        self._session = context.session
        self._weights = dict(zip(context.dealers, lagrange(context.dealer_coordinates), strict=True))
        self._polynomial: list[SecretScalar] = []
        self._vectors: dict[int, list[Point]] = {}
        self._commitments: dict[int, bytes] = {}
        self._broadcasts: dict[int, list[bytes]] = {dealer: [] for dealer in context.dealers}
        self._echo: tuple[bytes, ...] = ()
        self._result: KeyShare | PublicKeyMaterial | None = None

    def _require_fitting(self, share: KeyShare | None) -> None:
        if share is None:
            if self.dealing:
                raise SigningError("a dealer needs its key share", reason=Reason.RESHARE_FAILED)
        elif not self.context.old.fits(share) or share.index != self.context.old_seats[self.own]:
            raise SigningError(
                f"the key share of epoch {share.epoch} is not this member's in epoch {self.context.old.epoch}",
                reason=Reason.CONSORTIUM_MISMATCH,
                remedy="use the consortium file and the key share of one epoch",
            )

    def commit(self) -> bytes | None:
        """Step 1: a dealer's message to all."""
        with self._step("commit", then="open"):
            if self._secret is None:
                return None
            # The protocol: "Dealer i deals g_i of degree t', g_i(0) = lambda_i x_i"
            constant = self._weights[self.own] * self._secret
            self._secret = None
            self._polynomial = [constant, *(SecretScalar.random() for _ in range(self.context.threshold))]
            vector = [multiply_base(coefficient) for coefficient in self._polynomial]
            self._vectors[self.own] = vector
            commitment = hash_of_vector(self._session, self.own, [point.encode() for point in vector])
            return self._broadcast(encode(ReshareCommit(self._session, self.own, commitment)))

    def open(self, commits: Mapping[int, bytes]) -> bytes | None:
        """Step 2: a dealer's message to all, once every dealer is committed."""
        with self._step("open", then="deal"):
            received = self._receive(ReshareCommit, commits, self.dealers)
            self._keep(commits)
            self._commitments = {dealer: message.commitment for dealer, message in received.items()}
            if not self.dealing:
                return None
            vector = tuple(point.encode() for point in self._vectors[self.own])
            return self._broadcast(encode(ReshareOpen(self._session, self.own, vector)))

    def deal(self, opens: Mapping[int, bytes]) -> dict[int, bytes]:
        """Step 3: a dealer's private message to each new member, once every opening has passed its checks."""
        with self._step("deal", then="confirm"):
            for dealer, message in self._receive(ReshareOpen, opens, self.dealers).items():
                try:
                    self._vectors[dealer] = check_opening(
                        self.context, self._session, dealer, message, self._commitments[dealer]
                    )
                except RuleError as broken:
                    raise self._refuse(str(broken), dealer) from broken
            self._keep(opens)
            self._echo = hash_broadcasts(self._broadcasts)
            if not self.dealing:
                return {}
            return {
                index: encode(ReshareDeal(self._session, self.own, index, self._deal_to(index).reveal()))
                for index in self.context.receivers
                if index != self.own
            }

    def confirm(self, deals: Mapping[int, bytes]) -> bytes:
        """Step 4: the message to all, once every share lies on its dealer's polynomial."""
        with self._step("confirm", then="finish"):
            shares: dict[int, SecretScalar] = {}
            if self.receiving:
                for dealer, message in self._receive(ReshareDeal, deals, self.dealers).items():
                    shares[dealer] = self._scalar(message.share, dealer)
                if self.dealing:
                    shares[self.own] = self._deal_to(self.own)
            self._polynomial = []
            self._result = self._combine(shares)
            return encode(ReshareConfirm(self._session, self.own, self._echo, self._hash_of_result()))

    def finish(self, confirms: Mapping[int, bytes]) -> KeyShare | PublicKeyMaterial:
        """What this member has of the new epoch, once all have confirmed the same."""
        with self._step("finish", then=None):
            received = self._receive(ReshareConfirm, confirms, self.peers)
            if self._result is None:
                raise SigningError("the resharing has no result", reason=Reason.INTERNAL)
            echoes = {peer: message.echo for peer, message in received.items()}
            compare_echoes(self.own, self.context.dealers, self._echo, echoes, self.context.names)
            expected = self._hash_of_result()
            for peer, message in received.items():
                # The protocol: "confirm (everybody): hash of all and of the result"
                if message.result != expected:
                    # Its echo agreed with ours, and the result is a function of what was echoed.
                    raise SigningError(
                        "another result of the resharing is confirmed",
                        reason=Reason.ECHO_MISMATCH,
                        culprit=self.context.names[peer],
                        remedy=REMEDY,
                    )
            return self._result

    def _deal_to(self, index: int) -> SecretScalar:
        return evaluate(self._polynomial, self.context.new_coordinate(index))

    def _broadcast(self, message: bytes) -> bytes:
        self._broadcasts[self.own].append(message)
        return message

    def _receive(
        self, kind: type[M], messages: Mapping[int, bytes], senders: tuple[int, ...]
    ) -> dict[int, M]:
        return decode_all(
            kind,
            messages,
            session=self._session,
            own=self.own,
            peers=senders,
            names=self.context.names,
            reason=Reason.RESHARE_FAILED,
        )

    def _keep(self, messages: Mapping[int, bytes]) -> None:
        for dealer in self.dealers:
            self._broadcasts[dealer].append(bytes(messages[dealer]))

    def _refuse(self, what: str, culprit: int | None = None) -> SigningError:
        name = None if culprit is None else self.context.names[culprit]
        return SigningError(what, reason=Reason.RESHARE_FAILED, culprit=name, remedy=REMEDY)

    def _scalar(self, data: bytes, dealer: int) -> SecretScalar:
        try:
            return SecretScalar(data)  # a share of zero has probability 1/q and is refused
        except ValueError:
            raise self._refuse("a private share is no scalar in [1, q)", dealer) from None

    def _combine(self, shares: Mapping[int, SecretScalar]) -> KeyShare | PublicKeyMaterial:
        """Y and all X'_j from the sum of the Feldman vectors, and x'_j from that of the shares."""
        context = self.context
        public_shares = combine(context, [self._vectors[dealer] for dealer in context.dealers])
        if public_shares is None:
            raise self._refuse("the dealers' vectors do not add up to a sharing of the group's key")
        epoch = (context.threshold, context.epoch, context.roster_hash)
        seat = context.new_seats[self.own]
        try:
            # Both check that all X'_j lie on degree t' with Y.
            if seat is None:
                return PublicKeyMaterial(*epoch, context.old.public_key, public_shares)
            # Here the protocol's "share on the polynomial" is checked for all dealers at once, x'_j G = X'_j.
            share = total(shares[dealer] for dealer in context.dealers)
            return KeyShare(seat, *epoch, context.old.public_key, public_shares, share)
        except ValueError as failure:
            for dealer in self.dealers if seat is not None else ():
                if not self._lies_on_polynomial(dealer, shares[dealer]):
                    raise self._refuse(
                        "a private share does not lie on its dealer's polynomial", dealer
                    ) from None
            raise self._refuse(f"the new shares do not fit: {failure}") from None

    def _lies_on_polynomial(self, dealer: int, share: SecretScalar) -> bool:
        at = self.context.new_coordinate(self.own)
        return evaluate_commitments(self._vectors[dealer], at) == multiply_base(share)

    def _hash_of_result(self) -> bytes:
        if self._result is None:
            raise SigningError("the resharing has no result", reason=Reason.INTERNAL)
        return hash_of_result(self.context, self._session, self._echo, self._result.public_shares)


def run_reshare(
    exchange: DisputableExchange, context: ReshareContext, keys: MessageKeys, share: KeyShare | None
) -> KeyShare | PublicKeyMaterial:
    """Give the group's key to the members of the new epoch. Collective: all participants call it, with equal contexts.

    Rounds: 5 exchanges of kind CEREMONY, the last one empty; in the first three only dealers send. Bytes sent by a dealer to
    each new member: 700 for n = 3, 769 for n = 5 with t' = 2 (69 more per t, old and new); by others 219 and 253. After a
    failed check, 3 more exchanges of kind DISPUTE (see `dispute.settle`). A refresh by processes of their own on two cores, TLS on
    loopback, n = 3, 5, 7 with t = 1, 2, 3: p50 3.1, 7.2, 13.8 ms, p95 4.5, 9.8, 17.1; CPU of a dealer 1.8, 2.5, 3.7, a good part of it
    Ed25519 (tests/benchmarks/bench_reshare.py).
    Reveals: to all, the new X'_j (public); to t old and t' new members together, nothing about x (see this module). In a
    dispute, what was broadcast, and shares of a dealer at fault.

    Args:
        exchange: the mesh among the participants, by cast index.
        context: what the ceremony is bound to. It is for one run: who signs two of one context looks like a cheat.
        keys: this member's identity, and everybody's Ed25519 keys, by cast index.
        share: this member's share of the old epoch; a dealer needs it, others may leave it out.

    Returns:
        A new member's key share, of the new epoch and its roster hash, with its index in the new file; for a member that
        leaves, the public part. Neither is in force before the switch of epochs, which this is not.

    Raises:
        SigningError: RESHARE_FAILED, ECHO_MISMATCH, MESSAGE_FORGED or DISPUTED, with a culprit where one is proven, attested or
            seen here (the message says which), and with `evidence`; CONSORTIUM_MISMATCH before anything is sent, if the
            share is of another epoch. Nothing has changed; start again with a new `ceremony`.
        MeshError: a participant is silent or gone.

    Source: Herzberg, Jarecki, Krawczyk, Yung 1995 (proactive secret sharing); Desmedt and Jajodia 1997 (to other member
    sets and thresholds); Feldman 1987 (verification).
    """
    return drive_reshare(exchange, ReshareParty(context, exchange.own, share), keys)


def drive_reshare(
    exchange: DisputableExchange, party: ReshareParty, keys: MessageKeys
) -> KeyShare | PublicKeyMaterial:
    """Carry the messages of one `ReshareParty` over the mesh, and settle who is at fault should a check fail."""
    if tuple(exchange.peers) != party.peers:
        raise SigningError("a resharing needs all its participants on the mesh", reason=Reason.RESHARE_FAILED)
    context = party.context
    channel = Channel(exchange, context.session, keys, context.names)
    receives = party.dealers if party.receiving else ()
    stage = STAGE
    try:
        commits = channel.to_all(COMMIT, party.commit(), expect=party.dealers)
        opens = channel.to_all(OPEN, party.open(commits), expect=party.dealers)
        deals = channel.to_each(DEAL, party.deal(opens), expect=receives)
        confirms = channel.to_all(CONFIRM, party.confirm(deals))
        result = party.finish(confirms)
        # Nobody leaves before all are done: who was sent a wrong confirmation disputes in place of this.
        stage = DONE
        exchange.exchange(FrameKind.CEREMONY, dict.fromkeys(party.peers, b""), party.peers)
    except (SigningError, PeerDisputes) as cause:
        if not is_disputable(cause):
            raise
        case = ReshareCase.of(context)
        settle(channel, case, cause, lambda claim: disclosure(channel, case, claim, stage))
    return result


def disclosure(channel: Channel, case: ReshareCase, claim: Claim, stage: str = STAGE) -> Disclosure:
    """What a member shows of a resharing that failed: all broadcasts, and of the shares it got, those off their polynomial.

    Such a share's dealer is at fault, and knows it anyway. A good share of an honest dealer never leaves: t'+1 of them are a
    share of a key that lives on.
    """
    own, keys = channel.links.own, channel.keys.keys
    public = [m for m in channel.messages if m.receiver == EVERYBODY and m.is_signed(keys)]
    return Disclosure(stage, claim, (*public, *complaints(case, own, channel.messages, keys)))
