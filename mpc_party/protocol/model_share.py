"""How a model travels: replicated shares of its weights, one file per member, under one public commitment.

Replicated (CNF) sharing of x in Z_2^64 among n members with threshold t: for each subset A of size t there is one
component x_A, uniformly random but for their sum, known to every member outside A; x = sum of all x_A. Any t + 1
members hold all components; t members lack the component of a subset that contains them all.
Source: Ito, Saito, Nishizeki, "Secret sharing scheme realizing general access structure", 1987.

The public commitment is SHA-256 over the header and, per subset, a salted SHA-256 of its component; holders of a
component know its salt, so each member checks every component it was given. A component's hash says nothing of it
to who lacks the salt (32 random bytes). Files are encrypted to the member's X25519 key (age).
"""

import hashlib
import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Never

import msgspec
import pyrage
from msgspec import Meta

from mpc_party.protocol.errors import ConsortiumError, Reason

VERSION = 1
MAX_WEIGHTS = 1 << 20
MAX_FILE = 64 << 20
_MAX_CONTENT = MAX_FILE - (1 << 16)  # leaves room for the encryption's header and tags
_COMPONENT = b"mpc-hedge/model-component/v1"
_MODEL = b"mpc-hedge/model/v1"
_WORD = 8
_MODULUS = 1 << 64


class ModelShareError(ConsortiumError):
    """A share of a model does not open, does not fit its commitment, or is for somebody else."""

    default_reason = Reason.MODEL_MISMATCH


class ModelHeader(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is public of a model besides its commitment. `kind` names the program that reads the weights."""

    version: int
    consortium: Annotated[bytes, Meta(min_length=32, max_length=32)]
    epoch: Annotated[int, Meta(ge=1)]
    kind: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}$")]
    count: Annotated[int, Meta(ge=1, le=MAX_WEIGHTS)]
    fraction_bits: Annotated[int, Meta(ge=12, le=20)]
    members: Annotated[int, Meta(ge=3, le=7)]
    threshold: Annotated[int, Meta(ge=1, le=3)]


class _Component(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    subset: tuple[int, ...]
    salt: Annotated[bytes, Meta(min_length=32, max_length=32)]
    words: bytes


class _ShareFile(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="model-share"):
    header: ModelHeader
    member: Annotated[int, Meta(ge=0, lt=7)]
    leaves: tuple[Annotated[bytes, Meta(min_length=32, max_length=32)], ...]
    components: tuple[_Component, ...]


def subsets(members: int, threshold: int) -> list[tuple[int, ...]]:
    """The subsets A of size t, in lexicographic order."""
    return list(itertools.combinations(range(members), threshold))


class ModelShare:
    """One member's share: the components of all subsets that it is not in, as little-endian words. Secret."""

    __slots__ = ("_components", "commitment", "header", "member")

    def __init__(
        self, header: ModelHeader, member: int, commitment: bytes, components: dict[tuple[int, ...], bytes]
    ) -> None:
        self.header = header
        self.member = member
        self.commitment = commitment
        self._components = components

    def component(self, subset: tuple[int, ...]) -> bytes:
        """The words of one component that this member holds."""
        return self._components[subset]

    def __repr__(self) -> str:
        return f"ModelShare({self.header.kind!r}, member={self.member})"

    def __reduce__(self) -> Never:
        raise TypeError("a model share is secret and does not pickle")


def deal(header: ModelHeader, words: list[int], recipients: list[str]) -> tuple[bytes, list[bytes]]:
    """Split the weights (ring integers) and encrypt one file per member, in the order of the consortium file.

    Args:
        header: `count` must be the number of words, `members` that of recipients.
        words: signed integers in [-2^63, 2^63).
        recipients: age X25519 recipients.

    Returns:
        The public commitment (32 bytes) and the encrypted files.

    Raises:
        ModelShareError: CONFIG_INVALID, for a header that no member would accept, or weights that do not fit it.
    """
    _check_dealing(header, words, recipients)
    names = subsets(header.members, header.threshold)
    # All components but the last are uniformly random; the last makes the sum right, so it is as random as the rest.
    random_parts = [
        [int.from_bytes(secrets.token_bytes(_WORD), "little") for _ in words] for _ in range(len(names) - 1)
    ]
    last = [
        (word - sum(column)) % _MODULUS
        for word, column in zip(words, zip(*random_parts, strict=True), strict=True)
    ]
    components = [
        _Component(subset, secrets.token_bytes(32), b"".join(word.to_bytes(_WORD, "little") for word in part))
        for subset, part in zip(names, [*random_parts, last], strict=True)
    ]
    leaves = tuple(_leaf(component) for component in components)
    files = [
        _sealed(
            _ShareFile(header, member, leaves, tuple(c for c in components if member not in c.subset)),
            recipient,
        )
        for member, recipient in enumerate(recipients)
    ]
    return _commitment(header, leaves), files


def component_leaf(subset: tuple[int, ...], salt: bytes, words: bytes) -> bytes:
    """The salted hash of one component, 32 bytes: what the commitment is over, and no secret.

    Args:
        subset: the members that lack the component, ascending.
        salt: 32 bytes that the holders know and nobody else.
        words: the component, 8 bytes a weight, little-endian.
    """
    return _leaf(_Component(subset, salt, words))


def model_commitment(header: ModelHeader, leaves: Sequence[bytes]) -> bytes:
    """The public commitment, 32 bytes, to a model of these leaves, in the order of `subsets`."""
    return _commitment(header, tuple(leaves))


def seal_share(
    header: ModelHeader,
    member: int,
    leaves: Sequence[bytes],
    held: Mapping[tuple[int, ...], tuple[bytes, bytes]],
    recipient: str,
) -> bytes:
    """One member's file from parts that no dealer had: see `component_leaf`. `open_share` checks all of it.

    Args:
        header: of the model.
        member: whose file this is.
        leaves: of all components, in the order of `subsets`.
        held: salt and words by subset, of the components that the member holds.
        recipient: the member's age X25519 recipient.

    Raises:
        ModelShareError: the model is too large for one file.
    """
    components = tuple(_Component(subset, *held[subset]) for subset in sorted(held))
    return _sealed(_ShareFile(header, member, tuple(leaves), components), recipient)


def open_share(
    data: bytes, decrypt: Callable[[bytes], bytes], *, member: int, commitment: bytes | None
) -> ModelShare:
    """Decrypt and check one member's file.

    Args:
        data: the encrypted file.
        decrypt: `Identity.decrypt` of this member; raises ConsortiumError where the file is not for it.
        member: this member's index; a share for another member is refused.
        commitment: the one in the consortium file; None only to learn what a fresh file is committed to.

    Raises:
        ModelShareError: not for this key, corrupted, for another member, or not what the commitment binds.
    """
    return check_share(share_content(data, decrypt), member=member, commitment=commitment)


def share_content(data: bytes, decrypt: Callable[[bytes], bytes]) -> bytes:
    """The content of one member's file, unchecked: what a member hands to an auditor. Secret.

    Raises:
        ModelShareError: not for this key.
    """
    try:
        return decrypt(data)
    except ConsortiumError:
        raise ModelShareError(
            "the model share does not decrypt with this identity",
            remedy="ask the model owner for your own file again",
        ) from None


def check_share(content: bytes, *, member: int, commitment: bytes | None) -> ModelShare:
    """Check the content of one member's file, component by component, against the public commitment.

    Args:
        content: as `share_content` gives it.
        member: whose share it must be.
        commitment: of the model; None to learn it.

    Raises:
        ModelShareError: corrupted, of another member, or not what the commitment binds.
    """
    try:
        file = msgspec.msgpack.decode(content, type=_ShareFile)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelShareError(
            f"the model share is malformed ({error})", remedy="ask for the file again"
        ) from None
    header = file.header
    if header.version != VERSION or msgspec.msgpack.encode(file) != content:
        raise ModelShareError(
            "the model share has another version or encoding", remedy="update this software"
        )
    if 2 * header.threshold >= header.members or member >= header.members:
        raise ModelShareError(
            f"the model share is for threshold {header.threshold} of {header.members} members",
            remedy="ask for the file again",
        )
    if file.member != member:
        raise ModelShareError(
            f"the model share is for member {file.member}, not {member}", remedy="ask for your own"
        )
    names = subsets(header.members, header.threshold)
    held = [subset for subset in names if member not in subset]
    if [component.subset for component in file.components] != held or len(file.leaves) != len(names):
        raise ModelShareError("the model share lacks components", remedy="ask for the file again")
    for component in file.components:
        if (
            len(component.words) != _WORD * header.count
            or _leaf(component) != file.leaves[names.index(component.subset)]
        ):
            raise ModelShareError("a component does not fit its commitment", remedy="ask for the file again")
    found = _commitment(header, file.leaves)
    if commitment is not None and found != commitment:
        raise ModelShareError(
            "the model share belongs to another model than the consortium file names",
            remedy="take the consortium file and the share of the same dealing",
        )
    return ModelShare(
        header, member, found, {component.subset: component.words for component in file.components}
    )


def _sealed(file: _ShareFile, recipient: str) -> bytes:
    content = msgspec.msgpack.encode(file)
    if len(content) > _MAX_CONTENT:
        raise ModelShareError("the model is too large for one file", reason=Reason.CONFIG_INVALID)
    sealed: bytes = pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(recipient)])
    return sealed


def reconstruct(shares: Sequence[ModelShare]) -> list[int]:
    """The weights, signed ring integers, from the shares of t + 1 members or more: for an audit.

    Args:
        shares: checked against one commitment, which fixes every component: those that two members hold are equal.

    Raises:
        ModelShareError: shares of several models, or of too few members.
    """
    if len({share.commitment for share in shares}) != 1:
        raise ModelShareError("the shares are of several models, or there is none")
    header = shares[0].header
    total = [0] * header.count
    for subset in subsets(header.members, header.threshold):
        holder = next((share for share in shares if share.member not in subset), None)
        if holder is None:
            raise ModelShareError(
                f"the weights need the shares of {header.threshold + 1} members",
                remedy="ask one more member",
            )
        words = holder.component(subset)
        total = [
            known + int.from_bytes(words[_WORD * i : _WORD * (i + 1)], "little")
            for i, known in enumerate(total)
        ]
    return [(word + (_MODULUS >> 1)) % _MODULUS - (_MODULUS >> 1) for word in total]


def _check_dealing(header: ModelHeader, words: list[int], recipients: list[str]) -> None:
    def require(holds: bool, message: str) -> None:  # noqa: FBT001 - a condition and its sentence
        if not holds:
            raise ModelShareError(message, reason=Reason.CONFIG_INVALID)

    try:
        msgspec.convert(msgspec.to_builtins(header, builtin_types=(bytes,)), ModelHeader)
    except msgspec.ValidationError as error:
        raise ModelShareError(f"the model's header: {error}", reason=Reason.CONFIG_INVALID) from None
    require(header.version == VERSION, f"model version {header.version} is not {VERSION}")
    require(2 * header.threshold < header.members, "the threshold must be less than half of the members")
    require(len(words) == header.count, f"{len(words)} weights, the header says {header.count}")
    require(len(recipients) == header.members, f"{len(recipients)} recipients for {header.members} members")
    require(all(-(1 << 63) <= word < 1 << 63 for word in words), "a weight does not fit in 64 bits")


def _leaf(component: _Component) -> bytes:
    digest = hashlib.sha256(_COMPONENT)
    digest.update(bytes([len(component.subset), *component.subset]))
    digest.update(component.salt)
    digest.update(component.words)
    return digest.digest()


def _commitment(header: ModelHeader, leaves: tuple[bytes, ...]) -> bytes:
    digest = hashlib.sha256(_MODEL)
    encoded = msgspec.msgpack.encode(header)
    digest.update(len(encoded).to_bytes(4, "big"))
    digest.update(encoded)
    for leaf in leaves:
        digest.update(leaf)
    return digest.digest()
