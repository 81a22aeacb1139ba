"""From a consortium file and an identity to the mesh: the one place that ties them."""

from mpc_party.mesh import Mesh, mesh_config
from mpc_party.protocol.addresses import parse_address
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.identity import Identity


def open_mesh(
    consortium: Consortium, own: int, identity: Identity, *, listen: str | None, consortium_hash: bytes
) -> Mesh:
    """This member's mesh, not yet started (`with` it).

    Args:
        listen: HOST:PORT to bind instead of the address in the file.
        consortium_hash: `consortium.hash` for rounds, `.roster_hash` for key generation.

    Raises:
        ConfigError: an address does not parse.
    """
    bind = None if listen is None else parse_address(listen, "--listen")
    return Mesh(mesh_config(consortium, own, identity, consortium_hash=consortium_hash, listen=bind))
