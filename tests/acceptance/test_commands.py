"""Each command says in one line what is wrong, with the exit code that the contract names."""

import pytest

from tests.acceptance.office import Office, run

_BROKEN = """
[site]
id = "sancheong"
name = "산청군전산실"
state = "state"
colour = "red"

[monitor]

[[link]]
id = "wire"
url = "tcp://127.0.0.1:1502"

[[device]]
id = "rack1"
link = "wyre"
profile = "xy-md20"
every = "soon"

[[alarm]]
id = "hot"
point = "rack2.temperature"
above = 30.0
"""


@pytest.fixture(scope="module")
def configured(office: Office) -> Office:
    """A whole configuration; no daemon runs."""
    office.with_replicator()
    office.with_monitor("http://127.0.0.1:9/hook")
    return office


def test_check_tells_every_problem_at_once(office: Office) -> None:
    """Six faults in one file are six lines at once, each with its key, and exit 2."""
    file = office.root / "broken.toml"
    file.write_text(_BROKEN)
    done = run("check", "--config", str(file))
    assert done.returncode == 2
    said = done.stdout + done.stderr
    for word in ("colour", "every"):
        assert word in said, said
    file.write_text(_BROKEN.replace('colour = "red"\n', "").replace('every = "soon"\n', ""))
    done = run("check", "--config", str(file))
    assert done.returncode == 2
    said = done.stdout + done.stderr
    for word in ("wyre", "xy-md20", "rack2"):
        assert word in said, said


def test_check_of_a_good_file(configured: Office) -> None:
    """A file without faults is said to be fine, with exit 0."""
    configured.bongsu("check")


def test_check_connect_names_what_does_not_answer(configured: Office) -> None:
    """With nothing switched on `--connect` fails with 1 and names the device and the vault."""
    done = configured.bongsu("check", "--connect", code=1)
    said = done.stdout + done.stderr
    assert "rack1" in said or "wire" in said
    assert "vault" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["status"], 3),
        (["alarms"], 1),
        (["ack", "rack1-hot", "--by", "kim"], 1),
        (["shelve", "rack1-hot", "--for", "10m", "--by", "kim", "--reason", "점검"], 1),
        (["send-test"], 1),
        (["history", "letter.txt"], 1),
        (["restore", "--to", "nowhere"], 1),
        (["restore", "--to", "nowhere", "--at", "yesterday"], 2),
        (["shelve", "rack1-hot", "--for", "long", "--by", "kim", "--reason", "점검"], 2),
        (["run", "kitchen"], 2),
        (["ack"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_with_no_daemon_running(configured: Office, arguments: list[str], code: int) -> None:
    """Each command ends with its code, says why on stderr or shows it, and never with a traceback."""
    done = configured.bongsu(*arguments, code=code)
    assert "Traceback" not in done.stdout + done.stderr
    assert (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("command", ["check", "status", "alarms", "verify", "run monitor"])
def test_a_file_that_is_not_there(command: str) -> None:
    """A missing configuration is a configuration error that names the file."""
    done = run(*command.split(), "--config", "/nonexistent/room.toml")
    assert done.returncode == 2
    assert "/nonexistent/room.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_profiles(configured: Office) -> None:
    """The shipped profiles are listed, and one is shown with its source, line, note, ranges, look-alikes."""
    assert "xy-md02" in run("profiles").stdout
    shown = run("profiles", "xy-md02")
    assert shown.returncode == 0
    for words in ("temperature", "-40 to 80", "9600 8N1", "look-alikes share the shop name", "md02-hundredths, shtc3"):
        assert words in shown.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        ("profiles", "no-such-device"),
        ("simulate", "no-such", "--listen", "127.0.0.1:0"),
        ("simulate", "calm", "--listen", "x"),
    ],
)
def test_what_was_mistyped_is_usage(wrong: tuple[str, ...]) -> None:
    """A name that is not there, or an address that is none, is the caller's slip: exit 2 and one line."""
    done = run(*wrong)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_a_vault_that_was_tampered_with(office: Office) -> None:
    """One flipped byte in what the vault holds makes `verify` end with 3, and it names what is damaged."""
    office.with_replicator()
    (office.docs / "deed.bin").write_bytes(b"deed" * 400_000)  # too large for a record
    office.start("vault")
    office.start("replicator")
    office.settle()
    office.stop("replicator")
    office.stop("vault")
    office.bongsu("verify", file="vault")
    victim = max((office.vault_root / "objects").rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.chmod(0o600)
    victim.write_bytes(data)
    told = office.bongsu("verify", file="vault", code=3)
    assert victim.name[:8] in told.stdout + told.stderr
