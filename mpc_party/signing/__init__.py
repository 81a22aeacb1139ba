"""Threshold ECDSA on secp256k1: a signature that any `ecrecover` accepts, by a key that no member holds.

Honest majority, 2t < n, secure with abort against t members that cheat actively (Damgard, Jakobsen, Nielsen,
Pagter, Ostergaard 2020). Read in this order: `field`, `scalar` and `curve` (arithmetic), `exponent`, `proof`, `echo` (the
tools of the checks), `wire` (messages), `keygen` -> `keyshare`, `presign` -> `presignature`, `approval`, `sign`;
`reshare` and `recover` are what else happens to a key.

Where a check fails, members tell each other what they hold, and anybody can judge who is at fault: `channel` (all messages are
signed), `dispute`, `evidence`, `docket`, `keygen_rules`, `nonce_rules`, the judges `judge_...`, `verdict`, `judges`.

Each protocol is a state machine without I/O, and a `run_...` function that carries its messages over the mesh.
"""

from mpc_party.signing.approval import Approved, run_approval
from mpc_party.signing.channel import MessageKeys
from mpc_party.signing.errors import SigningError
from mpc_party.signing.evidence import Evidence
from mpc_party.signing.keygen import KeygenContext, run_keygen
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.presign import run_presign
from mpc_party.signing.presignature import Presignature, SigningContext
from mpc_party.signing.recover import run_recover
from mpc_party.signing.recover_context import RecoverContext, Recovered
from mpc_party.signing.reshare import run_reshare
from mpc_party.signing.reshare_context import ReshareContext
from mpc_party.signing.reshare_public import PublicKeyMaterial
from mpc_party.signing.sign import close_signature, run_sign, run_signature
from mpc_party.signing.signature import verify_signature

__all__ = [
    "Approved",
    "Evidence",
    "KeyShare",
    "KeygenContext",
    "MessageKeys",
    "Presignature",
    "PublicKeyMaterial",
    "RecoverContext",
    "Recovered",
    "ReshareContext",
    "SigningContext",
    "SigningError",
    "close_signature",
    "run_approval",
    "run_keygen",
    "run_presign",
    "run_recover",
    "run_reshare",
    "run_sign",
    "run_signature",
    "verify_signature",
]
