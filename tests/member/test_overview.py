import json

import pytest

from mpc_party.journal import Journal, RoundState
from mpc_party.member.home import PartyHome
from mpc_party.member.overview import overview, show
from mpc_party.protocol.card import save_card
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.identity import Identity
from tests.support.party_homes import at_stage, contents, without

STAGES = {
    "nothing": "mpc-party init",
    "identity": "mpc-party join FILE",
    "joined": "mpc-party keygen",
    "share without key": "`mpc-party join` its consortium file",
    "key without share": "restore key-share.keystore",
    "key": "--model-share SHARE",
    "model without share": "--model-share SHARE",
    "model": "mpc-coordinator deploy",
    "complete": None,
}


@pytest.fixture
def home_at(world):
    def bring(stage):
        home, full = world.home("bob"), world.consortium
        if stage == "nothing":
            return PartyHome(world.path / "nobody")
        if stage == "identity":
            for file in (home.consortium_file, home.key_share_file, home.model_share_file):
                file.unlink()
            return home
        drop = {
            "joined": ("key", "model", "settlement"),
            "share without key": ("key", "model", "settlement"),
            "key without share": ("model", "settlement"),
            "key": ("model", "settlement"),
            "model without share": ("settlement",),
            "model": ("settlement",),
        }.get(stage, ())
        key = stage not in {"joined", "key without share"}
        return at_stage(home, without(full, *drop), key=key, model=stage in {"model", "complete"})

    return bring


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_names_the_next_step(home_at, capsys, stage):
    home = home_at(stage)
    before = contents(home.path)
    seen = overview(home, 10)
    json.dumps(seen)
    advice = STAGES[stage]
    if advice is None:
        assert (seen["ready"], seen["next"]) == (True, None)
        assert all(seen["have"].values())
    else:
        assert not seen["ready"]
        assert advice in seen["next"]
        assert not all(seen["have"].values())
    assert seen["problems"] == []
    show(seen)
    out, err = capsys.readouterr()
    assert out == ""
    assert (advice or "ready: mpc-party run") in err
    assert contents(home.path) == before


def test_the_consortium_is_shown(home_at, world, capsys):
    seen = overview(home_at("complete"), 10)
    assert seen["consortium"] == {
        "name": "test-desks",
        "epoch": 1,
        "hash": world.consortium.hash.hex(),
        "members": ["alice", "bob", "carol"],
    }
    show(seen)
    assert "consortium test-desks, epoch 1: alice, bob, carol" in capsys.readouterr().err


def test_rounds_newest_first_also_beside_a_running_party(home_at, world, capsys):
    home = home_at("complete")
    with Journal.open(home.journal_file, consortium=world.consortium.id_bytes, epoch=1) as journal:
        for number in (1, 2, 3):
            journal.promise_round(number, bytes([number]) * 32)
        journal.record_outcome(1, RoundState.SIGNED)
        journal.record_outcome(1, RoundState.SETTLED, details={"block": 7})
        journal.record_outcome(2, RoundState.ABORTED, reason=Reason.PEER_TIMEOUT, culprit="carol")
        seen = overview(home, 10)
        assert [(r["round"], r["state"], r["reason"], r["culprit"]) for r in seen["rounds"]] == [
            (3, "promised", None, None),
            (2, "aborted", "peer-timeout", "carol"),
            (1, "settled", None, None),
        ]
        assert [r["round"] for r in overview(home, 1)["rounds"]] == [3]
    show(seen)
    err = capsys.readouterr().err
    assert "peer-timeout" in err
    assert "carol" in err


def test_what_keeps_a_party_from_starting_is_a_problem_with_its_remedy(home_at, world, capsys):
    home = home_at("complete")
    assert overview(home, 10)["journal"] is None
    with Journal.open(home.journal_file, consortium=world.consortium.id_bytes, epoch=1) as journal:
        journal.promise_round(3, b"p" * 32)
        assert overview(home, 10)["journal"]["floor"] == 0
        journal.distrust(7, "restored from a backup")
        seen = overview(home, 10)
        assert seen["journal"] == {
            "epoch": 1,
            "last_round": 7,
            "floor": 7,
            "why": "restored from a backup",
            "safe": False,
            "undecided": None,
        }
        assert "--after-round" in seen["problems"][0]
        assert not seen["ready"]
        journal.raise_floor(9, "said by the member")
        assert (overview(home, 10)["ready"], overview(home, 10)["journal"]["safe"]) == (True, True)
        journal.attest_handover(b"c" * 32, b"p" * 32, 2)
    seen = overview(home, 10)
    json.dumps(seen)
    assert seen["journal"]["undecided"] == {"ceremony": "63" * 32, "from_epoch": 1, "to_epoch": 2}
    assert not seen["ready"]
    show(seen)
    err = capsys.readouterr().err
    assert "rounds of epoch 1 up to 9 are closed: said by the member" in err
    assert "epoch 1 to epoch 2" in err
    assert "mpc-party reshare" in err


def test_a_member_that_has_left_is_told_so_and_not_to_recover(home_at, world):
    home = home_at("complete")
    dave = Identity.generate("dave", "127.0.0.1:7999").card()
    save_card(home.path / dave.file_name, dave)
    assert overview(home, 10)["ready"]
    home.key_share_file.unlink()
    assert overview(home, 10)["next"].startswith(
        "nothing: the card in this folder is that of dave, who has left"
    )
    bob = world.identities[1].card()
    save_card(home.path / bob.file_name, bob)
    assert "recover" in overview(home, 10)["next"]  # the file has this member, and the share is lost
    for card in (dave, bob):
        (home.path / card.file_name).unlink()
    assert "recover" in overview(home, 10)["next"]  # nothing says whose folder it is


def test_a_file_of_an_epoch_that_is_over_is_a_problem(home_at, world):
    home = home_at("complete")
    with Journal.open(home.journal_file, consortium=world.consortium.id_bytes, epoch=2):
        pass
    seen = overview(home, 10)
    assert not seen["ready"]
    (problem,) = seen["problems"]
    assert "has seen epoch 2, the consortium file is of epoch 1" in problem


@pytest.mark.parametrize("name", ["consortium.toml", "journal.sqlite"])
@pytest.mark.parametrize("data", [b"", b"[/red] damaged", b"\xff" * 5000])
def test_a_damaged_file_is_a_problem_and_not_an_end(home_at, capsys, name, data):
    home = home_at("complete")
    (home.path / name).write_bytes(data)
    seen = overview(home, 10)
    assert not seen["ready"]
    (problem,) = seen["problems"]
    assert name in problem
    show(seen)
    err = capsys.readouterr().err
    assert f"problem {problem}" in err  # whole: its reason in brackets is no markup
    assert "ready" not in err


def test_names_with_brackets_are_shown_as_they_are(capsys, tmp_path):
    seen = overview(PartyHome(tmp_path / "[/bold] [red]x"), 10)
    seen["consortium"] = {"name": "[/] desks", "epoch": 1, "hash": "", "members": ["alice"]}
    show(seen)
    err = capsys.readouterr().err
    assert "[/bold] [red]x" in err
    assert "[/] desks" in err
