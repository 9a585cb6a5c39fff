"""Reading the file: what it may look like, and what each part needs of it."""

from pathlib import Path

import pytest

from config.errors import ConfigError, Problem
from config.load import Part, examine, load, load_for

SITE = '[site]\nid = "s"\nname = "전산실"\nstate = "state"\n'
VAULT = '[vault]\nlisten = "127.0.0.1:0"\nroot = "vault"\n'
COPY = '[replicator]\nvault = "bongsu://127.0.0.1:7700"\n[[source]]\nid = "docs"\npath = "docs"\n'
WRONG_ALARM = '[monitor]\n[[alarm]]\nid = "hot"\npoint = "rack1.temperature"\nabove = "32"\n'


def write(folder: Path, content: str | bytes) -> Path:
    """Write a file to load."""
    path = folder / "bongsu.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path, part: Part | None = None) -> list[Problem]:
    """Return the problems for which the file is refused."""
    with pytest.raises(ConfigError) as caught:
        load_for(path, part) if part else load(path)
    assert caught.value.problems
    assert caught.value.hint
    return caught.value.problems


def test_file_missing(tmp_path: Path) -> None:
    """A file that is not there is one problem that names it."""
    [problem] = refused(tmp_path / "none.toml")
    assert "none.toml: no such file" in problem.text


def test_folder_instead_of_file(tmp_path: Path) -> None:
    """A folder in its place is told."""
    [problem] = refused(tmp_path)
    assert "is a directory" in problem.text


def test_mark_of_windows_editors_is_read_over(tmp_path: Path) -> None:
    """A file with a byte order mark and CRLF loads."""
    path = write(tmp_path, b"\xef\xbb\xbf" + SITE.replace("\n", "\r\n").encode())
    assert load(path).site.name == "전산실"


def test_cp949_is_told_with_its_line(tmp_path: Path) -> None:
    """Korean text in the old encoding is named as that, with the line where it stands."""
    [problem] = refused(write(tmp_path, SITE.encode("cp949")))
    assert problem.line == 3
    assert "CP949" in problem.hint


@pytest.mark.parametrize("content", ["x = " + "[" * 5000, "x = " + "9" * 5000, "x = '''", "a = {b = {", "\x00"])
def test_hostile_toml_is_a_problem(tmp_path: Path, content: str) -> None:
    """Nesting, endless numbers and open ends are problems of the file, never a crash."""
    assert refused(write(tmp_path, content))


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    """Some other file given by mistake is refused by its size."""
    [problem] = refused(write(tmp_path, b"#" * (5 * 1024 * 1024)))
    assert "more than 4 MiB" in problem.text


def test_problems_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Problems of shape and of reference come together, by their lines."""
    path = write(tmp_path, SITE + '[[device]]\nid = "a"\nlink = "none"\nprofile = "x"\nunti = 1\n' + WRONG_ALARM)
    problems = refused(path)
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
    assert {problem.line for problem in problems} >= {9, 14}


def test_multi_line_text_does_not_shift_lines(tmp_path: Path) -> None:
    """Lines inside a long string are no keys."""
    path = write(tmp_path, 'x = """\n[site]\nid = "no"\n"""\n' + SITE + "y = 1\n")
    assert [(problem.key, problem.line) for problem in refused(path)] == [("[x]", 1), ("[site] y", 9)]


@pytest.mark.parametrize(
    ("part", "content", "key"),
    [
        ("monitor", SITE, "[monitor]"),
        ("replicator", SITE, "[replicator]"),
        ("replicator", SITE + COPY[: COPY.index("[[")], "[[source]]"),
        ("vault", SITE, "[vault]"),
        ("vault", SITE + '[vault]\nroot = "vault"\n', "[vault] listen"),
        ("reader", SITE, "[vault]"),
        ("replicator", COPY, "[site]"),
    ],
)
def test_part_demands_its_sections(tmp_path: Path, part: Part, content: str, key: str) -> None:
    """A daemon says which of its sections is missing."""
    assert key in [problem.key for problem in refused(write(tmp_path, content), part)]


@pytest.mark.parametrize("part", ["replicator", "vault", "reader"])
def test_wrong_alarm_does_not_keep_documents_in(tmp_path: Path, part: Part) -> None:
    """A slip in the monitor's sections stops the monitor, and no other part."""
    path = write(tmp_path, SITE + VAULT + COPY + WRONG_ALARM)
    assert load_for(path, part).source[0].id == "docs"
    assert refused(path, "monitor")
    assert refused(path)


@pytest.mark.parametrize("part", ["monitor", "replicator", "vault", "reader"])
def test_unknown_section_stops_every_part(tmp_path: Path, part: Part) -> None:
    """Nobody can know whom a section concerns that nobody knows."""
    problems = refused(write(tmp_path, SITE + VAULT + COPY + "[monitor]\n[valt]\n"), part)
    assert [problem.key for problem in problems] == ["[valt]"]


def test_reading_needs_only_the_root(tmp_path: Path) -> None:
    """`[vault] root` alone is enough to read a vault on its host."""
    path = write(tmp_path, '[vault]\nroot = "vault"\n')
    assert load(path).vault is not None
    config = load_for(path, "reader")
    assert config.vault is not None
    assert config.vault.root == tmp_path / "vault"
    assert config.site.timezone == "Asia/Seoul"


def test_reading_needs_only_the_replicator(tmp_path: Path) -> None:
    """`[replicator]` alone is enough to read a vault over the network."""
    path = write(tmp_path, '[replicator]\nvault = "bongsu://127.0.0.1:7700"\n')
    assert load_for(path, "reader").replicator is not None


def test_vault_runs_without_a_site(tmp_path: Path) -> None:
    """A file of a vault alone runs one; its state is kept with the vault."""
    config = load_for(write(tmp_path, VAULT), "vault")
    assert config.site.state == tmp_path / "vault"


def test_files_of_the_other_end_need_not_be_here(tmp_path: Path) -> None:
    """One file for both ends: each end wants only its own keys to be readable."""
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text("x")
    tls = 'ca = "{0}ca"\ncert = "{0}cert"\nkey = "{0}key"\n'
    copy = COPY.replace("7700", "7701").replace("[[", tls.format("no/") + "[[", 1)
    path = write(tmp_path, SITE + VAULT + tls.format("") + copy)
    assert load_for(path, "vault").vault
    assert {problem.section for problem in refused(path, "replicator")} == {"replicator"}


def test_examine_keeps_what_is_right(tmp_path: Path) -> None:
    """Wrong items are taken out one by one; what is right stays."""
    links = "".join(
        f'[[link]]\nid = "{n}"\nurl = "{u}"\n' for n, u in (("a", "x"), ("b", "tcp://h:1"), ("c", "nut://h"))
    )
    loaded = examine(write(tmp_path, SITE.replace('"s"', '"/"') + links))
    assert [link.id for link in loaded.config.link] == ["b"]
    assert [problem.key for problem in loaded.problems] == ["[site] id", '[[link]] "a" url', '[[link]] "c" url']
