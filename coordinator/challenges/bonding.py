"""The consortium's pooled bond: put in, taken out, and seized by whoever proved a fraud. See `ConsortiumBond.sol`."""

from dataclasses import dataclass
from typing import Any, Final

from eth_utils.address import to_checksum_address
from web3.contract import Contract

from coordinator.onchain import Onchain, Sent
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.consortium_rules import check_address
from mpc_party.protocol.errors import ConfigError

BASIS: Final = 10_000


@dataclass(frozen=True)
class BondStatus:
    """Where a bond stands, for one account. Wei; `ready_at` in Unix seconds, 0 where nothing is on its way out."""

    pooled: int
    reward_share: float
    delay: int
    sink: str
    ledger: str
    seizure_outstanding: bool
    account: str | None
    held: int
    leaving: int
    ready_at: int
    reward: int

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Collected:
    """A reward paid. `seized`: the transaction that took the bond, if it was ours."""

    seized: Sent | None
    sent: Sent
    amount: int

    def summary(self) -> dict[str, object]:
        """For JSON."""
        seized = None if self.seized is None else self.seized.summary()
        return {"amount": self.amount, **self.sent.summary(), "seized": seized}


class Bond:
    """One bond, seen with one account. Amounts are wei; the contract counts in shares of its pool.

    Args:
        chain: with an account, for whoever wants to send.
        address: of the bond.

    Raises:
        ConfigError: no address.
        SettlementError: CHAIN_MISMATCH: there is nothing, or no bond; CHAIN_UNREACHABLE.
    """

    def __init__(self, chain: Onchain, address: str) -> None:
        self._chain = chain
        self._contract: Contract = chain.contract("ConsortiumBond", address, "bond")
        ledger = str(self._ask("LEDGER"))
        self._ledger: Contract = chain.contract("HedgeSettlement", ledger, "the bond's ledger")

    def status(self, account: str | None) -> BondStatus:
        """As it is now; of an account, or of nobody."""
        if account is not None:
            check_address(account, "account")
        held = leaving = ready_at = reward = 0
        if account is not None:
            of = to_checksum_address(account)
            request = self._ask("unbondingOf", of)
            held, leaving = self._wei(int(self._ask("sharesOf", of))), self._wei(int(request.shares))
            ready_at, reward = int(request.readyAt), int(self._ask("rewardOf", of))
        return BondStatus(
            pooled=int(self._ask("pooled")),
            reward_share=int(self._ask("REWARD")) / BASIS,
            delay=int(self._ask("DELAY")),
            sink=str(self._ask("SINK")),
            ledger=str(self._ledger.address),
            seizure_outstanding=self.is_due(),
            account=account,
            held=held,
            leaving=leaving,
            ready_at=ready_at,
            reward=reward,
        )

    def is_due(self) -> bool:
        """Whether a proof of fraud has not been followed by a seizure yet."""
        epoch = int(self._chain.ask(self._ledger, "lastSlashedEpoch"))
        if not epoch:
            return False
        try:
            self._ask("seize")
        except SettlementError as error:
            if error.error == "NothingToSeize":
                return False
            raise
        return True

    def reward_at_stake(self) -> int:
        """What a proof of fraud brings its finder now."""
        return int(self._ask("pooled")) * int(self._ask("REWARD")) // BASIS

    def add(self, amount: int, account: str | None) -> Sent:
        """Put wei in, in an account's name: the payer's own where None."""
        if account is not None:
            check_address(account, "account")
        return self._send("bond", to_checksum_address(account or self._chain.account), value=amount)

    def request(self, amount: int | None) -> Sent:
        """Ask for wei back, or for all that the payer has where None.

        Raises:
            ConfigError: the payer has not so much in it.
        """
        shares = int(self._ask("sharesOf", self._chain.account))
        held = self._wei(shares)
        if not shares or (amount is not None and amount > held):
            raise ConfigError(
                f"{self._chain.account} has {held} wei in the bond that it has not asked for yet"
            )
        if amount is not None:
            # Rounded down, so that it is never more than was asked for.
            shares = amount * int(self._ask("totalShares")) // int(self._ask("pooled"))
        return self._send("requestUnbonding", shares)

    def take(self) -> Sent:
        """Take out what was asked for, once its delay has passed."""
        return self._send("unbond")

    def cancel(self) -> Sent:
        """Take a request back."""
        return self._send("cancelUnbonding")

    def seize(self) -> Sent:
        """Take the pool after a proof of fraud: the finder's part waits for it, the rest to be swept."""
        return self._send("seize")

    def sweep(self) -> Sent:
        """Send what was seized and belongs to no finder to the sink."""
        return self._send("sweep")

    def collect(self) -> Collected:
        """Seize, if that is due, and pay the payer's reward to it.

        Raises:
            SettlementError: SETTLEMENT_REVERTED (NoReward): it is owed none; CHAIN_UNREACHABLE.
        """
        seized = self.seize() if self.is_due() else None
        amount = int(self._ask("rewardOf", self._chain.account))
        return Collected(seized, self._send("collect"), amount)

    def _wei(self, shares: int) -> int:
        total = int(self._ask("totalShares"))
        return shares * int(self._ask("pooled")) // total if total else 0

    def _ask(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - web3's own types
        return self._chain.ask(self._contract, name, *arguments)

    def _send(self, name: str, *arguments: object, value: int = 0) -> Sent:
        return self._chain.send(self._contract, name, *arguments, value=value)
