"""A member's shares, opened to be handed on."""

from mpc_party.member.home import PartyHome
from mpc_party.member.refitting import finish_switch
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.files import read_limited
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.model_share import MAX_FILE
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.protocol.shares_at_rest import SharesAtRest, open_at_rest
from mpc_party.signing import KeyShare


def old_shares(
    folder: PartyHome, passphrase: Passphrase, identity: Identity, consortium: Consortium
) -> tuple[KeyShare, SharesAtRest | None]:
    """The shares of the key and, where there is one, of the model in force.

    Raises:
        ConsortiumError: a share is not there or does not open; the member needs `mpc-party recover` first.
    """
    own = consortium.index_of(identity.name)
    finish_switch(folder, identity, consortium, own)
    key_share = folder.key_share(passphrase, consortium, own)
    if consortium.model is None:
        return key_share, None
    data = read_limited(folder.model_share_file, MAX_FILE, "model share")
    commitment = bytes.fromhex(consortium.model)
    return key_share, open_at_rest(data, identity.decrypt, member=own, commitment=commitment)


__all__ = ["old_shares"]
