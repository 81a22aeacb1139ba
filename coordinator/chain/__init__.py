"""An EVM chain for one machine: py-evm behind a JSON-RPC endpoint on loopback.

It is what a demo and a developer run instead of a node: every transaction gets a block of its own at once, the chain's
clock can be that of a recorded market, and everything is gone when the process ends. `evm` executes, `rpc` answers
JSON-RPC requests, `server` listens. Any other node serves as well; nothing outside this folder knows the difference.
"""

from coordinator.chain.evm import EmbeddedChain
from coordinator.chain.rpc import JsonRpc
from coordinator.chain.server import ChainServer

__all__ = ["ChainServer", "EmbeddedChain", "JsonRpc"]
