"""The data plane: mutually authenticated TLS links between the parties, and synchronous exchanges over them.

    with Mesh(mesh_config(consortium, own, identity, consortium_hash=consortium.hash)) as mesh:
        with mesh.session(session_id, committee, deadline_in(10)) as session:
            received = session.exchange(FrameKind.WORDS, {previous: data}, [following])

A link: TLS 1.3 with pinned certificates both ways, then a check that both ends hold the same consortium file. A
session: the members of one round or ceremony, one deadline, frames counted from zero. What fails says which peer.

Layers, each using only those above it: `frames` (bytes), `waiting` (deadlines), `link` (one TLS connection),
`handshake` (who it is), `listener` and `dialler` (the two ends), `registry` (live links), `rendezvous` (all links of
a session), `dispute`, `session`, `mesh`.
"""

from mpc_party.mesh.config import MeshConfig, MeshLimits, mesh_config
from mpc_party.mesh.errors import MeshError, PeerDisputes
from mpc_party.mesh.exchange import DisputableExchange, Exchange, FrameKind
from mpc_party.mesh.mesh import Mesh
from mpc_party.mesh.session import MeshSession
from mpc_party.mesh.stats import MeshStats, PeerStats
from mpc_party.mesh.waiting import deadline_in

__all__ = [
    "DisputableExchange",
    "Exchange",
    "FrameKind",
    "Mesh",
    "MeshConfig",
    "MeshError",
    "MeshLimits",
    "MeshSession",
    "MeshStats",
    "PeerDisputes",
    "PeerStats",
    "deadline_in",
    "mesh_config",
]
