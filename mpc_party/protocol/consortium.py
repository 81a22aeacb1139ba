"""The consortium file: who the members are, and everything that they must agree on.

Canonical form, which the hashes are over: MessagePack; a struct is the array of its fields in the order of its
declaration here, a sequence an array, an absent section nil, a fraction a 64-bit float. So::

    hash        = SHA-256("mpc-hedge/consortium/v1" || msgpack([version, name, id, epoch, threshold, broker,
                          coordinator, members, program, key, model, settlement]))
    roster_hash = SHA-256("mpc-hedge/roster/v1"     || msgpack([version, name, id, epoch, threshold, broker,
                          coordinator, members, program]))

Texts with several spellings (hex, addresses, PEM) are accepted in one spelling only, see `consortium_rules`, so
that two files that mean the same have the same hash.
"""

import functools
import hashlib
from typing import Annotated, Any, Final

import msgspec
from coincurve import PublicKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from msgspec import Meta

from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.messages import MemberName

HASH_PREFIX: Final = b"mpc-hedge/consortium/v1"
ROSTER_PREFIX: Final = b"mpc-hedge/roster/v1"
COORDINATOR: Final = "coordinator"  # the coordinator's name as a sender; no member may have it


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member: its public keys and where its mesh endpoint listens."""

    name: MemberName
    signing_key: str  # Ed25519 public key, hex
    encryption_key: str  # X25519 public key as an age recipient ("age1...")
    account: str  # EVM address, EIP-55
    mesh_address: str  # host:port
    certificate: str  # PEM, self-signed, pinned


class GroupKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The group's secp256k1 key, and each member's attestation that this is what key generation gave."""

    public_key: str  # compressed, hex
    public_shares: tuple[str, ...]  # X_j = x_j G per member, compressed, hex
    attestations: tuple[str, ...]  # Ed25519 signatures per member over group_key.group_key_statement, hex


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One margin scenario: the forward moves by `move`, the vol by `vol_factor`, and `weight` of the loss counts."""

    move: Annotated[float, Meta(ge=-0.9, le=1.0)]
    vol_factor: Annotated[float, Meta(ge=0.25, le=4.0)]
    weight: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0


# A scan of +-15 % with the vol up or down, the vol alone, and moves of 45 % of which about a third is covered.
SCENARIOS: Final = (
    Scenario(0.15, 1.3),
    Scenario(0.15, 0.8),
    Scenario(-0.15, 1.3),
    Scenario(-0.15, 0.8),
    Scenario(0.0, 1.45),
    Scenario(0.0, 0.65),
    Scenario(0.45, 1.0, 0.35),
    Scenario(-0.45, 1.0, 0.35),
)


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Public parameters of the joint computation and of the rounds. See `mpc_party.hedging`."""

    fraction_bits: Annotated[int, Meta(ge=12, le=20)] = 16
    degree: Annotated[int, Meta(ge=4, le=16)] = 12  # of the Chebyshev polynomials in the log-vol
    band: Annotated[float, Meta(gt=0.1, le=2.0)] = 1.4  # half-width of log(vol / reference)
    max_instruments: Annotated[int, Meta(ge=1, le=1024)] = 680
    forward_tolerance: Annotated[float, Meta(gt=0, le=0.2)] = 0.01  # relative, proposal against own view
    max_quote_age: Annotated[int, Meta(ge=1, le=86_400)] = 600  # seconds, market time
    report_validity: Annotated[int, Meta(ge=1, le=86_400)] = 3600  # seconds from observed_at
    scenarios: Annotated[tuple[Scenario, ...], Meta(min_length=1, max_length=16)] = SCENARIOS
    # Of the maintenance margin, which is the worst scenario's loss.
    initial_margin_percent: Annotated[int, Meta(ge=100, le=400)] = 125


class Settlement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where reports are accepted."""

    chain_id: int
    contract: str  # EIP-55 address


class Consortium(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The whole file. Sections that a later step adds are None until then.

    Made by `load_consortium`, which checks the rules; `msgspec.structs.replace` and `dump_consortium` (which
    checks them again) write the next version.
    """

    version: int
    name: str
    id: str  # 32 random bytes, hex: stays for ever, names the consortium in reports and on the chain
    epoch: int
    threshold: int
    broker: str  # mqtt:// or mqtts:// URL without credentials
    coordinator: str  # Ed25519 public key, hex
    members: tuple[Member, ...]
    program: Program = Program()
    key: GroupKey | None = None
    model: str | None = None  # commitment to the model's shares, hex
    settlement: Settlement | None = None

    @functools.cached_property
    def hash(self) -> bytes:
        """32 bytes over the whole file: carried by every message and handshake."""
        return hashlib.sha256(HASH_PREFIX + msgspec.msgpack.encode(_canonical(self))).digest()

    @functools.cached_property
    def roster_hash(self) -> bytes:
        """32 bytes over the file without key, model and settlement: stays while these are added."""
        fields = _canonical(self)[:-3]
        return hashlib.sha256(ROSTER_PREFIX + msgspec.msgpack.encode(fields)).digest()

    @property
    def id_bytes(self) -> bytes:
        """The `id` as 32 bytes, as in the report."""
        return bytes.fromhex(self.id)

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, by member index."""
        return tuple(member.name for member in self.members)

    def index_of(self, name: str) -> int:
        """The 0-based index of a member; its Shamir x-coordinate is one more.

        Raises:
            ConfigError: KEY_UNKNOWN if there is no such member.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise ConfigError(
                f"{name!a} is not a member of consortium {self.name!a}", reason=Reason.KEY_UNKNOWN
            ) from None

    def member(self, name: str) -> Member:
        """The member of that name.

        Raises:
            ConfigError: KEY_UNKNOWN if there is no such member.
        """
        return self.members[self.index_of(name)]

    @property
    def group_address(self) -> str:
        """The EVM address of the group key, EIP-55.

        Raises:
            ConfigError: CONSORTIUM_INCOMPLETE before key generation.
        """
        if self.key is None:
            raise self._incomplete("key", "mpc-party keygen")
        return evm_address(bytes.fromhex(self.key.public_key))

    def require_ready(self) -> None:
        """Check that the file is complete, as a round needs it.

        Raises:
            ConfigError: CONSORTIUM_INCOMPLETE, naming the first missing section and the command that adds it.
        """
        if self.key is None:
            raise self._incomplete("key", "mpc-party keygen")
        if self.model is None:
            raise self._incomplete("model", "mpc-models deal")
        if self.settlement is None:
            raise self._incomplete("settlement", "mpc-coordinator deploy")

    def _incomplete(self, section: str, command: str) -> ConfigError:
        return ConfigError(
            f"consortium {self.name!a} has no {section!r} yet",
            reason=Reason.CONSORTIUM_INCOMPLETE,
            remedy=f"`{command}` adds it",
        )


def evm_address(public_key: bytes) -> str:
    """The EVM address, EIP-55, of a secp256k1 public key in SEC 1 form (33 or 65 bytes)."""
    point: bytes = PublicKey(public_key).format(compressed=False)
    return to_checksum_address(keccak(point[1:])[12:])


def _canonical(value: Any) -> Any:  # noqa: ANN401 - any value of the file, to plain lists and scalars
    if isinstance(value, msgspec.Struct):
        return [_canonical(field) for field in msgspec.structs.astuple(value)]
    if isinstance(value, tuple):
        return [_canonical(item) for item in value]
    return value
