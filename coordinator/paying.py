"""Who pays for a transaction: an account out of an Ethereum keystore, or the one of a coordinator's folder."""

import json
from pathlib import Path
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_keyfile.exceptions import EthKeyfileException

from coordinator.home import CoordinatorHome
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.files import read_limited
from mpc_party.protocol.passphrase import passphrase_from

MAX_KEYSTORE: Final = 16 * 1024


def paying_account(home: Path, keystore: Path | None, passphrase_file: Path | None) -> LocalAccount:
    """Open the account that pays.

    Args:
        home: of a coordinator, for whoever has one.
        keystore: JSON, version 3, as geth, clef and `cast wallet` write it; comes before the folder's.
        passphrase_file: with the passphrase of either.

    Raises:
        ConfigError: there is none, or the passphrase is wrong (PASSPHRASE_WRONG).
    """
    if keystore is None:
        passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
        return CoordinatorHome(home.expanduser()).identity(passphrase).evm_account()
    text = read_limited(keystore.expanduser(), MAX_KEYSTORE, "keystore")
    try:
        sealed = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"keystore {keystore}: no JSON") from None
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase of the keystore")
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(sealed, passphrase.reveal().decode()))
    except ValueError as error:
        if "MAC" not in str(error):
            raise ConfigError(f"keystore {keystore}: {error}") from None
        raise ConfigError(
            f"keystore {keystore}: does not open with this passphrase", reason=Reason.PASSPHRASE_WRONG
        ) from None
    except (KeyError, TypeError, AttributeError, EthKeyfileException) as error:
        raise ConfigError(f"keystore {keystore}: not of version 3 ({type(error).__name__})") from None
    return account
