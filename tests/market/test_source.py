"""Sources by names that name no file."""

import pytest

from mpc_party.market import MarketDataError, open_source
from mpc_party.market.source import open_flow
from mpc_party.protocol.errors import Reason


@pytest.mark.parametrize("path", ["~no-such-user/chain.csv", "chain\0.csv"])
@pytest.mark.parametrize(
    ("open_one", "form"),
    [
        (open_source, "recorded:{}"),
        (open_source, "capture:{}"),
        (open_source, "capture:{}@BTC"),
        (open_flow, "capture:{}"),
    ],
)
def test_a_file_that_cannot_be_named(open_one, form, path):
    with pytest.raises(MarketDataError, match="no file can be named") as caught:
        open_one(form.format(path))
    assert caught.value.reason is Reason.CONFIG_INVALID
    assert caught.value.remedy
