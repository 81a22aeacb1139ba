"""A member leaves and another joins between two rounds on one contract: the whole story, by the commands that tell it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest
from web3.exceptions import ContractLogicError

from coordinator.book import MarketBook, make_book
from coordinator.broker import LocalBroker
from coordinator.cli import app as coordinator
from coordinator.history import History
from coordinator.home import CoordinatorHome
from coordinator.settlement import Settlement
from coordinator.settlement.founding import SuiteOptions
from mpc_party.cli import app as party
from mpc_party.market import SimulatedMarket
from mpc_party.protocol.card import save_card
from mpc_party.protocol.compact import compact, compact_signature
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.eip712 import keccak_of
from mpc_party.protocol.identity import CoordinatorIdentity
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.protocol.report import decode_report
from tests.support.caller import calling
from tests.support.chains import embedded_chain, rpc
from tests.support.command_lines import call
from tests.support.party_homes import quick_keystores
from tests.support.signed_group import book_words
from tests.support.world import PASSPHRASE, World, build_world, free_ports, running

pytestmark = pytest.mark.integration

MARKET = "simulated:11"
WINDOW, DELAY, OVERLAP = 60, 120, 30  # seconds of the chain's clock
TERMS = ("--action-delay", DELAY, "--challenge-window", WINDOW)
DEADLINE = 90.0
CAST = ("alice", "bob", "carol", "dave")
RETIRED = keccak_of(b"KeyRetired(uint256,uint256)")[:4].hex()
OLD, NEW = ("alice", "bob", "carol"), ("alice", "carol", "dave")


def test_a_member_is_replaced_and_the_next_epoch_settles_on_the_same_contract(tmp_path, monkeypatch):
    identity = CoordinatorIdentity.generate()
    with LocalBroker() as broker, embedded_chain([identity.account]) as url, quick_keystores():
        world = founded(tmp_path, broker.url, url, identity)
        home = CoordinatorHome(tmp_path / "coordinator")
        for name, value in {
            "MPC_PASSPHRASE": PASSPHRASE,
            "MPC_RPC_URL": url,
            "MPC_COORDINATOR_HOME": str(home.path),
            "COLUMNS": "200",
        }.items():
            monkeypatch.setenv(name, value)
        old_file = tmp_path / "old.toml"
        shutil.copy(home.consortium_file, old_file)

        # Epoch 1: a round settles. Another is signed, and the coordinator is gone before it settles.
        with running(world, OLD, "--market", MARKET):
            first = settled_round("round")
            late = asyncio.run(signed_round(world, first["round"] + 1))
        interrupted(home, late)

        # The operator makes the next file; the members sign what the contract must follow, and it is scheduled.
        next_file = next_consortium_file(world, home)
        rotation = signed(world, tmp_path / "rotate", "rotate", *rotation_of(world))
        accounts = {m.name: m.account for m in load_consortium(next_file).members}
        governing = [item for name in NEW for item in ("--member", accounts[name])]
        members = signed(world, tmp_path / "members", "members", *governing, "--quorum", 2)
        for paths in (rotation, members):
            assert done(coordinator, "act", "schedule", *paths, "--json")["doubt"] is None
        wait(url, DELAY)

        # The ceremony, and the contract after it. The rotation first: new members void what the old ones scheduled.
        fingerprints = reshared(world, next_file, old_file)
        assert len(fingerprints) == 1
        new_file = world.home("dave").consortium_file
        refused = call(coordinator, "contracts", "--consortium", new_file, *TERMS)
        assert (refused.status, "act execute" in refused.text) == (1, True)
        for paths in (rotation, members):
            done(coordinator, "act", "execute", paths[0], "--json")
        refused = call(coordinator, "contracts", *TERMS)
        assert (refused.status, "present consortium file" in refused.text) == (1, True)
        shutil.copy(new_file, home.consortium_file)
        new = load_consortium(new_file)
        check_contracts(new, world)
        check_governing(world, tmp_path)

        # A report of epoch 1 is good until its overlap is over.
        would_settle(url, new, late)
        wait(url, OVERLAP)
        with pytest.raises(ContractLogicError, match=RETIRED):
            would_settle(url, new, late)

        # Epoch 2: numbers go on above those of epoch 1, and what was not settled is given up.
        check_folders(world, old_file)
        changed = World(world.path, new, world.coordinator, [])
        with running(changed, NEW, "--market", MARKET):
            second = settled_round("serve", "--count", 1)
        check_second(world, home, second, late, url)
        check_reports(tmp_path, first["round"], old_file)


# Epoch 1


def founded(tmp_path, broker, url, identity):
    """A consortium with its contracts, and the operator's folder."""

    def settle(consortium, coordinator):
        options = SuiteOptions(action_delay=DELAY, challenge_window=WINDOW)
        return Settlement(url, consortium, coordinator.evm_account()).deploy(options).section

    program = Program(max_instruments=40)
    world = build_world(tmp_path / "world", broker, program=program, settle=settle, coordinator=identity)
    for one in world.identities:  # as `init` leaves it
        card = one.card()
        save_card(world.home(one.name).path / card.file_name, card)
    home = CoordinatorHome(tmp_path / "coordinator")
    home.make()
    identity.save(home.identity_file, Passphrase(PASSPHRASE))
    save_consortium(home.consortium_file, world.consortium)
    return world


def settled_round(*command):
    """A round by `mpc-coordinator` as a process, which waits for the parties that start beside it."""
    with program("coordinator", *command, "--market", MARKET, "--gather", 60, "--json") as process:
        output, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    said = json.loads(output)
    assert said["state"] == "settled"
    return said


async def signed_round(world, number):
    """A round that is proposed and signed, and comes to no chain."""
    market = MarketBook(SimulatedMarket(11)).observe(int(time.time()), retry=False)
    book = make_book(market, {}, world.consortium.program)
    proposal = book.proposal(number, 1, (0, 1, 2), 8_000)
    async with calling(world) as caller:
        await caller.members_online(*OLD)
        results = await caller.round(proposal)
    return proposal, next(iter(results.values()))


def interrupted(home, late):
    """What a coordinator leaves that is killed between a signed report and the chain."""
    proposal, result = late
    with History(home.history_file) as history:
        history.start(proposal.round, proposal.round, 1, OLD)
        history.update(
            proposal.round, report=result.report, signature=result.signature, book=book_words(proposal)
        )


# Between the epochs


def next_consortium_file(world, home):
    """Dave makes keys, and the operator a file in which he takes Bob's place."""
    (port,) = free_ports(1)
    made = done(party, "init", "dave", "--mesh", f"127.0.0.1:{port}", *at(world, "dave"), "--json")
    assert made["name"] == "dave"
    card = world.home("dave").path / "dave.member.toml"
    said = done(
        coordinator, "create", "--previous", home.consortium_file, "--remove", "bob", "--member", card, "--json"
    )  # fmt: skip
    assert (said["epoch"], said["members"]) == (2, list(NEW))
    return said["consortium"]


def rotation_of(world):
    return ("--group-key", world.consortium.group_address, "--new-epoch", 2, "--overlap", OVERLAP)


def signed(world, folder, *arguments):
    """A quorum's files of one action. Bob governs as long as he is a member."""
    folder.mkdir()
    paths = [folder / f"{name}.json" for name in ("alice", "bob")]
    done(party, "sign-action", *arguments, *at(world, "alice"), "--out", paths[0], "--yes", "--json")
    done(party, "sign-action", "--from", paths[0], *at(world, "bob"), "--out", paths[1], "--yes", "--json")
    return paths


def reshared(world, next_file, old_file):
    """`mpc-party reshare` of all four as processes; gives what fingerprints they say."""
    found = {}
    with ExitStack() as stack:
        processes = {}
        for name in CAST:
            joins = ("--from", old_file) if name == "dave" else ()
            arguments = ("reshare", next_file, *joins, *at(world, name), "--wait", 60, "--json")
            processes[name] = stack.enter_context(program("mpc_party", *arguments))
        for name, process in processes.items():
            output, errors = process.communicate(timeout=DEADLINE)
            assert process.returncode == 0, (name, errors)
            found[name] = json.loads(output)
    assert {one["address"] for one in found.values()} == {world.consortium.group_address}
    assert {name for name, one in found.items() if one["member"]} == set(NEW)
    return {one["fingerprint"] for one in found.values()}


# After it


def check_contracts(new, world):
    """What the operator sees, with the options of the deployment: all contracts, the bond with them."""
    said = done(coordinator, "contracts", *TERMS, "--json")
    assert (said["epoch"], said["group_key"]) == (2, world.consortium.group_address)
    assert (said["members"], said["quorum"]) == (3, 2)
    assert (said["sequence"], said["final_sequence"]) == (1, 1)
    assert "ConsortiumBond" in {each["name"] for each in said["contracts"]}
    assert (new.settlement, new.group_address) == (world.consortium.settlement, said["group_key"])


def check_governing(world, folder):
    """Dave decides with the others now, and Bob no longer does."""
    for name, status in (("dave", 0), ("bob", 2)):
        out = ("--out", folder / f"unpause.{name}.json", "--yes")
        said = call(party, "sign-action", "unpause", *out, *at(world, name))
        assert (said.status, "is not a member" in said.text) == (status, status != 0), said.text


def check_folders(world, old_file):
    """Shares are where they should be, and `status` says so; an old file starts nothing."""
    for name in CAST:
        home, said = world.home(name), done(party, "status", *at(world, name), "--json")
        assert (said["consortium"]["epoch"], said["problems"]) == (2, [])
        assert said["ready"] == (name in NEW), said
        for file in (home.key_share_file, home.model_share_file):
            assert file.exists() == (name in NEW), file
    left = call(party, "status", *at(world, "bob"))
    assert "has left" in left.text, left.text
    run = ("run", "--market", MARKET)
    refused = call(party, *run, *at(world, "bob"))
    assert (refused.status, "bob" in refused.text) == (2, True), refused.text
    home = world.home("alice")
    present = home.consortium_file.read_bytes()
    shutil.copy(old_file, home.consortium_file)
    refused = call(party, *run, *at(world, "alice"))
    assert (refused.status, "has seen epoch 2" in refused.text) == (2, True), refused.text
    said = done(party, "status", *at(world, "alice"), "--json")
    assert (said["ready"], "has seen epoch 2" in said["problems"][0]) == (False, True)
    home.consortium_file.write_bytes(present)
    refused = call(party, "join", old_file, *at(world, "alice"))
    assert (refused.status, home.consortium_file.read_bytes()) == (2, present), refused.text


def check_second(world, home, second, late, url):
    """The round of epoch 2 is on the contract; that of epoch 1 that was late is aborted, and its number not used again."""
    assert second["round"] > late[0].round
    assert set(second["committee"]) == set(NEW)
    with History(home.history_file, read_only=True) as history:
        rows = {row.round: row for row in history.rounds()}
    report = decode_report(rows[second["round"]].report)
    assert report.epoch == 2
    new = load_consortium(home.consortium_file)
    stored = Settlement(url, new).read_back()
    assert (stored.round, stored.epoch, stored.sequence) == (second["round"], 2, 2)
    given_up = rows[late[0].round]
    assert (given_up.state, "KeyRetired" in given_up.detail) == ("aborted", True)
    said = done(party, "status", *at(world, "dave"), "--json")
    assert [one["round"] for one in said["rounds"]] == [second["round"]]


def check_reports(folder, number, old_file):
    """A report of epoch 1 is still what it was, by the consortium file of its epoch."""
    path = folder / "report.json"
    assert call(coordinator, "history", "--export", number, "--out", path).status == 0
    refused = call(coordinator, "verify", path)
    assert (refused.status, "file of its own epoch" in refused.text) == (1, True), refused.text
    said = done(coordinator, "verify", path, "--consortium", old_file, "--json")
    assert (said["valid"], said["epoch"]) == (True, 1)


def would_settle(url, new, late):
    """Ask the contract about a report as anyone may, without sending it."""
    report, signature = decode_report(late[1].report), late[1].signature
    short = compact(report)
    contract = Settlement(url, new).contract()
    contract.functions.settle(short.core, list(short.words), *compact_signature(signature)).call()


# How


def at(world, name):
    return ("--home", world.home(name).path)


def done(app, *arguments):
    said = call(app, *arguments)
    assert said.status == 0, said.text
    return said.json


@contextmanager
def program(module, *arguments):
    """A command as a process, ended whatever happens."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=20)


def wait(url, seconds):
    """Time of the chain passes, from its last block on: after several blocks in a second it is ahead of the wall's."""
    last = rpc(url, "eth_getBlockByNumber", "latest", False)
    rpc(url, "evm_setNextBlockTimestamp", int(last["timestamp"], 16) + seconds)
    rpc(url, "evm_mine")
