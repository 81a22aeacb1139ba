"""`mpc-party init`: a new member's keys and card, both or neither."""

from contextlib import suppress
from pathlib import Path

from mpc_party.member.home import PartyHome
from mpc_party.protocol.card import save_card
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.passphrase import Passphrase


def require_no_identity(folder: PartyHome) -> None:
    """Refuse a folder that has an identity: its keys are never replaced.

    Raises:
        ConfigError: there is one.
    """
    if folder.has(folder.identity_file):
        raise ConfigError(
            f"{folder.path} has an identity already", remedy="keep it, or give another folder with --home"
        )


def store_identity(folder: PartyHome, identity: Identity, passphrase: Passphrase) -> Path:
    """Write the sealed keys and the card into a folder that is made if need be; on any error, neither is there.

    Returns:
        The card's path.

    Raises:
        ConfigError: there is an identity, or the folder or a file cannot be written.
    """
    require_no_identity(folder)
    card = identity.card()
    path = folder.path / card.file_name
    fresh = folder.make()
    try:
        identity.save(folder.identity_file, passphrase)
        try:
            save_card(path, card)
        except BaseException:
            # Keys without a card are of no use to anybody, and would keep the next `init` from making both.
            folder.identity_file.unlink()
            raise
    except BaseException:
        if fresh:
            with suppress(OSError):  # somebody else has put something in
                folder.path.rmdir()
        raise
    return path
