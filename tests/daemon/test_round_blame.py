"""A party that falls silent in the computation is named by who waits for it, and nobody else is."""

import threading
from contextlib import ExitStack

import pytest
import torch

from mpc_party.daemon.round_job import mesh_part
from mpc_party.mesh import Mesh, MeshError, deadline_in
from mpc_party.protocol.errors import Reason
from mpc_party.secure import SecureSession, open_shares, relu
from tests.support.mesh_parties import NAMES, members
from tests.support.secure_parties import CONTEXT, give

SESSION = bytes(range(32))
SECONDS = 3.0


def test_committees_of_three_wait_in_order():
    parts = [mesh_part((2, 4, 6), member) for member in (2, 4, 6)]
    assert parts[1] < parts[2] < parts[0] < 1
    assert len({mesh_part((0, 1, 2, 3, 4), member) for member in range(5)}) == 1


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_only_the_silent_one_is_named(silent):
    outcomes = {}
    over = threading.Event()

    def run(member, mesh):
        deadline = deadline_in(SECONDS * mesh_part((0, 1, 2), member))
        try:
            with (
                mesh.session(SESSION, range(3), deadline) as links,
                SecureSession(links, (0, 1, 2), CONTEXT, names=NAMES[:3]).setup() as session,
            ):
                x = give(session, 0, torch.ones(4))
                if member == silent:
                    assert over.wait(2 * SECONDS)
                else:
                    open_shares(relu(x))
        except MeshError as error:
            outcomes[member] = error

    with ExitStack() as stack:
        everyone = stack.enter_context(members(3))
        meshes = [stack.enter_context(Mesh(everyone.config(member))) for member in range(3)]
        threads = [threading.Thread(target=run, args=(m, mesh), daemon=True) for m, mesh in enumerate(meshes)]
        for thread in threads:
            thread.start()
        for member, thread in enumerate(threads):
            if member != silent:
                thread.join(2 * SECONDS)
        over.set()
        threads[silent].join(2 * SECONDS)
    seen = {member: error for member, error in outcomes.items() if member != silent}
    assert set(seen) == {0, 1, 2} - {silent}
    for (
        error
    ) in seen.values():  # by who waited for it, or from hearsay: a party that only heard of it accuses nobody
        first_hand = error.reason is Reason.PEER_TIMEOUT
        assert (error.culprit if first_hand else error.hearsay) == NAMES[silent]
    assert any(error.reason is Reason.PEER_TIMEOUT for error in seen.values())
