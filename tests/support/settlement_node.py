"""A node with a consortium's contracts on it, and reports for them."""

import msgspec
from hexbytes import HexBytes

from coordinator.artifact import load_artifact
from coordinator.settlement import Publish, Settlement
from tests.support.chains import rpc
from tests.support.signed_group import CHAIN_START, book_words


class Node:
    """A node with the contracts on it; market time goes on from test to test, as it must."""

    def __init__(self, url, group):
        self.url, self.group = url, group
        self.account = group.coordinator.evm_account()
        self.bare = group.consortium
        self.deployment = Settlement(url, group.consortium, self.account).deploy()
        self.consortium = group.at(self.deployment.section)
        self.settlement = Settlement(url, self.consortium, self.account)
        self.storing = Settlement(url, self.consortium, self.account, publish=Publish.STORED)
        self.round, self.time = 0, CHAIN_START

    def proposal(self, number=None, after=60, strikes=5):
        self.round += 1
        self.time += after
        return self.group.proposal(self.round if number is None else number, self.time, strikes)

    def signed(self, number=None, after=60, **changes):
        """The next report and its signature; the chain's clock follows."""
        report = self.group.report(self.proposal(number, after))
        report = msgspec.structs.replace(report, **changes)
        self.settlement.follow_clock(self.time)
        return report, self.group.signed(report)[1]

    def with_book(self, strikes=5):
        """The same with the book's words."""
        proposal = self.proposal(strikes=strikes)
        report = self.group.report(proposal)
        self.settlement.follow_clock(self.time)
        return report, self.group.signed(report)[1], book_words(proposal)

    def tick(self, seconds):
        self.time += seconds
        self.settlement.follow_clock(self.time)

    def send(self, name, *arguments, account=None):
        """A call of the members' contract, by the coordinator or somebody else."""
        members = self.deployment.contracts[1]
        contract = self.settlement.node.web3.eth.contract(
            address=members.address, abi=load_artifact("ConsortiumMembers").abi
        )
        sender = Settlement(self.url, self.consortium, account or self.account).sender
        sender.send(HexBytes(contract.encode_abi(name, list(arguments))), members.address)


def transaction(node, **fields):
    return {
        "chainId": 31_337,
        "nonce": int(rpc(node.url, "eth_getTransactionCount", node.account.address, "latest"), 16),
        "gas": 100_000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
        "value": 0,
        **fields,
    }


def transfer(node, address):
    signed = node.account.sign_transaction(transaction(node, to=address, value=10**20))
    return "0x" + signed.raw_transaction.hex()


def create(node, data):
    signed = node.account.sign_transaction(transaction(node, data=data))
    return rpc(node.url, "eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
