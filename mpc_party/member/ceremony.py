"""The key generation ceremony as members run it: together, once, each at its own terminal.

What each state means, and what to do:

    waiting for NAME     that member has not started `mpc-party keygen` yet, or its mesh address is unreachable
    generating           five exchanges, a few milliseconds; an abort names who broke which rule, nothing is stored
    attesting            the share is sealed in this member's folder; every member signs the same key
    done                 the consortium file has the key and all attestations; all members' files are identical

A member attests only after its share is on its disk. So a consortium file with a key, which holds all attestations,
says that no share is missing; and where a ceremony breaks off while members attest, there are two cases:

    some member has the completed file     the others `mpc-party join` that file: their shares are of its key
    no member has it                       all run the ceremony again; its shares replace those of the first

No key of a first ceremony is lost in a second one: it takes all members, and who has a completed file refuses.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import msgspec

from mpc_party.member.connecting import open_mesh
from mpc_party.member.home import PURPOSE_KEY_SHARE, REMEDY_SHARE_LOST, PartyHome
from mpc_party.mesh import Exchange, FrameKind, Mesh, MeshError, deadline_in
from mpc_party.protocol.consortium import Consortium, GroupKey
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import write_atomic
from mpc_party.protocol.group_key import check_group_key
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.keystore import seal
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.signing import KeygenContext, KeyShare, run_keygen

_SESSION = b"mpc-hedge/keygen-session/v1"
_CEREMONY = b"mpc-hedge/keygen-ceremony/v1"
RUN_SECONDS = 30.0
POLL_SECONDS = 2.0
REMEDY_UNFINISHED = (
    "if another member has the group key, `mpc-party join` its consortium file; if none has, run `mpc-party keygen`"
    " again, all together"
)


def run_ceremony(
    folder: PartyHome, passphrase: Passphrase, *, wait: float, listen: str | None, say: Callable[[str], None]
) -> Consortium:
    """The ceremony of this folder's member: generate, seal the share, and write the completed consortium file.

    Raises:
        ConsortiumError: there is a key already, somebody is missing, or a check failed. Unless the error says that
            the share is kept, nothing is stored then.
    """
    identity, consortium = folder.identity(passphrase), folder.consortium()
    own = identity.require_member(consortium)
    if consortium.key is not None:
        complete = folder.has(folder.key_share_file)
        raise ConfigError(
            f"{folder.path} has a consortium file with a group key already",
            remedy="one consortium and epoch has one key; nothing to do" if complete else REMEDY_SHARE_LOST,
        )

    def keep(share: KeyShare) -> None:
        # What an earlier ceremony left here is of no key: see above.
        write_atomic(folder.key_share_file, seal(share.encode(), passphrase, PURPOSE_KEY_SHARE), secret=True)

    mesh = open_mesh(consortium, own, identity, listen=listen, consortium_hash=consortium.roster_hash)
    with mesh:
        completed = generate_group_key(consortium, own, identity, mesh, wait, say, keep)
    with _share_is_kept():
        save_consortium(folder.consortium_file, completed)
    return completed


def generate_group_key(
    consortium: Consortium,
    own: int,
    identity: Identity,
    mesh: Mesh,
    wait: float,
    say: Callable[[str], None],
    keep: Callable[[KeyShare], None],
) -> Consortium:
    """Run the ceremony. Collective: all n members, within `wait` seconds of each other.

    Args:
        mesh: started, under the consortium's roster hash.
        wait: seconds to wait for the other members.
        say: told each state as it is entered.
        keep: stores this member's share durably; called before this member attests.

    Returns:
        The consortium with key and attestations (the same at all members).

    Raises:
        ConsortiumError: who was missing, or who broke which rule.
    """
    members = range(len(consortium.members))
    wait_for_members(mesh, consortium, own, wait, say)
    say("generating")
    session = hashlib.sha256(_SESSION + consortium.roster_hash).digest()
    with mesh.session(session, members, deadline_in(RUN_SECONDS)) as links:
        context = KeygenContext(
            roster_hash=consortium.roster_hash,
            epoch=consortium.epoch,
            threshold=consortium.threshold,
            names=consortium.names,
            ceremony=agree_on_ceremony(consortium, own, links),
        )
        share = run_keygen(links, context)
        keep(share)
        say("attesting")
        with _share_is_kept():
            return attest(consortium, own, identity, share, links)


def agree_on_ceremony(consortium: Consortium, own: int, links: Exchange) -> bytes:
    """32 bytes that name this attempt, fresh as long as one member is honest: a hash over random bytes of each.

    One exchange of 32 bytes to all. Members that were told different bytes refuse each other's next message.

    Raises:
        ConsortiumError: KEYGEN_FAILED with the member that sent something else.
    """
    mine = secrets.token_bytes(32)
    parts = links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, mine), links.peers) | {own: mine}
    for member, part in parts.items():
        if len(part) != len(mine):
            raise ConsortiumError(
                "the beginning of a ceremony has 32 bytes",
                reason=Reason.KEYGEN_FAILED,
                culprit=consortium.names[member],
            )
    ordered = b"".join(parts[member] for member in sorted(parts))
    return hashlib.sha256(_CEREMONY + consortium.roster_hash + ordered).digest()


def wait_for_members(
    mesh: Mesh, consortium: Consortium, own: int, wait: float, say: Callable[[str], None]
) -> None:
    """Connect to all members, saying whom we wait for.

    Raises:
        MeshError: PEER_UNREACHABLE naming who did not come.
    """
    wait_for(mesh, [m for m in range(len(consortium.members)) if m != own], wait, say)


def wait_for(mesh: Mesh, members: Collection[int], wait: float, say: Callable[[str], None]) -> None:
    """Connect to these members of the mesh, saying whom we wait for; raises as `wait_for_members`."""
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
    consortium: Consortium, own: int, identity: Identity, share: KeyShare, links: Exchange
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
            culprit=error.culprit,
        ) from None
    return completed


@contextmanager
def _share_is_kept() -> Iterator[None]:
    """What to do where the ceremony breaks off after this member's share was stored."""
    try:
        yield
    except ConsortiumError as error:
        raise ConsortiumError(
            f"{error.message}; this member's share is kept",
            reason=error.reason,
            culprit=error.culprit,
            remedy=REMEDY_UNFINISHED,
        ) from None


__all__ = [
    "REMEDY_UNFINISHED",
    "attest",
    "generate_group_key",
    "run_ceremony",
    "wait_for",
    "wait_for_members",
]
