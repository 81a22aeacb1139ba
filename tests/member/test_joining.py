import json

import msgspec
import pytest
import structlog

from models.deal import deal_model, share_file
from models.model_file import ModelFile
from mpc_party.hedging.model import MINIMUM_VARIANCE
from mpc_party.member import joining
from mpc_party.member.joining import check_completes, take_up
from mpc_party.protocol.consortium import Program, Settlement
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.identity import CoordinatorIdentity, Identity
from tests.support.party_homes import SECRET, at_stage, contents, make_world, without

LATER = Settlement(1, "0x5FbDB2315678afecb367f032d93F642f64180aa3")


def share_of(world, name):
    return share_file(world.path / "shares", name)


def offer(world, consortium):
    """A file from the operator."""
    path = world.path / "offered.toml"
    save_consortium(path, consortium)
    return path


def join(world, consortium, share=None, name="bob"):
    index = world.consortium.index_of(name)
    file = consortium if not isinstance(consortium, msgspec.Struct) else offer(world, consortium)
    return take_up(world.home(name), world.identities[index], SECRET, file, share)


def refused(world, reason, match, *arguments, **options):
    """Refused with this reason, and the folder is as it was."""
    before = contents(world.home("bob").path)
    with pytest.raises(ConsortiumError, match=match) as caught:
        join(world, *arguments, **options)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)
    assert contents(world.home("bob").path) == before
    return caught.value


def test_a_member_joins_step_by_step(world):
    """The file as `create` makes it; with the key; with model and share; with the contract."""
    full = world.consortium
    home = at_stage(world.home("bob"), full, key=True, model=False)
    home.consortium_file.unlink()
    key_share = home.key_share_file.read_bytes()
    home.key_share_file.unlink()
    steps = [
        (without(full, "key", "model", "settlement"), None),
        (without(full, "model", "settlement"), None),
        (without(full, "settlement"), share_of(world, "bob")),
        (full, None),
    ]
    for consortium, share in steps:
        assert join(world, consortium, share).hash == consortium.hash
        assert home.consortium().hash == consortium.hash
        if consortium.key is None:
            home.key_share_file.write_bytes(key_share)  # what `keygen` does
    assert home.model_share_file.read_bytes() == share_of(world, "bob").read_bytes()
    assert home.model_share_file.stat().st_mode & 0o777 == 0o600


def test_joining_the_same_file_again_changes_nothing(world):
    before = contents(world.home("bob").path)
    join(world, world.consortium)
    join(world, world.consortium, share_of(world, "bob"))
    assert contents(world.home("bob").path) == before


def test_a_share_first_given_later(world):
    """The file with the model may come before the share."""
    home = at_stage(world.home("bob"), world.consortium, key=True, model=False)
    join(world, world.consortium)
    assert not home.model_share_file.exists()
    join(world, world.consortium, share_of(world, "bob"))
    assert home.model_share_file.exists()


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("name", lambda _: "other desks"),
        ("id", lambda _: "ab" * 32),
        ("epoch", lambda _: 2),
        ("coordinator", lambda _: CoordinatorIdentity.generate().signing_key),
        ("program", lambda _: Program(degree=8)),
        ("members", lambda members: (*members, Identity.generate("dave", "127.0.0.1:7009").member)),
        ("members", lambda members: (members[1], members[0], members[2])),
        (
            "members",
            lambda members: (msgspec.structs.replace(members[0], mesh_address="evil:1"), *members[1:]),
        ),
    ],
)
def test_what_members_agreed_on_never_changes(world, field, change):
    bare = without(world.consortium, "key", "model", "settlement")
    at_stage(world.home("bob"), bare, key=False, model=False)
    changed = msgspec.structs.replace(bare, **{field: change(getattr(bare, field))})
    error = refused(world, Reason.CONSORTIUM_MISMATCH, f"changes {field} ", changed)
    assert "--home" in error.remedy


def test_the_threshold_never_changes(world):
    with pytest.raises(ConfigError, match="changes threshold of"):
        check_completes(world.consortium, msgspec.structs.replace(world.consortium, threshold=2))


def test_the_key_never_changes(world, tmp_path):
    """Another key that all members have attested to, as a second ceremony would give: not in this epoch."""
    other = make_world(tmp_path / "other").consortium.key
    for changed in (other, None):
        after = msgspec.structs.replace(world.consortium, key=changed)
        with pytest.raises(ConfigError, match="changes key of") as caught:
            check_completes(world.consortium, after)
        assert caught.value.reason is Reason.CONSORTIUM_MISMATCH


@pytest.mark.parametrize("section", ["model", "settlement"])
def test_an_older_file_is_not_taken_up(world, section):
    refused(
        world,
        Reason.CONSORTIUM_MISMATCH,
        f"lacks the {section} .* an older one",
        without(world.consortium, section),
    )


def test_another_contract_may_be_taken_up(world):
    later = msgspec.structs.replace(world.consortium, settlement=LATER)
    join(world, later)
    assert world.home("bob").consortium().settlement == LATER


def dealt_again(world, consortium=None):
    """A second dealing; the shares lie in a folder of their own."""
    folder = world.path / "again"
    return deal_model(
        consortium or world.consortium, ModelFile(MINIMUM_VARIANCE, (0.0, 0.1, 0.0)), folder
    ), folder


def test_another_model_takes_file_and_share_together(world):
    later, folder = dealt_again(world)
    error = refused(world, Reason.MODEL_MISMATCH, "does not fit this file", later)
    assert "--model-share" in error.remedy
    refused(world, Reason.MODEL_MISMATCH, "another model", later, share_of(world, "bob"))
    refused(world, Reason.MODEL_MISMATCH, "another model", world.consortium, share_file(folder, "bob"))
    join(world, later, share_file(folder, "bob"))
    home = world.home("bob")
    assert home.model_share(world.identities[1], home.consortium(), 1).commitment.hex() == later.model


def test_a_share_for_another_member(world):
    refused(world, Reason.MODEL_MISMATCH, "does not decrypt", world.consortium, share_of(world, "carol"))


@pytest.mark.parametrize(
    ("field", "change"), [("epoch", {"epoch": 2}), ("consortium", {"id": "cd" * 32}), ("fraction bits", {})]
)
def test_a_share_dealt_for_another_consortium_epoch_or_program(world, field, change):
    """The dealer's file names the commitment; what the share is for stands in its header."""
    change = change or {"program": Program(fraction_bits=20)}
    bare = without(world.consortium, "key")
    wrong, folder = dealt_again(world, msgspec.structs.replace(bare, **change))
    mixed = msgspec.structs.replace(world.consortium, model=wrong.model)
    refused(world, Reason.MODEL_MISMATCH, f"the model share has {field}", mixed, share_file(folder, "bob"))


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"age-encryption.org/v1\n", b"x" * 100_000])
def test_a_file_that_is_no_share(world, data):
    hostile = world.path / "hostile.age"
    hostile.write_bytes(data)
    refused(world, Reason.MODEL_MISMATCH, "does not decrypt", world.consortium, hostile)


def test_a_share_for_a_file_without_a_model(world):
    bare = without(world.consortium, "model", "settlement")
    at_stage(world.home("bob"), bare, key=True, model=False)
    refused(world, Reason.CONSORTIUM_INCOMPLETE, "names no model", bare, share_of(world, "bob"))


def test_a_file_of_strangers(world, tmp_path):
    other = make_world(tmp_path / "other")
    error = refused(world, Reason.KEY_UNKNOWN, "not that of this identity", other.consortium)
    assert "members[1]" in error.message
    stranger = Identity.generate("zoe", "127.0.0.1:7777")
    with pytest.raises(ConsortiumError, match="'zoe' is not a member") as caught:
        take_up(world.home("zoe"), stranger, SECRET, offer(world, world.consortium), None)
    assert caught.value.reason is Reason.KEY_UNKNOWN
    assert not world.home("zoe").path.exists()


def test_the_key_of_the_file_must_be_that_of_the_share_here(world, tmp_path):
    """After a ceremony that broke off: a file of another ceremony does not fit the share that was kept."""
    bare = without(world.consortium, "key", "model", "settlement")
    home = at_stage(world.home("bob"), bare, key=True, model=False)
    home.key_share_file.write_bytes(make_world(tmp_path / "other").home("bob").key_share_file.read_bytes())
    refused(
        world,
        Reason.CONSORTIUM_MISMATCH,
        "not this member's share",
        without(world.consortium, "model", "settlement"),
    )


def test_the_completed_file_of_another_member_ends_a_ceremony_that_broke_off(world):
    bare = without(world.consortium, "key", "model", "settlement")
    home = at_stage(world.home("bob"), bare, key=True, model=False)
    join(world, without(world.consortium, "model", "settlement"))
    assert home.key_share(SECRET, home.consortium(), 1)


@pytest.mark.parametrize("model_before", [True, False])
def test_what_cannot_be_stored_leaves_the_folder_as_it_was(world, monkeypatch, model_before):
    later, folder = dealt_again(world)
    if not model_before:
        at_stage(world.home("bob"), without(world.consortium, "model", "settlement"), key=True, model=False)

    def full(*_):
        raise ConfigError("consortium.toml: cannot be written: No space left on device")

    file = offer(world, later)
    monkeypatch.setattr(joining, "save_consortium", full)
    refused(world, Reason.CONFIG_INVALID, "No space left", file, share_file(folder, "bob"))
    monkeypatch.undo()
    join(world, file, share_file(folder, "bob"))


def test_a_backup_of_a_killed_process_is_no_obstacle(world):
    home = world.home("bob")
    (home.path / ".model-share.age.before").write_bytes(b"left over")
    join(world, world.consortium, share_of(world, "bob"))
    assert not list(home.path.glob(".model*"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 3",
        "not toml",
        "a = 1\n" * 100,
        "[" * 1000,
        "version = 2\nname = 'x'",
        "\0",
        "a." * 500 + "b = 1",
        "x" * 300_000,
    ],
)
def test_a_hostile_file_is_one_line(world, text):
    file = world.path / "hostile.toml"
    file.write_text(text)
    refused(world, Reason.CONFIG_INVALID, "hostile.toml", file)


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_a_file_that_does_not_read(world, kind):
    file = world.path / "x.toml"
    if kind == "folder":
        file.mkdir()
    elif kind == "binary":
        file.write_bytes(b"\xff\xfe\x00")
    refused(world, Reason.CONFIG_INVALID, "x.toml", file)


def test_a_damaged_file_here_is_named_and_not_replaced(world):
    home = world.home("bob")
    home.consortium_file.write_text("damaged")
    refused(world, Reason.CONFIG_INVALID, str(home.consortium_file), world.consortium)


def test_an_expired_certificate_is_a_warning_that_names_the_member(world, monkeypatch):
    monkeypatch.setattr(joining, "expired_certificates", lambda *_: ("carol",))
    with structlog.testing.capture_logs() as logs:
        join(world, world.consortium)
    assert [(log["log_level"], log["member"]) for log in logs] == [("warning", "carol")]


def test_members_see_the_same_fingerprint(world):
    for name in world.consortium.names:
        join(world, world.consortium, share_of(world, name), name=name)
    hashes = {load_consortium(world.home(name).consortium_file).hash for name in world.consortium.names}
    assert json.dumps([h.hex() for h in hashes]) == json.dumps([world.consortium.hash.hex()])
