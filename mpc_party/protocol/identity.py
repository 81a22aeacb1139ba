"""Who a process is: its private keys, sealed at rest, and what it does with them.

A member has four: Ed25519 for what it says on the control plane, X25519 for what is sent to it at rest (age),
P-256 for its TLS certificate on the mesh, and a secp256k1 account that pays for transactions. A coordinator has
the first and the last. None of them is the group's key, of which each member holds a share elsewhere.
"""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, Self, TypeVar

import msgspec
import pyrage
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from msgspec import Meta

from mpc_party.protocol.card import VERSION as CARD_VERSION
from mpc_party.protocol.card import MemberCard, card_statement, check_card
from mpc_party.protocol.consortium import COORDINATOR, Consortium, Member, evm_address
from mpc_party.protocol.consortium_rules import check_recipient
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.files import read_limited, write_atomic
from mpc_party.protocol.keystore import open_sealed, seal
from mpc_party.protocol.messages import MemberName
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.protocol.secret import Secret
from mpc_party.protocol.tls_identity import generate_tls_key, load_into, self_signed_certificate

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

MAX_IDENTITY = 16 * 1024
PURPOSE_MEMBER = "member identity"
PURPOSE_COORDINATOR = "coordinator identity"
Key32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
T = TypeVar("T")


class Signer(Protocol):
    """Whoever can sign messages under a name: a member's identity, or the coordinator's."""

    @property
    def name(self) -> str:
        """The member's name, or "coordinator"."""

    def sign(self, data: bytes) -> bytes:
        """The 64-byte Ed25519 signature over `data`, which must begin with a prefix that names its domain."""


class _CoordinatorSecrets(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    signing_key: Key32
    account_key: Key32

    def __repr__(self) -> str:
        return "<_CoordinatorSecrets>"


class _MemberSecrets(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    name: MemberName
    mesh_address: str
    signing_key: Key32  # Ed25519 seed
    encryption_key: str  # "AGE-SECRET-KEY-1..."
    account_key: Key32  # secp256k1 scalar, big-endian
    tls_key: bytes  # PKCS #8, DER
    certificate: str  # PEM

    def __repr__(self) -> str:
        return "<_MemberSecrets>"


class _SigningIdentity(Secret):
    """The part that members and coordinators share: a signing key and an account."""

    __slots__ = ("_account_key", "_signing")

    def __init__(self, signing_key: bytes, account_key: bytes) -> None:
        self._signing = ed25519.Ed25519PrivateKey.from_private_bytes(signing_key)
        self._account_key = account_key

    def sign(self, data: bytes) -> bytes:
        """The 64-byte Ed25519 signature over `data`, which must begin with a prefix that names its domain."""
        return self._signing.sign(data)

    @property
    def signing_key(self) -> str:
        """The Ed25519 public key, hex."""
        return self._signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    @property
    def account(self) -> str:
        """The EVM address that pays for this identity's transactions, EIP-55."""
        return evm_address(PrivateKey(self._account_key).public_key.format())

    def evm_account(self) -> "LocalAccount":
        """The account with its key, for web3 to sign transactions with."""
        from eth_account import Account  # noqa: PLC0415 - half a second, and only who sends transactions needs it

        account: LocalAccount = Account.from_key(self._account_key)
        return account

    def _signing_seed(self) -> bytes:
        return self._signing.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


class CoordinatorIdentity(_SigningIdentity):
    """A coordinator's keys: Ed25519 for its messages, secp256k1 for its transactions."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The coordinator's name as a sender."""
        return COORDINATOR

    @classmethod
    def generate(cls) -> Self:
        """Fresh keys."""
        return cls(*_fresh_keys())

    def save(self, path: Path | str, passphrase: Passphrase, *, overwrite: bool = False) -> None:
        """Write the keystore, mode 0600.

        Raises:
            ConfigError: the file exists (unless `overwrite`) or cannot be written.
        """
        secrets = _CoordinatorSecrets(self._signing_seed(), self._account_key)
        _save(path, secrets, passphrase, PURPOSE_COORDINATOR, overwrite=overwrite)

    @classmethod
    def load(cls, path: Path | str, passphrase: Passphrase) -> Self:
        """Open a keystore.

        Raises:
            ConfigError: PASSPHRASE_WRONG, or CONFIG_INVALID if it is not a coordinator's keystore.
        """
        stored = _load(path, _CoordinatorSecrets, passphrase, PURPOSE_COORDINATOR)
        return cls(stored.signing_key, stored.account_key)

    def require_role(self, consortium: Consortium) -> None:
        """Check that the consortium names this key as its coordinator.

        Raises:
            ConfigError: KEY_UNKNOWN.
        """
        if consortium.coordinator != self.signing_key:
            raise ConfigError(
                f"this key is not the coordinator of consortium {consortium.name!a}",
                reason=Reason.KEY_UNKNOWN,
            )


class Identity(_SigningIdentity):
    """A member's private keys. Shows its name only; see the module for what each key is for."""

    __slots__ = ("_certificate", "_encryption", "_mesh_address", "_name", "_tls")

    def __init__(self, stored: _MemberSecrets) -> None:
        super().__init__(stored.signing_key, stored.account_key)
        tls = load_der_private_key(stored.tls_key, None)
        if not isinstance(tls, ec.EllipticCurvePrivateKey):
            raise TypeError("the TLS key is not an elliptic-curve key")
        self._name = stored.name
        self._mesh_address = stored.mesh_address
        self._encryption = pyrage.x25519.Identity.from_str(stored.encryption_key)
        self._tls = tls
        self._certificate = stored.certificate

    def __repr__(self) -> str:
        return f"<Identity {self._name}>"

    @classmethod
    def generate(cls, name: str, mesh_address: str) -> Self:
        """Fresh keys for a new member.

        Args:
            name: 1 to 32 of a-z, 0-9 and -, not "coordinator".
            mesh_address: where the other members reach its mesh endpoint, host:port.

        Raises:
            ConfigError: the name or the address is not valid.
        """
        try:
            msgspec.convert(name, MemberName)
        except msgspec.ValidationError:
            raise ConfigError(f"name: must be 1 to 32 of a-z, 0-9 and -, not {name!a}") from None
        signing_key, account_key = _fresh_keys()
        tls = generate_tls_key()
        identity = cls(
            _MemberSecrets(
                name=name,
                mesh_address=mesh_address,
                signing_key=signing_key,
                encryption_key=str(pyrage.x25519.Identity.generate()),
                account_key=account_key,
                tls_key=tls.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
                certificate=self_signed_certificate(tls, name),
            )
        )
        identity.card()  # checks name and address
        return identity

    @property
    def name(self) -> str:
        """The member's name."""
        return self._name

    @property
    def member(self) -> Member:
        """The public half, as it stands in the consortium file."""
        return Member(
            name=self._name,
            signing_key=self.signing_key,
            encryption_key=str(self._encryption.to_public()),
            account=self.account,
            mesh_address=self._mesh_address,
            certificate=self._certificate,
        )

    def card(self) -> MemberCard:
        """The public half with proof of possession of the signing key, to be handed to the others."""
        member = self.member
        card = MemberCard(CARD_VERSION, self.sign(card_statement(member)).hex(), member)
        check_card(card)
        return card

    def require_member(self, consortium: Consortium) -> int:
        """Check that the consortium lists exactly this member, and return its 0-based index.

        Raises:
            ConfigError: KEY_UNKNOWN if there is no member of this name, or one with another key or address.
        """
        index = consortium.index_of(self._name)
        own, listed = self.member, consortium.members[index]
        for field in Member.__struct_fields__:
            if getattr(own, field) != getattr(listed, field):
                raise ConfigError(
                    f"consortium {consortium.name!a}: members[{index}].{field} is not that of this identity",
                    reason=Reason.KEY_UNKNOWN,
                )
        return index

    def decrypt(self, data: bytes, what: str = "encrypted file") -> bytes:
        """Decrypt an age file that was encrypted to this member.

        Raises:
            ConfigError: it is no age file, is damaged, or was encrypted to others.
        """
        try:
            plain: bytes = pyrage.decrypt(data, [self._encryption])
        except pyrage.DecryptError:
            raise ConfigError(f"{what}: does not open with the key of {self._name}") from None
        return plain

    def load_tls(self, context: ssl.SSLContext) -> None:
        """Make this member's certificate and key those of an SSL context, client or server."""
        load_into(context, self._tls, self._certificate)

    def save(self, path: Path | str, passphrase: Passphrase, *, overwrite: bool = False) -> None:
        """Write the keystore, mode 0600. Takes about 0.1 s.

        Raises:
            ConfigError: the file exists (unless `overwrite`) or cannot be written.
        """
        secrets = _MemberSecrets(
            name=self._name,
            mesh_address=self._mesh_address,
            signing_key=self._signing_seed(),
            encryption_key=str(self._encryption),
            account_key=self._account_key,
            tls_key=self._tls.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
            certificate=self._certificate,
        )
        _save(path, secrets, passphrase, PURPOSE_MEMBER, overwrite=overwrite)

    @classmethod
    def load(cls, path: Path | str, passphrase: Passphrase) -> Self:
        """Open a keystore. Takes about 0.1 s.

        Raises:
            ConfigError: PASSPHRASE_WRONG, or CONFIG_INVALID if it is not a member's keystore.
        """
        return cls(_load(path, _MemberSecrets, passphrase, PURPOSE_MEMBER))


def encrypt_for(member: Member, data: bytes) -> bytes:
    """Encrypt to a member's X25519 key (age); only its `Identity.decrypt` opens it.

    Raises:
        ConfigError: the member's key is not a valid recipient.
    """
    recipient = check_recipient(member.encryption_key, f"{member.name}.encryption_key")
    encrypted: bytes = pyrage.encrypt(data, [recipient])
    return encrypted


def _fresh_keys() -> tuple[bytes, bytes]:
    signing = ed25519.Ed25519PrivateKey.generate()
    seed = signing.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    account: bytes = PrivateKey().secret
    return seed, account


def _save(
    path: Path | str, secrets: object, passphrase: Passphrase, purpose: str, *, overwrite: bool
) -> None:
    sealed = seal(msgspec.msgpack.encode(secrets), passphrase, purpose)
    write_atomic(path, sealed, secret=True, overwrite=overwrite)


def _load(path: Path | str, struct: type[T], passphrase: Passphrase, purpose: str) -> T:
    what = f"keystore {path}"
    plain = open_sealed(read_limited(path, MAX_IDENTITY, "keystore"), passphrase, purpose, what)
    try:
        return msgspec.msgpack.decode(plain, type=struct)
    except msgspec.DecodeError:
        raise ConfigError(f"{what}: opens, but does not hold an identity of this version") from None
