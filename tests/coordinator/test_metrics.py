import socket
import urllib.request

import pytest
from prometheus_client import generate_latest

from coordinator.metrics import Metrics
from mpc_party.protocol.errors import ConfigError


def test_what_happened_is_counted():
    metrics = Metrics()
    metrics.online(3)
    metrics.settled(17, {"commit": 12.0, "total": 480.0}, 2e-4)
    metrics.aborted("peer-timeout")
    text = generate_latest(metrics.registry).decode()
    for line in (
        'mpc_rounds_total{reason="",state="settled"} 1.0',
        'mpc_rounds_total{reason="peer-timeout",state="aborted"} 1.0',
        "mpc_members_online 3.0",
        "mpc_last_settled_round 17.0",
        'mpc_phase_seconds_sum{phase="total"} 0.48',
        "mpc_max_delta_error 0.0002",
    ):
        assert line in text


def test_they_are_served_on_loopback_and_the_port_is_given_back():
    with Metrics(0) as metrics:
        port = metrics.port
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b"mpc_members_online" in answer.read()
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_in_use_is_one_clear_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="metrics"):
            Metrics(taken.getsockname()[1])
