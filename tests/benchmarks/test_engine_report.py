"""Rows, ratios and goals."""

import io
import json
from dataclasses import replace

from rich.console import Console

from tests.benchmarks.engine.measure import Row, repetitions
from tests.benchmarks.engine.report import goal, ratio, show, write_json

OURS = Row(
    work="relu",
    batch=64,
    system="ours",
    delay_ms=0.0,
    network="loopback",
    median_ms=5.0,
    p90_ms=6.0,
    cpu_ms=3.0,
    repeats=21,
    rounds=27,
    messages=None,
    bytes=1000,
    max_error=1e-5,
    peak_rss_mb=200.0,
)
SPU = replace(OURS, system="spu", median_ms=80.0, rounds=None, messages=31)


def test_the_ratio_is_to_our_row_of_the_same_work_batch_and_delay():
    others = [replace(OURS, batch=1024, median_ms=1.0), replace(OURS, delay_ms=20.0, median_ms=2.0)]
    assert ratio(SPU, [*others, OURS]) == 16.0
    assert ratio(SPU, others) is None


def test_the_peers_polynomial_stands_beside_our_delta_and_has_no_goal():
    theirs = replace(SPU, work="delta_polynomial")
    assert ratio(theirs, [OURS, replace(OURS, work="delta", median_ms=40.0)]) == 2.0
    assert goal(theirs) is None


def test_goals_are_of_a_batch_and_with_latency_of_a_system():
    assert goal(SPU) == 15
    assert goal(replace(SPU, batch=1024)) == 8
    assert goal(replace(SPU, delay_ms=20.0)) == 1
    assert goal(replace(SPU, system="crypten", delay_ms=20.0)) == 5


def test_the_file_is_a_list_of_rows_and_unknowns_are_null(tmp_path):
    path = tmp_path / "bench.json"
    write_json([OURS, SPU], path)
    ours, spu = json.loads(path.read_text())
    assert {"work", "batch", "system", "delay_ms", "median_ms", "p90_ms", "rounds", "bytes"} <= set(ours)
    assert Row(**ours) == OURS
    assert spu["rounds"] is None
    assert set(spu) == set(ours)


def test_the_table_says_what_was_met_and_what_was_missed():
    console = Console(width=150, record=True, file=io.StringIO())
    show([OURS, SPU, replace(SPU, system="crypten", median_ms=100.0)], console)
    text = console.export_text()
    header, first = (next(line for line in text.splitlines() if word in line) for word in ("p90", "5.00"))
    names = [cell.strip() for cell in header.strip("┃ \n").split("┃")]
    cells = [cell.strip() for cell in first.strip("│ \n").split("│")]
    ours = dict(zip(names, cells, strict=True))
    assert (ours["p90"], ours["cpu ms"], ours["rounds"], ours["n"]) == ("6.00", "3.00", "27", "21")
    assert "15 met" in text
    assert "40 missed" in text
    assert "31 msgs" in text


def test_fast_systems_repeat_more_and_slow_ones_less():
    assert repetitions(0.1, repeats=21, seconds=6, fill=0) == 7
    assert repetitions(0.001, repeats=21, seconds=6, fill=1.5) == 500
    assert repetitions(1.0, repeats=21, seconds=6, fill=1.5) == 2
    assert repetitions(10.0, repeats=21, seconds=6, fill=1.5) == 1
