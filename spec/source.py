"""The owner's page, sentence by sentence, compared with the list in source.yaml.

For whoever maintains the contract: the page can be edited on any day, and nobody tells. Copy its
text from a browser into a file, then

    python -m clients_register.spec.source PAGE

says whether it still is the page that the contract was written from, and if not, which requirements
and questions stand on the sentences that differ. The list holds digests, not the page's text.

How a page becomes sentences:

- A line ends a sentence, and so does `<br>`. Empty lines count for nothing. So the row of a table
  and its description are sentences, whatever their punctuation.
- Inside a line a sentence ends at `.`, `!` or `?` before white space and a capital letter.
- Tags of inline markup (`<i>`) and the bullet of a list item are taken away, white space is reduced
  to single spaces. All else is kept to the letter, misspellings included.
- A heading opens a section and is its first sentence. What stands before them all is the title.
"""

import argparse
import hashlib
import io
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Any

from clients_register import spec

# One item of source.yaml's `sentences`: `section`, `position` and `sha256`, then `requirements` and
# `questions` (keys), or `states_none` (why there are no keys).
Entry = Mapping[str, Any]

TITLE = "Title"

_HEADING = re.compile(
    r"(Route|Purpose|Parameters|Request Body Example|Responses|Uncommon Responses)"
    r"(?: sensitive params|: \S+)?"
)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_INLINE_TAG = re.compile(r"</?(?:a|b|code|em|i|small|span|strong|u)(?:\s[^<>]*)?>", re.IGNORECASE)
_BULLET = re.compile(r"^[•·◦▪*-](?: |$)")
_SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[\"'`“(\[]*[A-Z])")


@dataclass(frozen=True)
class Sentence:
    """One sentence of the page. `position` counts from 1 within `section`."""

    section: str
    position: int
    text: str

    @property
    def sha256(self) -> str:
        """The digest of the text in UTF-8, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def sentences(page: str) -> list[Sentence]:
    """The sentences of the page whose text is `page`, in order."""
    found: list[Sentence] = []
    counts: dict[str, int] = defaultdict(int)
    section = TITLE
    for line in _lines(page):
        if heading := _HEADING.fullmatch(line):
            section = heading[1]
        for text in _SENTENCE_END.split(line):
            counts[section] += 1
            found.append(Sentence(section, counts[section], text))
    return found


def differences(page: str, listed: Sequence[Entry]) -> list[str]:
    """What distinguishes `page` from the entries `listed`: a few lines of text per difference.

    A sentence that merely has another number, because others came or went before it, is none. The
    former text is not known: where neighbours were edited together, which of them became which is
    taken from their order.
    """
    found = sentences(page)
    digests = [entry["sha256"] for entry in listed], [sentence.sha256 for sentence in found]
    opcodes = SequenceMatcher(None, *digests, autojunk=False).get_opcodes()
    blocks = [(range(i1, i2), range(j1, j2)) for kind, i1, i2, j1, j2 in opcodes if kind != "equal"]
    moves = _moves(blocks, *digests)
    told = []
    for gone, new in blocks:
        told += [_moved(listed[i], found[moves[i]]) for i in gone if i in moves]
        stayed_away = [listed[i] for i in gone if i not in moves]
        came_anew = [found[j] for j in new if j not in moves.values()]
        told += [_edited(*pair) for pair in zip_longest(stayed_away, came_anew)]
    return told


def main(argv: list[str]) -> int:
    """Compares the page that `argv` names; returns 0 if nothing differs, 1 if so, 2 on misuse."""
    parser = argparse.ArgumentParser(
        prog="python -m clients_register.spec.source",
        description="Compare the text of the owner's page with the sentences that the contract"
        " was written from, and name the requirements and questions that a difference touches.",
    )
    parser.add_argument("page", metavar="PAGE", help="the page's text: UTF-8, no wrapped lines")
    path = Path(parser.parse_args(argv).page)
    source = spec.load("source")
    try:
        page = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        return _misused(f"{path}: expected a text file in UTF-8: {error}")
    if all(sentence.section == TITLE for sentence in sentences(page)):
        return _misused(
            f"{path}: expected the text of {source['page']}, found none of its headings;"
            " open the page in a browser, select all, and save what you copied"
        )
    told = differences(page, source["sentences"])
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The page may have gained characters that the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    if not told:
        print(f"{path}: the {len(source['sentences'])} sentences are those of source.yaml")
        return 0
    print("\n".join(told))
    print(
        f"\n{path}: differences from source.yaml: {len(told)}. Look at the keys they touch, then"
        " bring requirements.yaml, questions.yaml and source.yaml up to date."
    )
    return 1


def _misused(complaint: str) -> int:
    print(f"python -m clients_register.spec.source: {complaint}", file=sys.stderr)
    return 2


def _lines(page: str) -> Iterator[str]:
    for line in _LINE_BREAK.sub("\n", page).splitlines():
        if text := _BULLET.sub("", " ".join(_INLINE_TAG.sub("", line).split())):
            yield text


def _moves(
    blocks: list[tuple[range, range]], listed: list[str], found: list[str]
) -> dict[int, int]:
    """Where sentences went that are gone from one place and new in another, by their indices."""
    arrivals = defaultdict(list)
    for _, new in blocks:
        for j in new:
            arrivals[found[j]].append(j)
    return {
        i: arrivals[listed[i]].pop(0) for gone, _ in blocks for i in gone if arrivals[listed[i]]
    }


def _moved(entry: Entry, sentence: Sentence) -> str:
    return f"{_place(entry)}: moved, now {_place(sentence)}\n  touches: {_touched(entry)}"


def _edited(entry: Entry | None, sentence: Sentence | None) -> str:
    if sentence is None:
        assert entry is not None, "one of the two is there"
        return f"{_place(entry)}: removed\n  touches: {_touched(entry)}"
    what = f"  text:    {sentence.text}\n  sha256:  {sentence.sha256}"
    if entry is None:
        return f"{_place(sentence)}: added\n{what}\n  touches: nothing yet; list it in source.yaml"
    return f"{_place(entry)}: changed\n{what}\n  touches: {_touched(entry)}"


def _place(it: Entry | Sentence) -> str:
    if isinstance(it, Sentence):
        return f"{it.section}, sentence {it.position}"
    return f"{it['section']}, sentence {it['position']}"


def _touched(entry: Entry) -> str:
    keys = [*entry.get("requirements", ()), *entry.get("questions", ())]
    return ", ".join(keys) or f"no requirement ({entry['states_none']})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
