"""Dealing: from a model's weights to one encrypted share file per member and one public commitment.

The dealer is the model's owner, who knows the weights; after dealing, no t members together do. Files are written
before the consortium file names the commitment, so that an interrupted dealing leaves the consortium as it was.
"""

from pathlib import Path

import msgspec

from models.model_file import ModelFile
from mpc_party.hedging.model import encode_weights
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import write_atomic
from mpc_party.protocol.model_share import VERSION, ModelHeader, deal


def share_file(directory: Path, member: str) -> Path:
    """Where a member's share file is written."""
    return directory / f"{member}.model-share.age"


def deal_model(consortium: Consortium, model: ModelFile, directory: Path) -> Consortium:
    """Write the members' share files, and return the consortium with the model's commitment.

    Raises:
        ConfigError: the weights are out of range, or a file cannot be written.
    """
    bits = consortium.program.fraction_bits
    words = encode_weights(model.kind, model.weights, bits)
    header = ModelHeader(
        version=VERSION,
        consortium=consortium.id_bytes,
        epoch=consortium.epoch,
        kind=model.kind,
        count=len(words),
        fraction_bits=bits,
        members=len(consortium.members),
        threshold=consortium.threshold,
    )
    commitment, files = deal(header, words, [member.encryption_key for member in consortium.members])
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {directory}: {error.strerror}") from None
    for member, content in zip(consortium.members, files, strict=True):
        # Encrypted, but t + 1 members' keys and files open the model: not for everybody on this machine to copy.
        write_atomic(share_file(directory, member.name), content, secret=True)
    return msgspec.structs.replace(consortium, model=commitment.hex())
