"""The ceremony as members run it: real folders, a real mesh on loopback, a thread for each member."""

from __future__ import annotations

import secrets
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from mpc_party.journal import Journal, read_standing
from mpc_party.member import ceremony
from mpc_party.member.ceremony import REMEDY_UNFINISHED, run_ceremony
from mpc_party.member.founding import store_identity
from mpc_party.member.home import PartyHome
from mpc_party.member.joining import take_up
from mpc_party.member.overview import overview
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason, RoundError
from mpc_party.protocol.identity import CoordinatorIdentity, Identity
from mpc_party.resharing.checking import check_against
from mpc_party.resharing.transcript import decode_transcript, load_transcript
from mpc_party.signing import KeygenContext
from tests.support.mesh_parties import reserved_ports
from tests.support.party_homes import NOWHERE, SECRET, contents
from tests.support.world import NAMES

DEADLINE = 60.0


@dataclass
class Table:
    """Members who have joined and sit down for the ceremony."""

    consortium: Consortium
    homes: list[PartyHome]
    said: dict[int, list[str]] = field(default_factory=dict)

    def sit(self, *members, wait=20.0, after_round=None):
        """Run the ceremony of these members at once; what each got."""
        outcomes = {}

        def work(index):
            self.said[index] = []
            try:
                outcomes[index] = run_ceremony(
                    self.homes[index],
                    SECRET,
                    wait=wait,
                    listen=None,
                    say=self.said[index].append,
                    after_round=(after_round or {}).get(index, 0),
                )
            except BaseException as failure:  # noqa: BLE001 - looked at by the test
                outcomes[index] = failure

        threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in members]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert set(outcomes) == set(members), "a member hangs"
        return outcomes

    def contents(self):
        return [contents(home.path) for home in self.homes]


@contextmanager
def table(path, count):
    with reserved_ports(count) as ports:
        identities = [
            Identity.generate(name, f"127.0.0.1:{port}") for name, port in zip(NAMES, ports, strict=False)
        ]
        consortium = Consortium(
            version=2,
            name="desks",
            id=secrets.token_hex(32),
            epoch=1,
            threshold=1,
            broker=NOWHERE,
            coordinator=CoordinatorIdentity.generate().signing_key,
            members=tuple(identity.member for identity in identities),
        )
        homes = [PartyHome(path / identity.name) for identity in identities]
        for home, identity in zip(homes, identities, strict=True):
            store_identity(home, identity, SECRET)
            save_consortium(home.consortium_file, consortium)
        yield Table(consortium, homes)


@pytest.fixture
def three(tmp_path):
    with table(tmp_path, 3) as seats:
        yield seats


def check_complete(seats, completed):
    assert completed.roster_hash == seats.consortium.roster_hash
    for index, home in enumerate(seats.homes):
        stored = home.consortium()
        assert stored.hash == completed.hash
        assert home.key_share(SECRET, stored, index).address == completed.group_address
        assert home.key_share_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("count", [3, 4])
def test_all_members_get_one_key_and_identical_files(tmp_path, count):
    with table(tmp_path, count) as seats:
        outcomes = seats.sit(*range(count))
        completed = outcomes[0]
        assert len({consortium.hash for consortium in outcomes.values()}) == 1
        check_complete(seats, completed)
        assert seats.said[0][-2:] == ["generating", "attesting"]
        files = {home.consortium_file.read_bytes() for home in seats.homes}
        assert len(files) == 1
        assert len({home.key_share_file.read_bytes() for home in seats.homes}) == count


def test_all_sign_one_transcript_that_the_completed_file_knows(three):
    completed = three.sit(0, 1, 2)[0]
    (data,) = {(home.path / "keygen-1.transcript").read_bytes() for home in three.homes}
    signed = decode_transcript(data)
    assert check_against(signed, completed).unknown == ()
    assert (signed.body.kind, signed.body.floor, signed.body.old_hash) == ("keygen", 0, None)
    # Of each member: what it committed to, opened and confirmed, under its own signature.
    said = [(message.step, message.sender) for message in signed.body.broadcasts]
    assert said == [(step, sender) for step in ("commit", "confirm", "open") for sender in range(3)]


def test_rounds_begin_where_all_say(three):
    """On a chain that has seen rounds of another key."""
    completed = three.sit(0, 1, 2, after_round=dict.fromkeys(range(3), 41))[0]
    for home in three.homes:
        assert read_standing(home.journal_file).last_round == 41
        assert load_transcript(home.path / "keygen-1.transcript").body.floor == 41
        with Journal.open(home.journal_file, consortium=completed.id_bytes, epoch=1) as journal:
            with pytest.raises(RoundError):
                journal.promise_round(41, bytes(32))
            journal.promise_round(42, bytes(32))


def test_members_that_begin_at_different_rounds_refuse_each_other(three):
    before = three.contents()
    outcomes = three.sit(0, 1, 2, after_round={0: 41, 1: 41, 2: 40})
    assert all(isinstance(error, ConsortiumError) for error in outcomes.values())
    assert any("--after-round: carol gives 40, this member 41" in str(outcomes[index]) for index in (0, 1))
    assert three.contents() == before


def test_an_absent_member_is_named_and_nothing_is_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(ceremony, "POLL_SECONDS", 0.2)
    with table(tmp_path, 4) as seats:
        before = seats.contents()
        outcomes = seats.sit(0, 1, 2, wait=1.0)
        for index, error in outcomes.items():
            assert isinstance(error, ConsortiumError)
            assert error.reason is Reason.PEER_UNREACHABLE
            assert "dave" in str(error)
            assert any(line.startswith("waiting for dave (") for line in seats.said[index])
        assert seats.contents() == before
        # It is no obstacle to a second try.
        assert len({c.hash for c in seats.sit(0, 1, 2, 3).values()}) == 1


def test_members_with_different_files_refuse_each_other(three):
    other = msgspec.structs.replace(three.consortium, name="other desks")
    save_consortium(three.homes[2].consortium_file, other)
    before = three.contents()
    outcomes = three.sit(0, 1, 2, wait=2.0)
    assert all(isinstance(error, ConsortiumError) for error in outcomes.values())
    assert Reason.PEER_REFUSED in {error.reason for error in outcomes.values()}
    assert any("carol" in str(outcomes[index]) for index in (0, 1))
    assert three.contents() == before


def test_a_ceremony_that_fails_before_the_members_attest_stores_its_evidence_only(three, monkeypatch):
    """One member's messages are bound to something else: all refuse, whoever is first."""
    real = ceremony.agree_on_ceremony

    def other(consortium, own, links, after_round):
        agreed = real(consortium, own, links, after_round)
        return bytes(32) if own == 1 else agreed

    monkeypatch.setattr(ceremony, "agree_on_ceremony", other)
    before = three.contents()
    outcomes = three.sit(0, 1, 2)
    assert all(isinstance(error, ConsortiumError) for error in outcomes.values())
    reasons = {error.reason for error in outcomes.values()}
    assert reasons & {Reason.KEYGEN_FAILED, Reason.ECHO_MISMATCH, Reason.MESSAGE_FORGED}
    after = three.contents()
    assert all(any(name.endswith(".evidence") for name in folder) for folder in after)
    assert [
        {name: found for name, found in folder.items() if not name.startswith("evidence")} for folder in after
    ] == before
    monkeypatch.undo()
    assert len({c.hash for c in three.sit(0, 1, 2).values()}) == 1


def test_every_attempt_has_a_name_of_its_own(three, monkeypatch):
    names = []

    def remember(*fields, **named):
        context = KeygenContext(*fields, **named)
        names.append(context.ceremony)
        return context

    monkeypatch.setattr(ceremony, "KeygenContext", remember)
    monkeypatch.setattr(ceremony, "attest", refuse_to_attest)
    three.sit(0, 1, 2)
    three.sit(0, 1, 2)
    assert len(names) == 6
    assert len(set(names)) == 2


def refuse_to_attest(*_):
    raise ConsortiumError("a member has gone", reason=Reason.PEER_CLOSED)


def test_a_member_whose_disk_is_full_stops_before_anybody_has_a_key(three, monkeypatch):
    """The share is stored before the attestation leaves, so no completed file exists without it."""
    real = ceremony.write_atomic

    def full(path, data, **options):
        if path == three.homes[1].key_share_file:
            raise ConfigError(f"{path}: cannot be written: No space left on device")
        real(path, data, **options)

    before = three.contents()
    monkeypatch.setattr(ceremony, "write_atomic", full)
    outcomes = three.sit(0, 1, 2)
    assert "No space left" in str(outcomes[1])
    assert "is kept" not in str(outcomes[1])
    assert contents(three.homes[1].path) == before[1]
    for index in (0, 2):
        assert "this member's share is kept" in str(outcomes[index])
        assert REMEDY_UNFINISHED in str(outcomes[index])
        assert three.homes[index].consortium().key is None
    # All run it again: the shares that were kept are replaced.
    monkeypatch.undo()
    check_complete(three, three.sit(0, 1, 2)[0])


def test_a_member_that_missed_the_end_takes_the_file_of_another(three, monkeypatch):
    """Bob has attested and stored its share, and is gone before it has all attestations; the others have the key."""
    real = ceremony.attest

    def half(consortium, own, identity, share, links):
        completed = real(consortium, own, identity, share, links)
        if own == 1:
            raise ConsortiumError("the link broke", reason=Reason.PEER_CLOSED, culprit="carol")
        return completed

    monkeypatch.setattr(ceremony, "attest", half)
    outcomes = three.sit(0, 1, 2)
    monkeypatch.undo()
    assert outcomes[0].hash == outcomes[2].hash
    error = outcomes[1]
    assert (error.reason, error.culprit, error.remedy) == (Reason.PEER_CLOSED, "carol", REMEDY_UNFINISHED)
    bob = three.homes[1]
    assert "join" in overview(bob, 1)["next"]
    # Another ceremony cannot begin: who has the key refuses, and its kept share survives bob's waiting in vain.
    with pytest.raises(ConfigError, match="group key already"):
        run_ceremony(three.homes[0], SECRET, wait=0.0, listen=None, say=print)
    kept = bob.key_share_file.read_bytes()
    monkeypatch.setattr(ceremony, "POLL_SECONDS", 0.2)
    assert three.sit(1, wait=0.3)[1].reason is Reason.PEER_UNREACHABLE
    assert bob.key_share_file.read_bytes() == kept
    # What the error says.
    take_up(bob, bob.identity(SECRET), SECRET, three.homes[0].consortium_file, None)
    check_complete(three, outcomes[0])


def test_a_file_that_cannot_be_written_at_the_end_is_taken_from_another(three, monkeypatch):
    real = ceremony.save_consortium

    def full(path, consortium):
        if path == three.homes[2].consortium_file:
            raise ConfigError(f"{path}: cannot be written: No space left on device")
        real(path, consortium)

    monkeypatch.setattr(ceremony, "save_consortium", full)
    outcomes = three.sit(0, 1, 2)
    assert "No space left" in str(outcomes[2])
    assert "mpc-party join" in str(outcomes[2])
    monkeypatch.undo()
    carol = three.homes[2]
    take_up(carol, carol.identity(SECRET), SECRET, three.homes[1].consortium_file, None)
    check_complete(three, outcomes[0])


def test_a_second_ceremony_is_refused(three):
    three.sit(0, 1, 2)
    before = three.contents()
    for home in three.homes:
        with pytest.raises(ConfigError, match=r"group key already.*nothing to do"):
            run_ceremony(home, SECRET, wait=0.0, listen=None, say=print)
    assert three.contents() == before
    three.homes[0].key_share_file.unlink()
    with pytest.raises(ConfigError, match=r"restore key-share\.keystore"):
        run_ceremony(three.homes[0], SECRET, wait=0.0, listen=None, say=print)


@pytest.mark.parametrize("wrong", ["attestation", "transcript"])
def test_a_wrong_attestation_names_its_member(three, monkeypatch, wrong):
    real = Identity.sign

    def sign(self, data):
        what = "attestation" if len(data) == 32 else "transcript" if b"/transcript" in data[:32] else None
        return bytes(64) if self.name == "carol" and what == wrong else real(self, data)

    monkeypatch.setattr(Identity, "sign", sign)
    outcomes = three.sit(0, 1, 2)
    for index in (0, 1):
        error = outcomes[index]
        assert (error.reason, error.culprit) == (Reason.KEYGEN_FAILED, "carol")
        assert "is kept" in error.message
        assert three.homes[index].consortium().key is None


def test_an_address_in_use_is_one_line(three):
    host, port = three.consortium.members[0].mesh_address.split(":")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, int(port)))
        taken.listen()
        before = three.contents()
        with pytest.raises(ConfigError) as caught:
            run_ceremony(three.homes[0], SECRET, wait=1.0, listen=None, say=print)
    assert "\n" not in str(caught.value)
    assert three.contents() == before


def test_without_a_consortium_or_with_a_wrong_listen(three):
    with pytest.raises(ConfigError, match="--listen"):
        run_ceremony(three.homes[0], SECRET, wait=1.0, listen="nonsense", say=print)
    three.homes[0].consortium_file.unlink()
    with pytest.raises(ConfigError, match="mpc-party join") as caught:
        run_ceremony(three.homes[0], SECRET, wait=1.0, listen=None, say=print)
    assert caught.value.reason is Reason.CONSORTIUM_INCOMPLETE


def test_a_beginning_of_another_length_is_refused_by_name(three):
    class Links:
        peers = (1, 2)

        def exchange(self, *_):
            return {1: bytes(39), 2: bytes(40)}

    with pytest.raises(ConsortiumError) as caught:
        ceremony.agree_on_ceremony(three.consortium, 0, Links())
    assert (caught.value.reason, caught.value.culprit) == (Reason.KEYGEN_FAILED, "bob")
