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

All members sign the transcript of the ceremony as well; it stays in each folder as `keygen-EPOCH.transcript`, and they read its
fingerprint to each other. `--after-round` goes into it: where rounds were run before with another key, all rounds up to there
count as closed in every member's journal from the moment that its share is stored.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import msgspec

from mpc_party.member.connecting import open_mesh
from mpc_party.member.epoch_switch import transcript_file
from mpc_party.member.evidence_files import evidence_kept
from mpc_party.member.floors import close_rounds
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
from mpc_party.resharing.beginning import compare_names
from mpc_party.resharing.recorded import KEYGEN_STEPS, Recorded
from mpc_party.resharing.signing_together import sign_together
from mpc_party.resharing.transcript import (
    CastMember,
    Transcript,
    TranscriptBody,
    certificate,
    ordered_broadcasts,
)
from mpc_party.signing import KeygenContext, KeyShare, MessageKeys, run_keygen
from mpc_party.signing.channel import SignedMessage

_SESSION = b"mpc-hedge/keygen-session/v1"
_CEREMONY = b"mpc-hedge/keygen-ceremony/v1"
RUN_SECONDS = 30.0
POLL_SECONDS = 2.0
REMEDY_UNFINISHED = (
    "if another member has the group key, `mpc-party join` its consortium file; if none has, run `mpc-party keygen`"
    " again, all together"
)


def run_ceremony(
    folder: PartyHome,
    passphrase: Passphrase,
    *,
    wait: float,
    listen: str | None,
    say: Callable[[str], None],
    after_round: int = 0,
) -> Consortium:
    """The ceremony of this folder's member: generate, seal the share, and write the completed consortium file.

    Args:
        folder: of a member that has joined.
        passphrase: of its keys.
        wait: seconds to wait for the others.
        listen: HOST:PORT to bind instead of the address in the file.
        say: told each state as it is entered.
        after_round: rounds begin above it; the same at all members.

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
        if after_round:
            close_rounds(folder, consortium, after_round, "key generation, --after-round")

    def publish(transcript: Transcript) -> None:
        write_atomic(transcript_file(folder, transcript.body), transcript.encode())

    mesh = open_mesh(consortium, own, identity, listen=listen, consortium_hash=consortium.roster_hash)
    with evidence_kept(folder.path), mesh:
        completed = generate_group_key(
            consortium, own, identity, mesh, wait, say, keep, publish, after_round=after_round
        )
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
    publish: Callable[[Transcript], None],
    *,
    after_round: int,
) -> Consortium:
    """Run the ceremony. Collective: all n members, within `wait` seconds of each other.

    Args:
        mesh: started, under the consortium's roster hash.
        wait: seconds to wait for the other members.
        say: told each state as it is entered.
        keep: stores this member's share durably; called before this member attests.
        publish: stores the transcript; called before the key is complete here.
        after_round: rounds begin above it; all must give the same.

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
            ceremony=agree_on_ceremony(consortium, own, links, after_round),
        )
        recorded = Recorded(links, KEYGEN_STEPS)
        keys = {index: bytes.fromhex(member.signing_key) for index, member in enumerate(consortium.members)}
        share = run_keygen(recorded, context, MessageKeys(identity.sign, keys))
        keep(share)
        say("attesting")
        with _share_is_kept():
            body = transcript_of(
                consortium, context, share, recorded.broadcasts(context.session), after_round
            )
            signatures = sign_together(links, body, identity.sign, Reason.KEYGEN_FAILED)
            completed = attest(consortium, own, identity, share, links)
            publish(_certified(completed, body, signatures))
            return completed


def transcript_of(
    consortium: Consortium,
    context: KeygenContext,
    share: KeyShare,
    broadcasts: list[SignedMessage],
    after_round: int,
) -> TranscriptBody:
    """The transcript of a first key, equal at all members."""
    members = context.members
    return TranscriptBody(
        version=1,
        kind="keygen",
        consortium=consortium.id_bytes,
        ceremony=context.ceremony,
        old_hash=None,
        old_epoch=None,
        new_roster=consortium.roster_hash,
        new_epoch=consortium.epoch,
        cast=tuple(
            CastMember(member.name, bytes.fromhex(member.signing_key), None, index)
            for index, member in enumerate(consortium.members)
        ),
        participants=members,
        dealers=members,
        broadcasts=ordered_broadcasts(broadcasts),
        threshold=consortium.threshold,
        public_key=share.public_key,
        public_shares=share.public_shares,
        old_model=None,
        new_model=None,
        floor=after_round,
    )


def _certified(completed: Consortium, body: TranscriptBody, signatures: dict[int, bytes]) -> Transcript:
    if completed.key is None:
        raise ConsortiumError("a completed file without a key", reason=Reason.INTERNAL)
    attestations = dict(enumerate(bytes.fromhex(text) for text in completed.key.attestations))
    return certificate(body, signatures, attestations)


def agree_on_ceremony(consortium: Consortium, own: int, links: Exchange, after_round: int = 0) -> bytes:
    """32 bytes that name this attempt, fresh as long as one member is honest: a hash over random bytes of each.

    Two exchanges to all. 40 bytes: 32 random ones, and the round after which this member begins, which must be the same at
    all. Then the name.

    Raises:
        ConsortiumError: KEYGEN_FAILED with the member that sent something else; CONFIG_INVALID for another round; CEREMONY_FAILED
            where members were told different bytes.
    """
    mine = secrets.token_bytes(32) + after_round.to_bytes(8, "big")
    parts = links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, mine), links.peers) | {own: mine}
    for member, part in parts.items():
        if len(part) != len(mine):
            raise ConsortiumError(
                f"the beginning of a ceremony has {len(mine)} bytes",
                reason=Reason.KEYGEN_FAILED,
                culprit=consortium.names[member],
            )
        if (theirs := int.from_bytes(part[32:], "big")) != after_round:
            raise ConfigError(
                f"--after-round: {consortium.names[member]} gives {theirs}, this member {after_round}",
                remedy="all members give the same; nothing is stored",
            )
    ordered = b"".join(parts[member] for member in sorted(parts))
    ceremony = hashlib.sha256(_CEREMONY + consortium.roster_hash + ordered).digest()
    compare_names(links, ceremony, consortium.names)
    return ceremony


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
