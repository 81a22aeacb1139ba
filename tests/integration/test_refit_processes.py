"""A refit between real processes over loopback, and a round with the model that it gave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from coordinator.broker import LocalBroker
from mpc_party.market import DeskView, RecordedChain
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.protocol.report import decode_report
from mpc_party.protocol.words import unpack_params
from mpc_party.refit.agreement import RefitParameters
from mpc_party.refit.equations import pooled_weights
from mpc_party.refit.history import desk_equations
from tests.support.caller import calling
from tests.support.joint import make_proposal
from tests.support.recordings import moment, write_recording
from tests.support.refits import rebuild
from tests.support.world import PASSPHRASE, World, build_world, running

pytestmark = pytest.mark.integration

MOMENTS = 30
DEADLINE = 60.0


@contextmanager
def refitting(world, *options, names=("alice", "bob", "carol")):
    """`mpc-party refit` of these members, as processes that are ended whatever happens."""
    processes = {}
    try:
        for name in names:
            command = [
                sys.executable,
                "-m",
                "mpc_party",
                "refit",
                "--home",
                str(world.home(name).path),
                "--json",
            ]
            processes[name] = subprocess.Popen(
                [*command, "--desk-seed", f"desk of {name}", *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"MPC_PASSPHRASE": PASSPHRASE, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        yield processes
    finally:
        for process in processes.values():
            process.kill()
        for process in processes.values():
            process.communicate(timeout=20)


def finish(process):
    output, errors = process.communicate(timeout=DEADLINE)
    assert "Traceback" not in errors
    return process.returncode, output, errors


def test_three_processes_refit_and_the_next_round_hedges_by_the_new_model(tmp_path):
    file = write_recording(tmp_path / "chain.csv", MOMENTS)
    with LocalBroker() as broker:
        world = build_world(tmp_path / "world", broker.url)
        window = ("--from", "2026-01-01", "--ridge", "0.04", "--half-life", "10")
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
        with refitting(
            world, "--market", f"recorded:{file}", "--at", at, "--wait", "30", *window
        ) as processes:
            ends = {name: finish(process) for name, process in processes.items()}
        for name, (code, _, errors) in ends.items():
            assert code == 0, (name, errors)
            assert "desk of" not in errors
        (model,) = {json.loads(output)["model"] for _, output, _ in ends.values()}
        assert model != world.consortium.model

        # In the clear, as nobody can in earnest: the desks' own data pooled, and the weights from two members' shares.
        source = RecordedChain(file)
        parameters = RefitParameters("BTC", ridge=0.04, half_life=10.0, start=1_767_225_600)
        desks = [
            desk_equations(
                DeskView(source, f"desk of {name}"), parameters, world.consortium.program.max_quote_age
            )
            for name in world.consortium.names
        ]
        expected = pooled_weights(desks, parameters.ridge)
        consortium = load_consortium(world.home("bob").consortium_file)
        assert consortium.model == model
        shares = [
            world.home(name).model_share(world.identities[index], consortium, index)
            for index, name in enumerate(consortium.names[:2])
        ]
        weights = rebuild(shares)
        assert np.abs(weights - expected).max() < 6e-5

        refitted = World(world.path, consortium, world.coordinator, world.identities)
        params = asyncio.run(one_round(refitted, file, source))
        proposed = make_proposal(source, moment(MOMENTS - 1))
        sides = np.array([instrument.call for instrument in proposed.instruments])
        delta, hedge, vega = (
            np.array(params[name], dtype=np.float64) for name in ("bs_delta", "hedge_delta", "vega")
        )
        years = np.array(
            [proposed.expiries[i.expiry].expiry - proposed.observed_at for i in proposed.instruments]
        )
        density = vega * 1e-8 / np.sqrt(years / (365 * 86_400))
        call_delta = delta * 1e-6 + np.where(sides, 0.0, 1.0)
        adjustment = density * (weights @ np.stack([np.ones_like(call_delta), call_delta, call_delta**2]))
        assert np.abs(adjustment).max() > 0.05
        assert np.abs((hedge - delta) * 1e-6 - adjustment).max() < 1e-3


async def one_round(world, file, source):
    market = ("--market", f"recorded:{file}")
    with running(world, world.consortium.names, *market):
        async with calling(world) as caller:
            await caller.members_online(*world.consortium.names)
            results = await caller.round(make_proposal(source, moment(MOMENTS - 1)))
            assert len({result.digest for result in results.values()}) == 1
            return unpack_params(decode_report(results["alice"].report).params)


@pytest.mark.slow
def test_a_refit_that_is_interrupted_or_alone_leaves_the_old_model(tmp_path):
    file = write_recording(tmp_path / "chain.csv", MOMENTS)
    world = build_world(tmp_path / "world", "mqtt://127.0.0.1:9")
    before = {path.name: path.read_bytes() for path in world.home("alice").path.iterdir()}
    far = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    with refitting(world, "--market", f"recorded:{file}", "--at", far, names=("alice",)) as processes:
        process = processes["alice"]
        for line in process.stderr:
            if "waiting until" in line:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
    with refitting(world, "--market", f"recorded:{file}", "--wait", "0.5", names=("alice",)) as processes:
        code, output, errors = finish(processes["alice"])
    assert code == 3
    assert output == ""
    assert "bob" in errors
    assert {path.name: path.read_bytes() for path in world.home("alice").path.iterdir()} == before


def test_a_wrong_time_or_no_market_is_one_line(tmp_path):
    world = build_world(tmp_path / "world", "mqtt://127.0.0.1:9")
    for options, message in ((("--at", "tomorrow"), "--at: not a time"), ((), "no market source")):
        with refitting(world, *options, names=("alice",)) as processes:
            code, output, errors = finish(processes["alice"])
        assert code == 2
        assert output == ""
        assert message in errors
        assert len(errors.strip().splitlines()) <= 3
