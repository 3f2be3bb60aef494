"""A page is cut into sentences, and compared with a list of them."""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.process import run_program

from clients_register import spec
from clients_register.spec.source import TITLE, differences, main, sentences

PAGE = """\
Kettles Boil API

Route

PUT

Parameters sensitive params

litres float 1 required
How much to boil. Fractions such as 0.5 will do.
  • kettle.lid string
    State of the lid.<br><i>Note: An open lid is a 400.</i>

Request Body Example: text/plain

Responses

boiled 200

The water is hot! `Pour` it out.

Uncommon Responses

dry Uncommon

The kettle held nothing.
"""

SENTENCES = [
    ("Title", 1, "Kettles Boil API"),
    ("Route", 1, "Route"),
    ("Route", 2, "PUT"),
    ("Parameters", 1, "Parameters sensitive params"),
    ("Parameters", 2, "litres float 1 required"),
    ("Parameters", 3, "How much to boil."),
    ("Parameters", 4, "Fractions such as 0.5 will do."),
    ("Parameters", 5, "kettle.lid string"),
    ("Parameters", 6, "State of the lid."),
    ("Parameters", 7, "Note: An open lid is a 400."),
    ("Request Body Example", 1, "Request Body Example: text/plain"),
    ("Responses", 1, "Responses"),
    ("Responses", 2, "boiled 200"),
    ("Responses", 3, "The water is hot!"),
    ("Responses", 4, "`Pour` it out."),
    ("Uncommon Responses", 1, "Uncommon Responses"),
    ("Uncommon Responses", 2, "dry Uncommon"),
    ("Uncommon Responses", 3, "The kettle held nothing."),
]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


# The list that somebody would have written for PAGE, each sentence with a key of its own.
LISTED: list[dict[str, Any]] = [
    {
        "section": section,
        "position": position,
        "sha256": digest(text),
        "requirements": [f"R-{section.upper().replace(' ', '-')}-{position}"],
    }
    for section, position, text in SENTENCES
]


def texts(page: str) -> list[str]:
    return [sentence.text for sentence in sentences(page)]


def test_a_page_is_cut_into_sections_and_numbered_sentences() -> None:
    found = [(it.section, it.position, it.text) for it in sentences(PAGE)]
    assert found == SENTENCES


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("lid string 1 required", ["lid string 1 required"]),
        ("Version 1.2 of a.b. and c", ["Version 1.2 of a.b. and c"]),
        (
            'Stop. "So" it is. (Then) it. `Pour` it. `litres` too.',
            ["Stop.", '"So" it is.', "(Then) it.", "`Pour` it. `litres` too."],
        ),
    ],
)
def test_a_sentence_ends_at_its_mark_before_a_capital_letter(
    line: str, expected: list[str]
) -> None:
    assert texts(line) == expected


@pytest.mark.parametrize("line", ["Ab\nCd", "Ab\r\nCd", "Ab<br>Cd", "Ab<br/>Cd", "Ab <BR />\n\nCd"])
def test_a_sentence_ends_with_its_line(line: str) -> None:
    assert texts(line) == ["Ab", "Cd"]


@pytest.mark.parametrize("bullet", ["• ", "  • ", "* ", "- ", "•\t"])
def test_a_bullet_is_no_part_of_a_sentence(bullet: str) -> None:
    assert texts(f"{bullet}kettle.lid string") == ["kettle.lid string"]


@pytest.mark.parametrize("line", ["-5 degrees", "five - or 5 * 1", "<slug> of 5 < 6"])
def test_what_only_resembles_markup_stays(line: str) -> None:
    assert texts(line) == [line]


def test_tags_of_inline_markup_are_no_part_of_a_sentence() -> None:
    assert texts('<b>An</b> <a href="x">open</a> <I>lid</I>.') == ["An open lid."]


@pytest.mark.parametrize("heading", ["Parameters", "Parameters sensitive params"])
def test_a_heading_opens_its_section_with_or_without_its_label(heading: str) -> None:
    (found,) = sentences(heading)
    assert (found.section, found.position) == ("Parameters", 1)


@pytest.mark.parametrize("line", ["Responses are warm.", "The Route", "parameters"])
def test_a_line_that_only_resembles_a_heading_opens_no_section(line: str) -> None:
    assert {found.section for found in sentences(line)} == {TITLE}


def test_a_digest_is_the_sha256_of_the_text() -> None:
    (found,) = sentences("Boil\u00a0 water.")
    assert found.sha256 == "fd8f518b1d5eb3ed67e0615f7388bac9b3a59982929b64b2386d7fdf9ebf934c"


@given(st.lists(st.sampled_from(["\n", " \n\t", "\r\n", "\n\n\n  "]), min_size=24, max_size=24))
def test_white_space_between_lines_makes_no_difference(ends: list[str]) -> None:
    lines = PAGE.splitlines()
    page = "".join(line + ends[number % 24] for number, line in enumerate(lines))
    assert differences(page.replace(" ", "\u00a0 "), LISTED) == []


def test_the_page_of_the_list_has_no_differences() -> None:
    assert differences(PAGE, LISTED) == []


def test_an_edited_sentence_is_told_with_its_new_digest_and_its_keys() -> None:
    text = "The water is lukewarm!"
    assert differences(PAGE.replace("The water is hot!", text), LISTED) == [
        "Responses, sentence 3: changed\n"
        f"  text:    {text}\n"
        f"  sha256:  {digest(text)}\n"
        "  touches: R-RESPONSES-3"
    ]


def test_a_new_sentence_is_told_where_it_stands() -> None:
    text = "Mind the steam."
    assert differences(PAGE.replace("`Pour` it", f"{text} `Pour` it"), LISTED) == [
        "Responses, sentence 4: added\n"
        f"  text:    {text}\n"
        f"  sha256:  {digest(text)}\n"
        "  touches: nothing yet; list it in source.yaml"
    ]


@pytest.mark.parametrize("number", range(len(SENTENCES)))
def test_a_sentence_that_is_gone_is_told_and_those_after_it_are_not(number: int) -> None:
    # A further entry of the list is, to the page, a sentence that was taken away.
    gone = {"section": "Purpose", "position": 7, "sha256": digest("Boil."), "questions": ["Q-HEAT"]}
    listed = [*LISTED[:number], gone, *LISTED[number:]]
    assert differences(PAGE, listed) == ["Purpose, sentence 7: removed\n  touches: Q-HEAT"]


def test_a_sentence_that_moved_is_told_with_both_places() -> None:
    page = PAGE.replace("\nboiled 200\n", "").replace(
        "dry Uncommon\n", "dry Uncommon\nboiled 200\n"
    )
    assert differences(page, LISTED) == [
        "Responses, sentence 2: moved, now Uncommon Responses, sentence 3\n  touches: R-RESPONSES-2"
    ]


def test_of_neighbours_edited_together_the_order_tells_which_became_which() -> None:
    page = PAGE.replace("State of the lid.", "Lid.").replace("An open lid is a 400.", "Shut it.")
    first, second = differences(page, LISTED)
    assert first.startswith("Parameters, sentence 6: changed\n  text:    Lid.\n")
    assert second.startswith("Parameters, sentence 7: changed\n  text:    Note: Shut it.\n")


def test_a_heading_that_was_renamed_is_the_only_difference() -> None:
    told = differences(PAGE.replace("Uncommon Responses", "Rare Responses"), LISTED)
    assert [it.splitlines()[0] for it in told] == ["Uncommon Responses, sentence 1: changed"]


def test_of_two_equal_sentences_the_one_that_is_gone_is_told_once() -> None:
    page = PAGE + "Pour.\nPour.\n"
    listed = [
        {"section": it.section, "position": it.position, "sha256": it.sha256, "questions": ["Q-A"]}
        for it in sentences(page)
    ]
    assert len(differences(PAGE + "Pour.\n", listed)) == 1


def test_a_sentence_that_stated_nothing_is_told_with_the_reason() -> None:
    entry = {**LISTED[0], "states_none": "The name of the page."}
    del entry["requirements"]
    (told,) = differences(PAGE.replace("Kettles", "Pots"), [entry, *LISTED[1:]])
    assert told.endswith("\n  touches: no requirement (The name of the page.)")


def saved(directory: Path, page: str) -> str:
    path = directory / "page.txt"
    path.write_text(page, encoding="utf-8")
    return str(path)


def test_the_command_tells_the_differences_and_exits_with_1(tmp_path: Path) -> None:
    page = saved(tmp_path, PAGE + "Steam — beware.")
    done = run_program(
        *(sys.executable, "-m", "clients_register.spec.source", page),
        # The terminal cannot show the dash.
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.stderr == ""
    assert done.returncode == 1
    assert "touches: R-ROUTE-POST" in done.stdout
    assert "Steam \\u2014 beware." in done.stdout


def test_the_command_exits_with_0_and_one_line_where_nothing_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spec, "load", lambda name: {"page": "here", "sentences": LISTED})
    assert main([saved(tmp_path, PAGE)]) == 0
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "expected a text file in UTF-8"),
        (b"\xff\xfe", "expected a text file in UTF-8"),
        (b"", "found none of its headings"),
        (b"<html>Not the text of a page.</html>", "found none of its headings"),
    ],
)
def test_the_command_exits_with_2_where_there_is_no_page(
    content: bytes | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.txt"
    if content is not None:
        path.write_bytes(content)
    assert main([str(path)]) == 2
    assert complaint in capsys.readouterr().err


def test_the_command_exits_with_2_without_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "PAGE" in capsys.readouterr().err
