"""Two linters of the npm world find nothing wrong with the documents of the contract."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from support.command import NPM, tool

from clients_register import spec
from clients_register.spec.schemas import to_openapi_3_1

pytestmark = pytest.mark.once


def write_documents(folder: Path) -> dict[str, Path]:
    """The contract in both editions, the control plane's document, and one with a fault."""
    newer = to_openapi_3_1(spec.load("openapi"))
    faulty = yaml.safe_load(spec.text("openapi"))
    del faulty["info"]["version"]
    texts = {
        "3.0": spec.text("openapi"),
        "3.1": yaml.safe_dump(newer, sort_keys=False, allow_unicode=True),
        "control": spec.text("control"),
        "faulty": yaml.safe_dump(faulty, sort_keys=False, allow_unicode=True),
    }
    files = {name: folder / f"{name}.yaml" for name in texts}
    for name, file in files.items():
        file.write_text(texts[name], "utf-8")
    return files


def redocly(files: list[Path]) -> Iterator[tuple[str, str, bool]]:
    command = [*tool("redocly"), "lint", "--config", str(NPM / "redocly.yaml"), "--format", "json"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    # It prints an object per file, one after the other.
    rest = done.stdout.strip()
    while rest:
        found, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].strip()
        for each in found["problems"]:
            source = Path(each["location"][0]["source"]["ref"])
            yield source.stem, each["message"], each["severity"] == "error"


def spectral(files: list[Path]) -> Iterator[tuple[str, str, bool]]:
    command = [*tool("spectral"), "lint", "--ruleset", str(NPM / "spectral.yaml"), "-f", "json"]
    out = files[0].with_name("spectral.json")
    subprocess.run([*command, "-o", str(out), *files], capture_output=True, check=False)
    for each in json.loads(out.read_text("utf-8")):
        yield Path(each["source"]).stem, each["message"], each["severity"] == 0


@pytest.mark.parametrize("lint", [redocly, spectral])
def test_the_documents_are_clean_and_a_faulty_one_is_not(
    tmp_path: Path, lint: Callable[[list[Path]], Iterator[tuple[str, str, bool]]]
) -> None:
    files = write_documents(tmp_path)
    problems = [*lint([*files.values()])]
    assert [each for each in problems if each[0] in ("3.0", "3.1")] == []
    assert [each for each in problems if each[0] == "control" and each[2]] == []
    assert any(is_error for name, _, is_error in problems if name == "faulty")
