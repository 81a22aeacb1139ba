"""What members do together while one of them may be killed: sign a round; and what must hold after any number of kills.

An `Episode` is the hook for other ceremonies, such as refreshing the key: it is begun in each process and run over the
session; what it writes besides the journal it puts between `with member.switch.event(...)`, to be killed there too; and
the next episode, in new processes, starts from what it left in the members' folders.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from mpc_party.journal import RoundRecord, RoundState, read_rounds
from mpc_party.mesh.exchange import DisputableExchange, FrameKind
from mpc_party.protocol.errors import ConsortiumError, RoundError
from mpc_party.signing import (
    Approved,
    KeyShare,
    MessageKeys,
    Presignature,
    run_approval,
    run_presign,
    run_signature,
    verify_signature,
)
from mpc_party.signing.curve import multiply_base
from tests.support.kill_points import KillingJournal, KillSwitch, die
from tests.support.plain_scalars import recombine_plain, shown
from tests.support.signing_parties import CONSORTIUM_ID, signing_context

KEY_FILE, JOURNAL_FILE = "key-share", "journal.db"


@dataclass
class Member:
    """One member in its process, as it finds itself in its folder after whatever happened to the process before."""

    own: int
    folder: Path
    approver: MessageKeys
    switch: KillSwitch
    key: KeyShare = field(init=False)
    journal: KillingJournal = field(init=False)

    def __post_init__(self) -> None:
        self.key = KeyShare.decode((self.folder / KEY_FILE).read_bytes())
        with self.switch.event("restart") as fatal:
            self.journal = KillingJournal.open(
                self.folder / JOURNAL_FILE, consortium=CONSORTIUM_ID, epoch=self.key.epoch
            )
            if fatal:
                die()
        self.journal.switch = self.switch


class Episode(Protocol):
    """One thing that all members do together, in one session."""

    def begin(self, member: Member, number: int, attempt: int) -> None:
        """Before the mesh: raises ConsortiumError where this member does not take part."""

    def run(self, member: Member, exchange: DisputableExchange, number: int, attempt: int) -> dict[str, str]:
        """In the session; what the member has to show for it."""

    def failed(self, member: Member, number: int) -> None:
        """The session is over without a result, and this process lives."""


def digest_of(number: int, attempt: int) -> bytes:
    return hashlib.sha256(f"report {number}, attempt {attempt}".encode()).digest()


class Signing:
    """A round: promise, nonce, approval, signature, outcome."""

    def begin(self, member: Member, number: int, attempt: int) -> None:
        try:
            member.journal.promise_round(number, digest_of(number, attempt))
        except RoundError:
            self.tempt(member, number, attempt)
            raise

    def tempt(self, member: Member, number: int, attempt: int) -> None:
        """A restarted member that has approved a digest in this round does not approve the next attempt's."""
        last = member.journal.rounds(1)[0]
        if last.round == number and last.digest is not None and last.digest != digest_of(number, attempt):
            try:
                member.journal.approve_and_spend(number, digest_of(number, attempt), bytes(32))
            except RoundError:
                return
            raise AssertionError(f"member {member.own} approved a second digest in round {number}")

    def run(self, member: Member, exchange: DisputableExchange, number: int, attempt: int) -> dict[str, str]:
        context = signing_context(len(member.key.public_shares), number)
        digest = digest_of(number, attempt)
        presignature = run_presign(exchange, member.key, context, member.approver)
        approved = self.approve(member, exchange, presignature, digest)
        signature = run_signature(exchange, approved)
        member.journal.record_outcome(number, RoundState.SIGNED)
        return {"digest": digest.hex(), "signature": signature.hex()}

    def approve(
        self, member: Member, exchange: DisputableExchange, presignature: Presignature, digest: bytes
    ) -> Approved:
        return run_approval(exchange, member.key, presignature, digest, member.approver, member.journal)

    def failed(self, member: Member, number: int) -> None:
        try:
            member.journal.record_outcome(number, RoundState.ABORTED)
        except ConsortiumError:
            # It was signed before the session broke: that stands.
            assert member.journal.rounds(1)[0].state is RoundState.SIGNED


def heard_approval(kind: FrameKind, data: bytes) -> tuple[str, str] | None:
    """Digest and transcript that an approval on the wire is for, whatever envelope it came in."""
    if kind is not FrameKind.APPROVAL:
        return None
    _, _, _, digest, transcript, *_ = msgspec.msgpack.decode(data[data.index(b"\xa8approval") - 1 :])
    return digest.hex(), transcript.hex()


@dataclass
class Ledger:
    """All that members said and showed, for comparison with their journals at the end."""

    folders: list[Path]
    promises: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    approvals: dict[tuple[int, int], set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    sharing: set[tuple[int, int]] = field(default_factory=set)  # (member, round): its share has been seen
    signatures: dict[int, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))

    def note(self, member: int, number: int, said: dict[str, Any]) -> None:
        if "began" in said:
            self.promises[member, number] += 1
        elif "approval" in said:
            self.approvals[said["peer"], number].add(tuple(said["approval"]))
        elif "share" in said:
            self.sharing.add((said["peer"], number))
        elif "done" in said:
            self.signatures[number].add((said["done"]["digest"], said["done"]["signature"]))

    def check(self) -> None:
        """What no kill may break; from the journals as they are on the disk, and from what peers have received."""
        keys = [KeyShare.decode((folder / KEY_FILE).read_bytes()) for folder in self.folders]
        journals = [rounds_of(folder) for folder in self.folders]
        nonces: dict[str, set[int]] = defaultdict(set)
        for member, folder in enumerate(self.folders):
            spent = spent_nonces(folder)
            assert len({nonce for nonce, _ in spent}) == len(spent), "a nonce was spent twice"
            assert len({number for _, number in spent}) == len(spent), "two nonces were spent in a round"
            for nonce, number in spent:
                nonces[nonce].add(number)
            # An approval and a share leave only when the journal has them: a crash does not undo what peers have seen.
            for (sender, number), seen in self.approvals.items():
                if sender == member:
                    ((digest, transcript),) = seen  # one digest and one nonce per round, whatever was heard
                    assert journals[member][number].digest == bytes.fromhex(digest)
                    assert (transcript, number) in spent
        assert all(len(numbers) == 1 for numbers in nonces.values()), "a nonce served two rounds"
        assert all(times == 1 for times in self.promises.values()), "a round was promised twice"
        for sender, number in self.sharing:
            assert journals[sender][number].nonce_spent
        for number, released in self.signatures.items():
            ((digest, signature),) = released  # all survivors have the same
            assert verify_signature(keys[0].public_key, bytes.fromhex(digest), bytes.fromhex(signature))
            approved = {bytes.fromhex(digest), None}
            assert all(journal[number].digest in approved for journal in journals if number in journal)
        for pair in ((0, 1), (1, 2), (0, 2)):
            secret = recombine_plain([m + 1 for m in pair], [shown(keys[m].secret) for m in pair])
            assert multiply_base(secret).encode() == keys[0].public_key


def rounds_of(folder: Path) -> dict[int, RoundRecord]:
    return {record.round: record for record in read_rounds(folder / JOURNAL_FILE, limit=1_000_000)}


def spent_nonces(folder: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(f"file:{folder / JOURNAL_FILE}?mode=ro", uri=True)) as connection:
        return [
            (nonce.hex(), number)
            for nonce, number in connection.execute("SELECT nonce, round FROM spent_nonces")
        ]
