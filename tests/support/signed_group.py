"""A consortium whose group key one test holds in one piece, and reports that it signs: for tests of what is public."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import msgspec
import numpy as np
from coincurve import PrivateKey

from coordinator.book import PublicMarket, make_book
from mpc_party.market.black76 import greeks
from mpc_party.protocol.consortium import Consortium, GroupKey, Program, Settlement
from mpc_party.protocol.eip712 import report_digest
from mpc_party.protocol.group_key import ORDER, group_key_statement
from mpc_party.protocol.identity import CoordinatorIdentity, Identity
from mpc_party.protocol.messages import Proposal
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import ForwardFields, book_hash, pack_book, pack_forward, pack_params

NAMES = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf")
DAY = 86_400
CHAIN_START = 1_767_225_600  # 2026-01-01T00:00:00Z
EXAMPLE = Settlement(31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")


@dataclass
class SignedGroup:
    """n members, their identities, and the group's secret key."""

    members: int = 3
    program: Program = field(default_factory=Program)
    broker: str = "mqtt://127.0.0.1:1883"

    def __post_init__(self) -> None:
        self.identities = [
            Identity.generate(name, f"127.0.0.1:{9000 + index}")
            for index, name in enumerate(NAMES[: self.members])
        ]
        self.coordinator = CoordinatorIdentity.generate()
        constant, slope = (1 + secrets.randbelow(ORDER - 1) for _ in range(2))
        self.key = PrivateKey(constant.to_bytes(32, "big"))
        bare = Consortium(
            version=2,
            name="desks",
            id=secrets.token_hex(32),
            epoch=1,
            threshold=1,
            broker=self.broker,
            coordinator=self.coordinator.signing_key,
            members=tuple(identity.member for identity in self.identities),
            program=self.program,
            model="11" * 32,
        )
        shares = [
            PrivateKey(((constant + slope * (i + 1)) % ORDER).to_bytes(32, "big")).public_key.format()
            for i in range(self.members)
        ]
        statement = group_key_statement(bare.roster_hash, self.key.public_key.format(), shares)
        self.consortium = msgspec.structs.replace(
            bare,
            key=GroupKey(
                self.key.public_key.format().hex(),
                tuple(share.hex() for share in shares),
                tuple(identity.sign(statement).hex() for identity in self.identities),
            ),
        )

    def at(self, settlement: Settlement) -> Consortium:
        self.consortium = msgspec.structs.replace(self.consortium, settlement=settlement)
        return self.consortium

    def sign(self, digest: bytes) -> bytes:
        signature = self.key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])

    def signed(self, report: HedgeReport) -> tuple[bytes, bytes]:
        """Digest and signature."""
        settlement = self.consortium.settlement
        assert settlement is not None
        digest = report_digest(report, settlement.chain_id, settlement.contract)
        return digest, self.sign(digest)

    def proposal(self, number: int, observed_at: int = CHAIN_START, strikes: int = 5) -> Proposal:
        book = make_book(flat_market(observed_at, strikes), {}, self.consortium.program)
        return book.proposal(number, self.consortium.epoch, (0, 1, 2), 10_000)

    def report(self, proposal: Proposal, vol: float = 0.5) -> HedgeReport:
        """What a committee would compute if every desk saw this one vol."""
        return HedgeReport(
            consortium=self.consortium.id_bytes,
            epoch=self.consortium.epoch,
            round=proposal.round,
            observed_at=proposal.observed_at,
            valid_until=proposal.valid_until,
            book=book_hash(proposal.underlying, proposal.expiries, proposal.instruments),
            model=bytes.fromhex(self.consortium.model or ""),
            inputs=secrets.token_bytes(32),
            forwards=b"".join(pack_forward(ForwardFields(e.expiry, e.forward)) for e in proposal.expiries),
            params=pack_params(flat_columns(proposal, vol)),
        )


def flat_market(observed_at: int, strikes: int = 5) -> PublicMarket:
    expiries = tuple(
        ((observed_at // DAY + days) * DAY + 8 * 3600, 90_000.0 + 10 * days) for days in (1, 7, 30)
    )
    return PublicMarket(
        observed_at,
        "BTC",
        expiries,
        tuple(
            (expiry, float(80_000 + 20_000 * k // max(strikes - 1, 1)), call)
            for expiry, _ in expiries
            for k in range(strikes)
            for call in (False, True)
        ),
    )


def book_words(proposal: Proposal) -> bytes:
    return pack_book(proposal.underlying, proposal.expiries, proposal.instruments)


def flat_columns(proposal: Proposal, vol: float) -> dict[str, np.ndarray]:
    index = [i.expiry for i in proposal.instruments]
    forward = np.array([proposal.expiries[i].forward for i in index]) * 1e-8
    expiry = np.array([proposal.expiries[i].expiry for i in index])
    strike = np.array([i.strike for i in proposal.instruments]) * 1e-8
    call = np.array([i.call for i in proposal.instruments])
    time = (expiry - proposal.observed_at) / (365 * DAY)
    exact = greeks(strike / forward, np.full(len(strike), vol), time, call)
    rounded = {
        "iv": np.full(len(strike), vol * 1e6),
        "bs_delta": exact.delta * 1e6,
        "hedge_delta": exact.delta * 1e6,
        "gamma": exact.gamma * 1e6,
        "vega": exact.vega * 1e8,
        "premium": np.maximum(exact.premium, 0) * 1e8,
    }
    return {name: np.rint(values).astype(np.int64) for name, values in rounded.items()}
