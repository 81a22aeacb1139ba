"""The coordinator's folder: what lies where.

identity.keystore    private keys, sealed under the passphrase      `mpc-coordinator create`
consortium.toml      the consortium file                            `create`, completed by `keygen`, `deal`, `deploy`
history.sqlite       what became of every round                     `round`, `serve`
"""

from dataclasses import dataclass
from pathlib import Path

from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.identity import CoordinatorIdentity
from mpc_party.protocol.passphrase import Passphrase


@dataclass(frozen=True)
class CoordinatorHome:
    """The folder and its files."""

    path: Path

    @property
    def identity_file(self) -> Path:
        """The sealed identity."""
        return self.path / "identity.keystore"

    @property
    def consortium_file(self) -> Path:
        """The consortium file, where no other is named."""
        return self.path / "consortium.toml"

    @property
    def history_file(self) -> Path:
        """The history of rounds."""
        return self.path / "history.sqlite"

    def identity(self, passphrase: Passphrase) -> CoordinatorIdentity:
        """Open the coordinator's identity.

        Raises:
            ConfigError: there is none yet, or the passphrase is wrong.
        """
        if not self.identity_file.exists():
            raise ConfigError(
                f"{self.path} has no identity yet",
                remedy="run `mpc-coordinator create`, or give the right folder with --home",
            )
        return CoordinatorIdentity.load(self.identity_file, passphrase)

    def make(self) -> None:
        """Make the folder, for its owner alone.

        Raises:
            ConfigError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"cannot make the folder {self.path}: {error.strerror}") from None
