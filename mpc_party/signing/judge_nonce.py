"""Who is at fault where the nonce phase failed: every dealing and every broadcast is computed again.

Before a signer has approved a digest, its nonce can be given up, and then it shows everything: what it dealt, what it got, and what was
broadcast. From that follow all shares: a dealer's share to itself from those to the others (t+1 points of degree t; 2t points and
zero of degree 2t). Afterwards it shows broadcasts only, and is held to what these say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mpc_party.signing.curve import Point, multiply_base, multiply_public
from mpc_party.signing.docket import Docket, Place
from mpc_party.signing.field import GROUP_ORDER, coordinate, decode_scalar, interpolate
from mpc_party.signing.nonce_rules import (
    CHECK,
    DEAL,
    OPEN,
    hash_of_deals,
    is_usable,
    nonce_point,
    product,
)
from mpc_party.signing.verdict import Fault
from mpc_party.signing.wire import NonceCheck, NonceDeal, NonceOpen

STAGE: Final = "nonce"  # its discloser has not approved a digest

Row = tuple[int, int, int, int, int]  # k, a, b, d, e


class NonceJudge:
    """The nonce phase's part of a verdict.

    Args:
        docket: of the dispute.
        signers: 2t+1 members, ascending.
        threshold: t.
    """

    def __init__(self, docket: Docket, signers: tuple[int, ...], threshold: int) -> None:
        self.docket = docket
        self.signers = signers
        self.threshold = threshold
        self._dealt: dict[tuple[int, int], Row] = {}  # by dealer and receiver

    def judge(self) -> None:
        """Find all faults in dealings and broadcasts."""
        for member in self.signers:
            self._read_dealings(member)
        for member in self.signers:
            self._judge_degrees(member)
            self._judge_disclosure(member)
            self._judge_forms(member)
            self._judge_opening(member)
            self._judge_check(member)

    # Dealings

    def _others(self, member: int) -> tuple[int, ...]:
        return tuple(other for other in self.signers if other != member)

    def _read_dealings(self, dealer: int) -> None:
        for receiver in self._others(dealer):
            deal = self.docket.one(NonceDeal, DEAL, dealer, receiver)
            if deal is None:
                continue
            row = dealt_row(deal)
            if row is None:
                self.docket.find(dealer, Fault.MALFORMED, "dealt a share that is no scalar in [1, q)")
            else:
                self._dealt[dealer, receiver] = row

    def _judge_degrees(self, dealer: int) -> None:
        """Find a dealing that no honest dealer makes, and what it dealt to itself if there is none."""
        others = self._others(dealer)
        rows = [self._dealt.get((dealer, receiver)) for receiver in others]
        known = [row for row in rows if row is not None]
        if len(known) < len(others):
            return
        coordinates, basis = tuple(map(coordinate, others)), self.threshold + 1
        k, a, b, d, e = ([row[column] for row in known] for column in range(5))
        for column in (k, a):
            predicted = [interpolate(coordinates[:basis], column[:basis], at) for at in coordinates]
            if predicted != column:
                self.docket.find(dealer, Fault.WRONG_DEGREE, "dealt a sharing of another degree than t")
                return
        own = coordinate(dealer)
        low = [interpolate(coordinates[:basis], column[:basis], own) for column in (k, a)]
        zero = [interpolate((0, *coordinates), (0, *column), own) for column in (b, d, e)]
        self._dealt[dealer, dealer] = (low[0], low[1], zero[0], zero[1], zero[2])

    def _judge_disclosure(self, member: int) -> None:
        """Hold a signer that shows everything to all that it must have."""
        docket, disclosure = self.docket, self.docket.disclosures.get(member)
        if disclosure is None or disclosure.stage != STAGE:
            return
        view, others = docket.views[member], self._others(member)
        if any(Place(DEAL, member, other) not in view for other in others):
            docket.find(member, Fault.WITHHOLDS, "does not show what it dealt")
        opening = docket.one(NonceOpen, OPEN, member)
        if opening is not None:
            got = {other: view.get(Place(DEAL, other, member)) for other in others}
            bodies = {other: message.body for other, message in got.items() if message is not None}
            shown = hash_of_deals(docket.session, member, bodies) if len(bodies) == len(others) else None
            docket.require_echo(member, opening.received, shown, "the private messages")

    def _shares(self, member: int) -> Row | None:
        """k_i, a_i, b_i, d_i, e_i, if all that went into them is known and acknowledged by the signer."""
        docket, opening = self.docket, self.docket.one(NonceOpen, OPEN, member)
        rows = [self._dealt.get((dealer, member)) for dealer in self.signers]
        known = [row for row in rows if row is not None]
        if opening is None or len(known) < len(self.signers):
            return None
        bodies = {other: docket.shown[Place(DEAL, other, member)].body for other in self._others(member)}
        if hash_of_deals(docket.session, member, bodies) != opening.received:
            return None
        k, a, b, d, e = (sum(column) % GROUP_ORDER for column in zip(*known, strict=True))
        return k, a, b, d, e

    # Broadcasts

    def _judge_forms(self, member: int) -> None:
        docket = self.docket
        opening = docket.one(NonceOpen, OPEN, member)
        check = docket.one(NonceCheck, CHECK, member)
        if opening is not None and (
            _point(opening.nonce_point) is None or _scalar(opening.masked_product) is None
        ):
            docket.find(member, Fault.MALFORMED, "opened something that is no point or no scalar")
        if check is not None and _point(check.check_point) is None:
            docket.find(member, Fault.MALFORMED, "broadcast a check point that is no point")

    def _judge_opening(self, member: int) -> None:
        docket, opening, shares = self.docket, self.docket.one(NonceOpen, OPEN, member), self._shares(member)
        if opening is None or shares is None:
            return
        k, a, b, *_ = shares
        # The protocol: "Broadcast R_i = k_i G and w_i = a_i k_i + b_i"
        if k == 0 or _point(opening.nonce_point) != multiply_base(k):
            docket.find(member, Fault.WRONG_NONCE_POINT, "opened a nonce point that is not its share's")
        if _scalar(opening.masked_product) != (a * k + b) % GROUP_ORDER:
            docket.find(member, Fault.WRONG_PRODUCT, "opened a product that is not its shares'")

    def _judge_check(self, member: int) -> None:
        docket, check, shares = self.docket, self.docket.one(NonceCheck, CHECK, member), self._shares(member)
        if check is None:
            return
        shown = docket.echo_of(member, (OPEN,))
        fits = docket.require_echo(member, tuple(check.echo), shown, "the openings")
        if fits and self.nonce(member) is None:
            docket.find(member, Fault.GOES_ON, "went on with openings that fail a check")
        nonce = self.nonce()
        if nonce is None or shares is None:
            return
        # The protocol: "Broadcast W_i = a_i R"
        if _point(check.check_point) != multiply_public(shares[1], nonce[0]):
            docket.find(member, Fault.WRONG_CHECK_POINT, "broadcast a check point that is not its share's")

    def _nonce_of(self, openings: Sequence[NonceOpen | None]) -> tuple[Point, int] | None:
        """R and w, if all openings are there and pass the checks of step 2."""
        points = [None if opening is None else _point(opening.nonce_point) for opening in openings]
        scalars = [None if opening is None else _scalar(opening.masked_product) for opening in openings]
        known = [point for point in points if point is not None]
        values = [scalar for scalar in scalars if scalar is not None]
        if len(known) < len(self.signers) or len(values) < len(self.signers):
            return None
        nonce = nonce_point(self.signers, known, self.threshold)
        masked = product(self.signers, values)
        return (nonce, masked) if nonce is not None and is_usable(nonce, masked) else None

    def nonce(self, viewer: int | None = None) -> tuple[Point, int] | None:
        """R and w as all have seen them, or as one signer shows them."""
        return self._nonce_of([self._opening(member, viewer) for member in self.signers])

    def _opening(self, member: int, viewer: int | None) -> NonceOpen | None:
        docket = self.docket
        return (
            docket.one(NonceOpen, OPEN, member)
            if viewer is None
            else docket.seen(viewer, NonceOpen, OPEN, member)
        )

    def passes(self, viewer: int) -> bool:
        """Whether what a signer shows of the nonce phase passes all checks that it makes, as far as it shows it."""
        docket = self.docket
        for member in self.signers:
            if docket.broken(viewer, member, (OPEN, CHECK)) or docket.broken(viewer, member, (DEAL,), viewer):
                return False
            deal = docket.seen(viewer, NonceDeal, DEAL, member, viewer)
            if deal is not None and dealt_row(deal) is None:
                return False
        openings = [docket.seen(viewer, NonceOpen, OPEN, member) for member in self.signers]
        if any(
            o is not None and (_point(o.nonce_point) is None or _scalar(o.masked_product) is None)
            for o in openings
        ):
            return False
        if None in openings:
            return True
        nonce = self._nonce_of(openings)
        return nonce is not None and self._checks_pass(viewer, nonce[1])

    def _checks_pass(self, viewer: int, masked: int) -> bool:
        docket = self.docket
        checks = [docket.seen(viewer, NonceCheck, CHECK, member) for member in self.signers]
        known = [check for check in checks if check is not None]
        echo = docket.echo_of(viewer, (OPEN,))
        points = [_point(check.check_point) for check in known]
        if None in points or any(tuple(check.echo) != echo for check in known):
            return False
        if len(known) < len(self.signers):
            return True
        # The protocol: "check degree t and W = w G"
        value = nonce_point(self.signers, [point for point in points if point is not None], self.threshold)
        return value == multiply_base(masked)


def dealt_row(deal: NonceDeal) -> Row | None:
    """The five shares of a disclosed deal, which is public then; None if one is no scalar in [1, q)."""
    values = [_scalar(field) for field in (deal.k, deal.a, deal.b, deal.d, deal.e)]
    k, a, b, d, e = (value or 0 for value in values)
    return (k, a, b, d, e) if all(values) else None


def _point(data: bytes) -> Point | None:
    try:
        return Point.decode(data)
    except ValueError:
        return None


def _scalar(data: bytes) -> int | None:
    try:
        return decode_scalar(data)
    except ValueError:
        return None
