"""The key generation ceremony as members run it: together, once, each at its own terminal.

What each state means, and what to do:

    waiting for NAME     that member has not started `mpc-party keygen` yet, or its mesh address is unreachable
    generating           four exchanges, a few milliseconds; an abort names who broke which rule, nothing is stored
    attesting            every member signs the same key; the consortium file gets the key and all attestations
    done                 the share is sealed in this member's folder; all members' files are identical

A ceremony that fails leaves nothing behind: run it again.
"""

import hashlib
import time
from collections.abc import Callable

import msgspec

from mpc_party.member.connecting import open_mesh
from mpc_party.member.home import PURPOSE_KEY_SHARE, PartyHome
from mpc_party.mesh import FrameKind, Mesh, MeshError, MeshSession, deadline_in
from mpc_party.protocol.consortium import Consortium, GroupKey
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import write_atomic
from mpc_party.protocol.group_key import check_group_key
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.keystore import seal
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.signing import KeygenContext, KeyShare, run_keygen

_CEREMONY = b"mpc-hedge/keygen-ceremony/v1"
RUN_SECONDS = 30.0
POLL_SECONDS = 2.0


def run_ceremony(
    folder: PartyHome, passphrase: Passphrase, *, wait: float, listen: str | None, say: Callable[[str], None]
) -> Consortium:
    """The ceremony of this folder's member: generate, seal the share, and write the completed consortium file.

    Raises:
        ConsortiumError: there is a key already, somebody is missing, or a check failed. Nothing is stored then.
    """
    identity, consortium = folder.identity(passphrase), folder.consortium()
    own = identity.require_member(consortium)
    if consortium.key is not None or folder.key_share_file.exists():
        raise ConfigError(
            f"{folder.path} has a group key already",
            remedy="one consortium and epoch has one key; nothing to do",
        )
    mesh = open_mesh(consortium, own, identity, listen=listen, consortium_hash=consortium.roster_hash)
    with mesh:
        share, completed = generate_group_key(consortium, own, identity, mesh, wait, say)
    # The share first: a file that names the key without a share behind it would be of no use.
    write_atomic(
        folder.key_share_file,
        seal(share.encode(), passphrase, PURPOSE_KEY_SHARE),
        secret=True,
        overwrite=False,
    )
    save_consortium(folder.consortium_file, completed)
    return completed


def generate_group_key(
    consortium: Consortium, own: int, identity: Identity, mesh: Mesh, wait: float, say: Callable[[str], None]
) -> tuple[KeyShare, Consortium]:
    """Run the ceremony. Collective: all n members, within `wait` seconds of each other.

    Args:
        mesh: started, under the consortium's roster hash.
        wait: seconds to wait for the other members.
        say: told each state as it is entered.

    Returns:
        This member's share, and the consortium with key and attestations (the same at all members).

    Raises:
        ConsortiumError: who was missing, or who broke which rule.
    """
    members = range(len(consortium.members))
    wait_for_members(mesh, consortium, own, wait, say)
    say("generating")
    ceremony = hashlib.sha256(
        _CEREMONY + consortium.roster_hash + consortium.epoch.to_bytes(8, "big")
    ).digest()
    with mesh.session(ceremony, members, deadline_in(RUN_SECONDS)) as links:
        context = KeygenContext(
            roster_hash=consortium.roster_hash,
            epoch=consortium.epoch,
            threshold=consortium.threshold,
            names=consortium.names,
            ceremony=ceremony,
        )
        share = run_keygen(links, context)
        say("attesting")
        completed = attest(consortium, own, identity, share, links)
    return share, completed


def wait_for_members(
    mesh: Mesh, consortium: Consortium, own: int, wait: float, say: Callable[[str], None]
) -> None:
    """Connect to all members, saying whom we wait for.

    Raises:
        MeshError: PEER_UNREACHABLE naming who did not come.
    """
    members = [m for m in range(len(consortium.members)) if m != own]
    end = time.monotonic() + wait
    while (left := end - time.monotonic()) > POLL_SECONDS:
        try:
            mesh.connect(members, deadline_in(POLL_SECONDS))
        except MeshError as error:
            if error.reason is not Reason.PEER_UNREACHABLE:
                raise
            say(f"waiting for {', '.join(error.peers)} ({left:.0f} s left)")
        else:
            return
    mesh.connect(members, deadline_in(POLL_SECONDS))


def attest(
    consortium: Consortium, own: int, identity: Identity, share: KeyShare, links: MeshSession
) -> Consortium:
    """Exchange signatures over the new key, so that the consortium file proves that all members hold it.

    Raises:
        ConsortiumError: KEYGEN_FAILED with the member whose attestation does not verify.
    """
    mine = identity.sign(share.attestation)
    signatures = links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, mine), links.peers) | {
        own: mine
    }
    key = GroupKey(
        public_key=share.public_key.hex(),
        public_shares=tuple(point.hex() for point in share.public_shares),
        attestations=tuple(signatures[m].hex() for m in range(len(consortium.members))),
    )
    completed = msgspec.structs.replace(consortium, key=key)
    try:
        check_group_key(completed, key)
    except ConsortiumError as error:
        raise ConsortiumError(
            f"the members do not attest to one key: {error.message}",
            reason=Reason.KEYGEN_FAILED,
            remedy="nothing was stored; run the ceremony again",
        ) from None
    return completed


__all__ = ["attest", "generate_group_key", "wait_for_members"]
