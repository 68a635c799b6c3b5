"""Edits of config.yaml: what was asked for and nothing else, read by the real loader, or nothing at all."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import load
from monitor.config.edit import EditError, File, add_issue, add_watch, change_watch, remove_watch, rename_issue
from monitor.config.load import loads
from monitor.config.splice import Append, Put, Remove, Unsplicable, splice
from monitor.config.text import parse

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = (ROOT / "config.yaml").read_text(encoding="utf-8")


def file(text: str = SHIPPED) -> File:
    return File(text, ROOT / "config.yaml", {})


def changed(before: str, after: str) -> list[str]:
    """The lines that are gone or new, with their signs."""
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line.rstrip("\n") for line in lines if line[0] in "+-"]


def test_a_watch_is_one_line_more():
    after = add_watch(file(), "quotas", "bill", "2025 HB 6907", "advances", "none")
    assert changed(SHIPPED, after) == ["+           - {bill: 2025 HB 6907, effect: none}"]
    assert [one.local_id for one in file(after).config.issue("quotas").watches][-1] == "2025-HB06907"


def test_a_watch_that_reverses_says_so():
    after = add_watch(file(), "quotas", "bill", "2025 SB 213", "reverses", "no_progress")
    assert changed(SHIPPED, after) == ["+           - {bill: 2025 SB 213, direction: reverses, effect: no_progress}"]


def test_the_first_watch_of_an_issue_opens_its_list():
    after = add_watch(file(), "swat-data", "feed", "https://www.acluct.org/feed/", "", "", ["swat", "a, b"])
    assert changed(SHIPPED, after) == [
        "-         watches: []",
        "+         watches:",
        '+           - {feed: https://www.acluct.org/feed/, terms: [swat, "a, b"]}',
    ]


def test_a_long_watch_is_written_on_more_lines():
    page = "/jud/taskforce.asp?TF=20200116_Police%20Transparency%20and%20Accountability%20Task%20Force"
    after = add_watch(file(), "quotas", "documents", page, "", "", ["quota", "ticket"])
    assert changed(SHIPPED, after) == [f"+           - documents: {page}", "+             terms: [quota, ticket]"]


def test_a_comment_behind_a_changed_watch_stays():
    after = change_watch(file(), "military-style-training/2025-HB07202", "advances", "some_progress")
    (gone, new) = (line for line in changed(SHIPPED, after) if line[2:].strip())
    assert gone.replace("effect: none", "effect: some_progress")[1:] == new[1:]
    assert new.endswith('# "law enforcement training": the title says no more')


def test_a_direction_is_added_where_none_stood():
    after = change_watch(file(), "quotas/2020-HB06004", "reverses", "some_progress")
    assert (
        changed(SHIPPED, after)[-1] == "+           - {bill: 2020 HB 6004, effect: some_progress, direction: reverses}"
    )


def test_a_removed_watch_takes_its_line_and_no_more():
    after = remove_watch(file(), "qualified-immunity/2025-SB00213")
    assert changed(SHIPPED, after) == ["-           - {bill: 2025 SB 213, direction: reverses, effect: some_progress}"]


def test_the_last_watch_removed_leaves_an_empty_list():
    after = remove_watch(file(), "quotas/2020-HB06004")
    assert file(after).config.issue("quotas").watches == ()
    assert changed(SHIPPED, after)[1] == "+         watches: []"


def test_a_watch_of_more_lines_is_removed_whole():
    after = remove_watch(file(), file().config.issue("minor-offenses").id + "/" + _documents("minor-offenses"))
    assert [line[:1] for line in changed(SHIPPED, after)] == ["-", "-"]


def _documents(issue: str) -> str:
    return next(one.local_id for one in file().config.issue(issue).watches if one.documents)


def test_an_issue_is_added_at_the_end_of_its_topic():
    text = "Officers may ask for consent: nobody says when. " * 4
    after = add_issue(file(), "accountability", "consent", "Consent: searches", "no_progress", text)
    (topic,) = (one for one in file(after).config.topics if one.id == "accountability")
    issue = topic.issues[-1]
    assert (issue.id, issue.name, issue.initial_narrative) == ("consent", "Consent: searches", text.strip())
    assert issue.watches == ()
    assert all(line.startswith("+") for line in changed(SHIPPED, after))


def test_an_issue_is_renamed():
    after = rename_issue(file(), "quotas", 'Quotas: "tickets" # and stops')
    assert file(after).config.issue("quotas").name == 'Quotas: "tickets" # and stops'
    assert len(changed(SHIPPED, after)) == 2


@pytest.mark.parametrize(
    ("edit", "field", "said"),
    [
        (lambda f: add_watch(f, "quotas", "bill", "HB 6907", "advances", "none"), "source", "is not a bill"),
        (
            lambda f: add_watch(f, "quotas", "bill", "2025 SB 7146", "advances", "none"),
            "source",
            "did you mean 2025 HB",
        ),
        (
            lambda f: add_watch(f, "quotas", "bill", "2020 HB 6004", "advances", "none"),
            "source",
            "watches 2020-HB06004 twice",
        ),
        (lambda f: add_watch(f, "quotas", "bill", "2025 HB 6907", "reverses", "achieved"), "effect", "does not fit"),
        (lambda f: add_watch(f, "quotas", "bill", "2025 HB 6907", "sideways", "none"), "direction", "'advances' or"),
        (lambda f: add_watch(f, "quotas", "feed", "https://example.com/feed", "", ""), "source", "is not allowed"),
        (lambda f: add_watch(f, "quotas", "feed", "javascript:alert(1)", "", ""), "source", "URL"),
        (lambda f: add_watch(f, "quotas", "tweets", "x", "", ""), "kind", "Choose one of"),
        (lambda f: add_watch(f, "nothing", "bill", "2025 HB 6907", "advances", "none"), "", "not in config.yaml"),
        (lambda f: change_watch(f, "quotas/2020-HB06004", "advances", "achieved"), "effect", "already"),
        (lambda f: change_watch(f, "quotas/2020-HB06004", "advances", "no_progress"), "effect", "does not fit"),
        (lambda f: remove_watch(f, "quotas/nothing"), "", "not in config.yaml"),
        (
            lambda f: add_issue(f, "accountability", "Not an id", "X", "no_progress", "X."),
            "id",
            "did you mean not-an-id",
        ),
        (lambda f: add_issue(f, "accountability", "quotas", "X", "no_progress", "X."), "id", "stands twice"),
        (lambda f: add_issue(f, "accountability", "x", "", "no_progress", "X."), "name", "must be text"),
        (lambda f: add_issue(f, "accountability", "x", "X", "good", "X."), "initial_status", "Must be"),
        (lambda f: add_issue(f, "nowhere", "x", "X", "no_progress", "X."), "topic", "not in config.yaml"),
        (lambda f: rename_issue(f, "quotas", "two\nlines"), "name", "one line"),
        (lambda f: rename_issue(f, "quotas", "\ud800"), "name", "text"),
    ],
)
def test_a_mistake_is_told_at_its_field(edit: Callable[[File], str], field: str, said: str) -> None:
    with pytest.raises(EditError) as caught:
        edit(file())
    (wrong,) = caught.value.wrong
    assert wrong.field == field
    assert said in wrong.message
    assert "topics[" not in wrong.message


# ------------------------------------------------------------------ whatever it is, it is that and nothing else

CONFIG = file().config
ISSUES = [issue.id for issue in CONFIG.issues()]
WATCHES = [watch.id for watch in CONFIG.watches()]
BILLS = [watch.id for watch in CONFIG.watches() if watch.bill is not None]

#: What YAML reads as something else where it is not quoted.
ODD = (
    *("", " ", "- x", "a: b", "x # y", "{", "}", "[]", "'", '"', "|", ">-", "*a", "&a", "!t", "%", "@", "`", "null"),
    *("~", "yes", "2025-01-01", "1e3", "\\", "---", "...", "\x85", "\u2028", "é", "👮", "?x", ":x", "x:", "-"),
)
TYPED = st.one_of(st.text(max_size=40), st.sampled_from(ODD))
EDITS = st.one_of(
    st.builds(
        lambda *args: lambda f: add_watch(f, *args),
        st.sampled_from(ISSUES),
        st.sampled_from(["bill", "documents", "feed"]),
        st.one_of(TYPED, st.sampled_from(["2025 HB 6907", "2024 SB 12", "/jud/x.asp?a=b%20c", "/x#y"])),
        st.sampled_from(["advances", "reverses", "x"]),
        st.sampled_from(["achieved", "some_progress", "no_progress", "none"]),
        st.lists(TYPED, max_size=3),
    ),
    st.builds(
        lambda *args: lambda f: change_watch(f, *args),
        st.sampled_from(BILLS),
        st.sampled_from(["advances", "reverses"]),
        st.sampled_from(["achieved", "some_progress", "no_progress", "none"]),
    ),
    st.builds(lambda watch: lambda f: remove_watch(f, watch), st.sampled_from(WATCHES)),
    st.builds(
        lambda *args: lambda f: add_issue(f, *args),
        st.sampled_from([topic.id for topic in CONFIG.topics]),
        st.one_of(TYPED, st.from_regex(r"[a-z]{3,9}", fullmatch=True)),
        TYPED,
        st.sampled_from(["no_progress", "achieved"]),
        st.one_of(TYPED, st.text(min_size=1, max_size=400)),
    ),
    st.builds(lambda *args: lambda f: rename_issue(f, *args), st.sampled_from(ISSUES), TYPED),
)


def untouched(before: str, after: str) -> bool:
    """Whether one run of lines was cut and pasted, and everything around it is as it was, byte for byte."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    operations = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return sum(high - low for tag, low, high, _, _ in operations if tag != "equal") <= 3


def comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip().startswith("#")]


@given(st.lists(EDITS, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_an_edit_is_valid_and_leaves_the_rest_alone_or_changes_nothing(edits: list[Callable[[File], str]]) -> None:
    text = SHIPPED
    for edit in edits:
        try:
            after = edit(file(text))
        except EditError:
            continue
        loads(after, ROOT / "config.yaml", {})
        assert untouched(text, after)
        assert comments(after) == comments(text)
        text = after


# ------------------------------------------------------------------ any YAML, however it is written

NAMES = st.sampled_from(["a", "bb", "ccc"])
SCALARS = st.sampled_from(["x", "two words", "'quoted: here'", '"double # here"', "2020 HB 6004", "é"])
COMMENT = st.sampled_from(["", "   # a comment", " # - {not: yaml}", "  # 'x"])
OWN_LINE = st.sampled_from(["", "\n", "# own line\n", "  # deeper: line\n"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A list of things, in block or brackets, with comments and blank lines wherever YAML allows them."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    indent = draw(st.sampled_from([0, 2, 4]))
    lines = [f"top: x{draw(COMMENT)}\n", draw(OWN_LINE), f"list:{draw(COMMENT)}\n"]
    for _ in range(draw(st.integers(1, 4))):
        lines.append(draw(OWN_LINE))
        pad = " " * indent
        if draw(st.booleans()):
            inner = ", ".join(f"{key}: {draw(SCALARS)}" for key in draw(st.lists(NAMES, min_size=1, unique=True)))
            lines.append(f"{pad}- {{{inner}}}{draw(COMMENT)}\n")
        else:
            keys = draw(st.lists(NAMES, min_size=1, unique=True))
            for number, key in enumerate(keys):
                value = draw(st.one_of(SCALARS, st.just(f">-\n{pad}      folded\n{pad}      text")))
                tail = "" if value.startswith(">") else draw(COMMENT)
                lines.append(f"{pad}{'- ' if number == 0 else '  '}{key}: {value}{tail}\n")
    lines += [draw(OWN_LINE), f"end: [1, 2]{draw(COMMENT)}\n", draw(OWN_LINE)]
    text = "".join(lines)
    if draw(st.booleans()):
        text = text.rstrip("\n")
    return text.replace("\n", newline)


@given(documents(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_splice_means_what_it_should_and_keeps_every_comment(text: str, data: st.DataObject) -> None:
    before = parse(text).data
    index = data.draw(st.integers(0, len(before["list"]) - 1))
    value = data.draw(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20))
    choices: list[Append | Put | Remove] = [
        Append(("list",), {"bb": value}),
        Put(("list", index), "bb", value),
        Remove(("list",), index),
    ]
    change = data.draw(st.sampled_from(choices))
    try:
        after = splice(text, change)
    except Unsplicable:
        pytest.fail(f"not spliced: {change} in {text!r}")
    wanted = parse(text).data
    change.on(wanted)
    assert parse(after).data == wanted
    if isinstance(change, Remove):
        assert set(comments(after)) <= set(comments(text))
        assert len(comments(after)) >= len(comments(text)) - 1
    else:
        kept = [line for line in after.split("\n") if line in text.split("\n")]
        assert len(kept) >= len(text.split("\n")) - 3
        assert comments(after) == comments(text)


def test_a_list_that_ends_empty_can_begin_again():
    text = "list:  # why\n  - {a: b}\n  # own\nend: x\n"
    empty = splice(text, Remove(("list",), 0))
    assert empty == "list: []  # why\n  # own\nend: x\n"
    assert parse(splice(empty, Append(("list",), {"a": "c"}))).data == {"list": [{"a": "c"}], "end": "x"}


def test_json_is_edited_too(tmp_path: Path) -> None:
    whole = {"list": [{"a": "b"}], "none": []}
    for text in (json.dumps(whole), json.dumps(whole, indent=2)):
        assert parse(splice(text, Append(("list",), {"a": "c: d"}))).data["list"][1] == {"a": "c: d"}
        assert parse(splice(text, Append(("none",), {"a": "c"}))).data["none"] == [{"a": "c"}]
        assert parse(splice(text, Remove(("list",), 0))).data["list"] == []


def test_a_comment_inside_brackets_is_not_cut():
    with pytest.raises(Unsplicable, match="comment"):
        splice("list: [a, # why\n  b]\n", Remove(("list",), 1))


def test_the_loader_reads_a_text_as_it_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SHIPPED, encoding="utf-8")
    assert loads(SHIPPED, path, {}).topics == load(path, {}).topics
