"""The settlement contract through a JSON-RPC node: deploy, submit, read back.

`types` says what goes in and out, `node` is the connection, `sender` makes transactions, `contract` knows the
contract. All calls block; whoever sits in an event loop uses `asyncio.to_thread`. Importing this folder imports web3
(a second and a half), so commands import it where they need it.
"""

from coordinator.settlement.contract import Settlement
from coordinator.settlement.deployment import Deployed, Deployment
from coordinator.settlement.founding import SuiteOptions
from coordinator.settlement.types import Patience, Publish, Receipt, SettlementError, StoredReport

__all__ = [
    "Deployed",
    "Deployment",
    "Patience",
    "Publish",
    "Receipt",
    "Settlement",
    "SettlementError",
    "StoredReport",
    "SuiteOptions",
]
