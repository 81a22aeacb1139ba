"""A member's folder: what lies where, and opening it as a whole.

identity.keystore    private keys, sealed under the passphrase      `mpc-party init`
NAME.member.toml     the public card to send to the operator        `mpc-party init`
consortium.toml      the consortium file that this member accepted  `mpc-party join`, `keygen`
key-share.keystore   share of the group key, sealed                 `mpc-party keygen`
model-share.age      share of the model, to this member's key       `mpc-party join --model-share`, `refit`
model-share.next.age share of a refit, until it takes its place     `mpc-party refit`
journal.sqlite       what this party has promised and signed        `mpc-party run`
pending-XXXXXXXX     the next epoch until it is decided, by ceremony `mpc-party reshare`, `refresh`
consortium.previous.toml the one before                             `mpc-party refit`, `reshare`, `refresh`
KIND-EPOCH.transcript what all signed in a ceremony                 `mpc-party keygen`, `reshare`, `refresh`, `recover`
evidence/            of disputes: who was at fault                  `mpc-party run`, and the ceremonies
party.toml           optional settings                              written by hand

All but the pending folder, the journal and the settings goes into a backup: see `mpc_party.member.backup`.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import read_limited, read_text_limited
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.keystore import open_sealed
from mpc_party.protocol.model_share import MAX_FILE, ModelShare, open_share
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.protocol.toml import convert, parse_toml
from mpc_party.signing import KeyShare

PURPOSE_KEY_SHARE = "group key share"
MAX_KEY_SHARE = 64 * 1024
MAX_SETTINGS = 64 * 1024

REMEDY_SHARE_LOST = (
    "restore key-share.keystore from a backup with `mpc-party backup import FILE`, or `mpc-party recover` it together with"
    " the other members: nobody else has it, and this member cannot sign without it"
)
# Names of files and hosts: no NUL, which the system's calls refuse, and nothing that a log line could not hold.
Text = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*\Z")]


class DeskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How this desk sees its market source.

    `seed` is private to the desk, and fresh with each start where there is none. The repr hides all.
    """

    seed: Text | None = None
    coverage: float = 0.7
    noise: float = 0.01

    def __repr__(self) -> str:
        return "DeskSettings(...)"


class BrokerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How this party reaches the broker, where that differs from the consortium file, and with which credentials."""

    url: Text | None = None
    username: Text | None = None
    password_file: Text | None = None
    ca_file: Text | None = None
    certificate_file: Text | None = None
    key_file: Text | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`party.toml`. The command line's options come before it."""

    market: Text | None = None
    flow: Text | None = None
    positions: Text | None = None
    listen: Text | None = None
    desk: DeskSettings = DeskSettings()
    broker: BrokerSettings = BrokerSettings()


@dataclass(frozen=True)
class PartyHome:
    """The folder and its files."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> Self:
        """The folder at a path that may begin with `~`.

        Raises:
            ConfigError: there is no such user.
        """
        try:
            return cls(path.expanduser())
        except RuntimeError as error:
            raise ConfigError(f"folder {path}: {error}", remedy="give another one with --home") from None

    def make(self) -> bool:
        """Make the folder, for its owner alone, where there is none; whether there was none.

        Raises:
            ConfigError: it cannot be made.
        """
        try:
            fresh = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"cannot make the folder {self.path}: {error.strerror}") from None
        return fresh

    def has(self, file: Path) -> bool:
        """Whether one of the folder's files is there.

        Raises:
            ConfigError: the folder does not let us look.
        """
        try:
            return file.exists()
        except OSError as error:
            raise ConfigError(f"{file}: {error.strerror}", remedy="check the folder's permissions") from None

    @property
    def identity_file(self) -> Path:
        """The sealed identity."""
        return self.path / "identity.keystore"

    @property
    def consortium_file(self) -> Path:
        """The accepted consortium file."""
        return self.path / "consortium.toml"

    @property
    def key_share_file(self) -> Path:
        """The sealed share of the group key."""
        return self.path / "key-share.keystore"

    @property
    def model_share_file(self) -> Path:
        """The encrypted share of the model."""
        return self.path / "model-share.age"

    @property
    def next_model_share_file(self) -> Path:
        """The encrypted share of a refit that may not be over: see `mpc_party.member.refitting`."""
        return self.path / "model-share.next.age"

    @property
    def journal_file(self) -> Path:
        """The journal."""
        return self.path / "journal.sqlite"

    def pending_folder(self, ceremony: bytes) -> Path:
        """Where a ceremony (32 bytes) keeps the next epoch's files until it is decided."""
        return self.path / f"pending-{ceremony[:4].hex()}"

    @property
    def settings_file(self) -> Path:
        """The optional settings."""
        return self.path / "party.toml"

    def identity(self, passphrase: Passphrase) -> Identity:
        """Open the identity.

        Raises:
            ConfigError: there is none here, or the passphrase is wrong.
        """
        if not self.has(self.identity_file):
            raise ConfigError(f"no identity in {self.path}", remedy="make one with `mpc-party init`")
        return Identity.load(self.identity_file, passphrase)

    def consortium(self) -> Consortium:
        """Load the accepted consortium file.

        Raises:
            ConfigError: there is none here, or it breaks a rule.
        """
        if not self.has(self.consortium_file):
            raise ConfigError(
                f"no consortium in {self.path}",
                reason=Reason.CONSORTIUM_INCOMPLETE,
                remedy="take one up with `mpc-party join FILE`",
            )
        return load_consortium(self.consortium_file)

    def key_share(self, passphrase: Passphrase, consortium: Consortium, own: int) -> KeyShare:
        """Open this member's share of the group key, and check that it is of the key in the consortium file.

        Raises:
            ConfigError: there is none, or it is of another key.
        """
        if not self.has(self.key_share_file):
            raise ConfigError(
                f"no key share in {self.path}, and key generation is over",
                reason=Reason.CONSORTIUM_INCOMPLETE,
                remedy=REMEDY_SHARE_LOST,
            )
        sealed = read_limited(self.key_share_file, MAX_KEY_SHARE, "key share")
        what = f"key share {self.key_share_file}"
        share = KeyShare.decode(open_sealed(sealed, passphrase, PURPOSE_KEY_SHARE, what))
        key = consortium.key
        points = tuple(point.hex() for point in share.public_shares)
        if key is None or (share.public_key.hex(), points, share.index) != (
            key.public_key,
            key.public_shares,
            own,
        ):
            raise ConfigError(
                f"{what}: is not this member's share of the consortium's key",
                reason=Reason.CONSORTIUM_MISMATCH,
                remedy="keep the folder of each consortium and epoch apart",
            )
        return share

    def model_share(self, identity: Identity, consortium: Consortium, own: int) -> ModelShare:
        """Open and check this member's share of the model that the consortium file names.

        Raises:
            ConsortiumError: there is none, or it does not fit.
        """
        return self.sealed_model_share(identity, consortium, own)[1]

    def sealed_model_share(
        self, identity: Identity, consortium: Consortium, own: int
    ) -> tuple[bytes, ModelShare]:
        """The same, with the bytes of the file that it is in, which are encrypted to this member.

        Raises:
            ConsortiumError: there is none, or it does not fit.
        """
        if not self.has(self.model_share_file):
            raise ConfigError(
                f"no model share in {self.path}",
                reason=Reason.CONSORTIUM_INCOMPLETE,
                remedy="take up the one that the model owner sent with `mpc-party join FILE --model-share SHARE`",
            )
        commitment = bytes.fromhex(consortium.model) if consortium.model is not None else None
        try:
            return self._open_share(self.model_share_file, identity, own, commitment)
        except ConsortiumError:
            # A refit that was killed at its very end has left the share that fits beside.
            with suppress(ConsortiumError):
                if commitment is not None:
                    return self._open_share(self.next_model_share_file, identity, own, commitment)
            raise

    def _open_share(
        self, file: Path, identity: Identity, own: int, commitment: bytes | None
    ) -> tuple[bytes, ModelShare]:
        data = read_limited(file, MAX_FILE, "model share")
        return data, open_share(data, identity.decrypt, member=own, commitment=commitment)

    def settings(self) -> Settings:
        """Read `party.toml`, or give the defaults.

        Raises:
            ConfigError: it breaks its format.
        """
        if not self.has(self.settings_file):
            return Settings()
        what = f"settings {self.settings_file}"
        return convert(
            parse_toml(read_text_limited(self.settings_file, MAX_SETTINGS, "settings"), what), Settings, what
        )
