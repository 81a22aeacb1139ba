"""Changes of members between real processes over loopback, deaths in the middle, and a round in the new epoch."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import contextmanager

import msgspec
import pytest
import structlog
from typer.testing import CliRunner

from coordinator.broker import LocalBroker
from mpc_party.cli import app
from mpc_party.market import RecordedChain
from mpc_party.member.epoch_switch import pending_folders
from mpc_party.protocol.committees import next_round
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.eip712 import report_digest, verify_signature
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.protocol.report import decode_report
from mpc_party.resharing.successor import successor
from tests.support.caller import calling
from tests.support.joint import make_proposal
from tests.support.recordings import moment, write_recording
from tests.support.world import NAMES, PASSPHRASE, World, build_world, free_ports, running

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DEADLINE = 90.0


@pytest.fixture(autouse=True)
def logging_as_before():
    """A command run in process logs to a stream that is gone afterwards."""
    yield
    structlog.reset_defaults()


def command(world, name, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "mpc_party", *map(str, arguments), "--home", str(world.home(name).path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"MPC_PASSPHRASE": PASSPHRASE},
        start_new_session=True,
    )


@contextmanager
def resharing(world, names, *arguments):
    """`mpc-party reshare` of these members, as processes that are ended whatever happens."""
    processes = {}
    try:
        for name in names:
            given = () if name in world.consortium.names else ("--from", world.consortium_file)
            processes[name] = command(world, name, "reshare", *arguments, *given, "--json", "--wait", "40")
        yield processes
    finally:
        for process in processes.values():
            process.kill()
        for process in processes.values():
            process.communicate(timeout=20)


def ends(processes):
    found = {}
    for name, process in processes.items():
        output, errors = process.communicate(timeout=DEADLINE)
        assert "Traceback" not in errors, errors
        found[name] = (process.returncode, output, errors)
    return found


def with_joiners(world, *names):
    """Folders with keys only."""
    identities = []
    for name, port in zip(names, free_ports(len(names)), strict=True):
        identity = Identity.generate(name, f"127.0.0.1:{port}")
        world.home(name).path.mkdir()
        identity.save(world.home(name).identity_file, Passphrase(PASSPHRASE))
        identities.append(identity)
    return identities


def next_file(world, identities, keep, threshold):
    new = successor(
        world.consortium,
        keep=keep,
        joining=[identity.member for identity in identities],
        threshold=threshold,
    )
    path = world.path / "next.toml"
    save_consortium(path, new)
    return path


def check_new(world, new_names, cast):
    """All have come to one new epoch; what is left of the old one is no share."""
    (new,) = {load_consortium(world.home(name).consortium_file) for name in cast}
    assert (new.names, new.epoch) == (tuple(new_names), 2)
    assert new.group_address == world.consortium.group_address
    for name in cast:
        home = world.home(name)
        assert not pending_folders(home)
        assert home.key_share_file.exists() == (name in new_names)
    return new


def test_members_join_and_leave_and_their_transcript_verifies(tmp_path):
    world = build_world(tmp_path / "world", "mqtt://127.0.0.1:9")
    path = next_file(world, with_joiners(world, "dave"), ["alice", "carol"], 1)
    cast = NAMES[:4]
    with resharing(world, cast, path) as processes:
        found = ends(processes)
    for name, (code, _, errors) in found.items():
        assert code == 0, (name, errors)
    said = {name: json.loads(output) for name, (_, output, _) in found.items()}
    (fingerprint,) = {one["fingerprint"] for one in said.values()}
    assert {name for name, one in said.items() if one["member"]} == {"alice", "carol", "dave"}
    check_new(world, ["alice", "carol", "dave"], cast)
    file = ["--consortium", str(world.home("dave").consortium_file)]
    verified = CliRunner().invoke(app, ["transcript", "verify", said["bob"]["transcript"], *file])
    assert (verified.exit_code, verified.stderr.count(fingerprint)) == (0, 1)


def test_the_next_round_is_signed_for_the_same_address(tmp_path):
    file = write_recording(tmp_path / "chain.csv", 30)
    with LocalBroker() as broker:
        world = build_world(tmp_path / "world", broker.url)
        joiners = with_joiners(world, "dave", "erin")
        path = next_file(world, joiners, ["alice", "carol"], 1)
        with resharing(world, NAMES[:5], path) as processes:
            found = ends(processes)
        assert {code for code, _, _ in found.values()} == {0}, found
        new = check_new(world, ["alice", "carol", "dave", "erin"], NAMES[:5])
        identities = {one.name: one for one in (*world.identities, *joiners)}
        changed = World(world.path, new, world.coordinator, [identities[name] for name in new.names])
        result = asyncio.run(one_round(changed, file))
    report = decode_report(result.report)
    assert report.epoch == 2
    digest = report_digest(report, new.settlement.chain_id, new.settlement.contract)
    # The key of the old consortium file, at its old address.
    verify_signature(digest, result.signature, world.consortium.group_address)


async def one_round(world, file):
    with running(world, world.consortium.names, "--market", f"recorded:{file}"):
        async with calling(world) as caller:
            await caller.members_online(*world.consortium.names)
            committee = (0, 2, 3)  # alice, and those that joined
            proposal = make_proposal(RecordedChain(file), moment(29), committee)
            number = next_round(committee, len(world.consortium.members), 0)
            proposal = msgspec.structs.replace(proposal, epoch=2, round=number)
            results = await caller.round(proposal)
            assert len({result.digest for result in results.values()}) == 1
            return next(iter(results.values()))


@pytest.mark.parametrize("state", ["resharing the key", "attesting", "switching"])
def test_a_member_that_is_killed_in_the_middle_comes_to_the_same_end(tmp_path, state):
    world = build_world(tmp_path / "world", "mqtt://127.0.0.1:9")
    joiners = with_joiners(world, "dave", "erin")
    cast = NAMES[:5]
    path = next_file(world, joiners, ["alice", "bob", "carol"], 2)
    with resharing(world, cast, path) as processes:
        victim = processes["bob"]
        for line in victim.stderr:
            if state in line:
                break
        victim.kill()
        for name, process in processes.items():
            if name != "bob":
                process.communicate(timeout=DEADLINE)
        victim.wait(DEADLINE)
    with resharing(world, cast, path) as processes:
        found = ends(processes)
    assert {code for code, _, _ in found.values()} == {0}, found
    new = check_new(world, cast, cast)
    assert new.threshold == 2
