"""The command as a whole, with ours in three processes; the peers where their environments are."""

import json
import sys

import pytest

from tests.benchmarks.engine.__main__ import cases, main, parse
from tests.benchmarks.engine.network import network
from tests.benchmarks.engine.systems import SYSTEMS, PartyError, trio


def run(capsys, tmp_path, *words):
    path = tmp_path / "bench.json"
    status = main(["--quick", "--json", str(path), *words])
    return status, capsys.readouterr().out, json.loads(path.read_text())


def test_a_run_writes_a_row_for_each_work(capsys, tmp_path):
    status, output, rows = run(
        capsys, tmp_path, "--systems", "ours", "--delays", "0", "--only", "relu,square,delta,relu_elements"
    )
    assert status == 0
    assert {(row["work"], row["batch"]) for row in rows} == {
        ("relu", 64),
        ("square", 64),
        ("delta", 64),
        ("relu_elements", 65_536),
    }
    for row in rows:
        assert row["system"] == "ours"
        assert row["network"] == "loopback"
        assert 0 < row["median_ms"] <= row["p90_ms"]
        assert row["rounds"] > 0
        assert row["bytes"] > 0
        assert row["max_error"] < 5e-3
        assert row["repeats"] == 3
    assert "relu_elements" in output


@pytest.mark.slow
def test_an_absent_peer_is_skipped_with_the_command_that_makes_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_SPU_PYTHON", str(tmp_path / "nowhere"))
    status, output, rows = run(capsys, tmp_path, "--systems", "ours,spu", "--delays", "0", "--only", "square")
    assert status == 0
    assert [row["system"] for row in rows] == ["ours"]
    skipped = [line for line in output.splitlines() if line.startswith("skipping")]
    assert len(skipped) == 1
    assert "SPU 0.9.5" in skipped[0]
    assert "`make bench-peers`" in skipped[0]


def test_an_environment_without_the_package_is_as_good_as_absent(monkeypatch):
    system = SYSTEMS["spu"]
    monkeypatch.setenv("BENCH_SPU_PYTHON", sys.executable)
    assert "has no spu" in system.missing()


def test_without_root_latency_is_skipped_with_the_reason(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    status, output, rows = run(capsys, tmp_path, "--systems", "ours", "--delays", "20", "--only", "square")
    assert (status, rows) == (0, [])
    assert "skipping 20 ms of latency: it needs root" in output


@pytest.mark.slow
def test_a_party_that_fails_is_reported_with_its_last_words():
    with (
        network(0) as place,
        trio(SYSTEMS["ours"], place) as parties,
        pytest.raises(PartyError, match="no work is called 'nonsense'"),
    ):
        parties.ask(prepare=["nonsense", 4])


def test_growth_is_ours_alone_and_without_latency():
    everything = parse([])
    assert everything.repeats == 21
    found = cases(everything.only, everything.batches, 0.0, everything.systems)
    assert {case.systems for case in found if case.batch >= 4096 and case.work != "relu_elements"} == {
        ("ours",)
    }
    assert cases(["relu"], [4096], 20.0, ["ours", "spu"]) == []
    assert cases(["delta_polynomial"], [64], 0.0, ["ours"]) == []


@pytest.mark.parametrize("words", [["--only", "sigmoid"], ["--systems", "theirs"], ["--delays", "x"]])
def test_unknown_words_are_refused(words):
    with pytest.raises(SystemExit):
        parse(words)


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "work", "bound"),
    [
        ("spu", "square", 5e-3),
        ("spu", "relu", 1e-3),
        ("spu", "delta", 1e-3),
        ("spu", "delta_polynomial", 1e-3),
        ("crypten", "square", 2e-2),
        ("crypten", "relu", 5e-3),
        ("crypten", "delta", 2e-2),
        ("crypten", "delta_polynomial", 2e-3),
    ],
)
def test_a_peer_gives_the_right_answer_too(name, work, bound):
    missing = SYSTEMS[name].missing()
    if missing is not None:
        pytest.skip(missing)
    with network(0) as place, trio(SYSTEMS[name], place) as parties:
        parties.ask(prepare=[work, 64])
        for answer in parties.ask(count=True):
            assert answer["max_error"] < bound
            assert answer["bytes"] > 0
