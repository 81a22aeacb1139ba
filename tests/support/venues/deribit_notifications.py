"""Deribit's notifications in the venue's own shape, with numbers made up, and how tests hand them in."""

import json

from mpc_party.market.venues import deribit_messages as wire

NOW_MS = 1_800_000_000_000
NAME = "BTC-29JAN27-90000-C"
PERPETUAL = "BTC-PERPETUAL"
HEAD = '{"jsonrpc":"2.0","method":"subscription","params":{"channel":'
# As on the wire: field order, nulls and zeros for what is not there, greeks and statistics that nobody reads here.
TICKER = (
    '{"underlying_price":90744.81,"underlying_index":"BTC-29JAN27","timestamp":1800000000000,"stats":{"volume":null,'
    '"price_change":null,"low":null,"high":null},"state":"open","settlement_price":0.24,"open_interest":4.6,'
    '"min_price":0.0165,"max_price":0.0329,"mark_price":0.0233509,"mark_iv":80.02,"last_price":0.0229,'
    '"interest_rate":0.0,"instrument_name":"BTC-29JAN27-90000-C","index_price":90201.67,"greeks":{"vega":85.22269,'
    '"theta":-21.12703,"rho":-94.98694,"gamma":0.00002,"delta":0.52256},"estimated_delivery_price":90201.67,'
    '"bid_iv":79.63,"best_bid_price":0.0232,"best_bid_amount":0.8,"best_ask_price":0.0236,"best_ask_amount":4.8,'
    '"ask_iv":80.98}'
)
TRADES = (
    '[{"trade_seq":30289442,"trade_id":"48079269","timestamp":1800000000000,"tick_direction":2,"price":90000.0,'
    '"mark_price":90010.2,"instrument_name":"BTC-PERPETUAL","index_price":90002.0,"direction":"sell","amount":900.0,'
    '"contracts":90.0}]'
)
BOOK = (
    '{"type":"snapshot","timestamp":1800000000000,"instrument_name":"BTC-PERPETUAL","change_id":2000,'
    '"bids":[["new",89999.5,9000.0],["new",89999.0,450.0]],"asks":[["new",90000.0,1800.0]]}'
)
INDEX = '{"timestamp":1800000000000,"price":90201.67,"index_name":"btc_usd"}'


def take(feed, channel, data, received_ms=NOW_MS):
    """The events of one notification, through the decoder."""
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    encoded = text if isinstance(text, bytes) else text.encode()
    message = wire.decode_message(
        HEAD.encode() + json.dumps(channel).encode() + b',"data":' + encoded + b"}}"
    )
    return feed.notification(message.params.channel, message.params.data, received_ms * 1_000_000)


def changed(text, **changes):
    """A notification's data with other values in it."""
    return json.loads(text) | changes
