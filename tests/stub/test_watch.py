"""`--watch`: edits are picked up while the stub runs, and bad ones leave everything as it was."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from support.command import environment
from support.limits import LIMIT, communicate, kill_when_hung
from support.live import encoded, registration

import clients_register
from clients_register import fixtures, handlers, spec
from clients_register.handlers.stub.builder import find_versions


class Watched:
    """A stub in a process of its own, on a copy of the program whose spec the test edits."""

    def __init__(self, program: Path, seed: Path, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.spec = program / "spec" / "openapi.yaml"
        self.fixtures = program / "fixtures"
        self.seed = seed
        self.origin = self.told("listening").split()[1].partition("/api")[0]

    def told(self, word: str) -> str:
        """The next line of its output that has `word` in it."""
        assert self._process.stdout is not None
        with kill_when_hung(self._process):
            for line in self._process.stdout:
                if word in line:
                    return line.strip()
        raise AssertionError(f"it ended and never said {word}")

    def edit(self, file: Path, old: str, new: str) -> str:
        """Replaces `old` by `new` in `file`; returns what stood there before."""
        text = file.read_text("utf-8")
        assert old in text
        self.put(file, text.replace(old, new))
        return text

    def put(self, file: Path, text: str) -> None:
        """Puts another file in the place of `file`, as editors do."""
        beside = file.with_name(f"{file.name}.edited")
        beside.write_text(text, "utf-8")
        beside.replace(file)

    def status(self, email: str, **changes: object) -> str:
        answer = httpx2.post(
            f"{self.origin}/api/v1/clients/register",
            content=encoded(registration(email, **changes)),
            headers={"Content-Type": "text/plain"},
            timeout=LIMIT,
        )
        return str(answer.json()["status"])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One stub for all tests of the module, which undo their edits."""
    tmp_path = tmp_path_factory.mktemp("watched")
    program = tmp_path / "clients_register"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(clients_register.__path__[0], program, ignore=ignore)
    for package in (fixtures, handlers, spec):
        name = package.__name__.rpartition(".")[2]
        shutil.copytree(package.__path__[0], program / name, ignore=ignore, dirs_exist_ok=True)
    seed = tmp_path / "seed.yaml"
    seed.write_text("companies: [{id: 1, name: One}]\n", "utf-8")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1));"
    code += "from clients_register.__main__ import main; sys.exit(main())"
    options = ["serve", "--watch", "--port", "0", "--data", str(tmp_path / "data.json")]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), *options, "--seed", str(seed)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(PYTHONUNBUFFERED="1"),
        cwd=tmp_path,
    )
    try:
        yield Watched(program, seed, process)
    finally:
        process.terminate()
        communicate(process)


def test_an_edit_of_the_spec_is_picked_up_and_what_is_stored_stays(watched: Watched) -> None:
    assert watched.status("ada@b.test", client={"first_name": "Augusta"}) == "action-successful"
    before = watched.edit(watched.spec, "maxLength: 255", "maxLength: 3")
    assert watched.told(": reloaded") == "openapi.yaml: reloaded"
    refused = watched.status("eve@b.test", client={"first_name": "Evelyn"})
    assert refused == "client-validation-failed"
    assert watched.status("ada@b.test") == "email-already-registered"
    watched.put(watched.spec, before)
    assert watched.told(": reloaded") == "openapi.yaml: reloaded"


@pytest.mark.smoke
def test_edits_of_fixtures_and_seed_are_picked_up(watched: Watched) -> None:
    seeded = watched.edit(watched.seed, "id: 1", "id: 2")
    assert watched.told(": reloaded") == "seed.yaml: reloaded"
    assert watched.status("a@b.test", client={"company_id": 1}) == "invalid-param"
    assert watched.status("a@b.test", client={"company_id": 2}) == "action-successful"
    applications = watched.fixtures / "applications.yaml"
    written = watched.edit(applications, "planox2", "planox3")
    assert watched.told(": reloaded") == "applications.yaml: reloaded"
    assert watched.status("c@b.test", application="planox2") == "invalid-param"
    assert watched.status("c@b.test", application="planox3") == "action-successful"
    for file, before in ((watched.seed, seeded), (applications, written)):
        watched.put(file, before)
        assert watched.told(": reloaded") == f"{file.name}: reloaded"


def test_the_target_of_a_link_is_watched(watched: Watched) -> None:
    elsewhere = watched.seed.with_name("elsewhere.yaml")
    elsewhere.write_text("companies: [{id: 1, name: One}]\n", "utf-8")
    before = watched.seed.read_text("utf-8")
    watched.seed.unlink()
    watched.seed.symlink_to(elsewhere)
    assert watched.told(": reloaded") == "seed.yaml: reloaded"
    elsewhere.write_text("companies: [{id: 31, name: Thirty-one}]\n", "utf-8")
    assert watched.told(": reloaded") == "seed.yaml: reloaded"
    assert watched.status("link@b.test", client={"company_id": 31}) == "action-successful"
    watched.put(watched.seed, before)
    assert watched.told(": reloaded") == "seed.yaml: reloaded"


def test_a_swapped_folder_is_noticed_as_kubernetes_mounts_a_configmap(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / f"..version{number}"
        folder.mkdir()
        (folder / "seed.yaml").write_text(f"companies: [{{id: {number}, name: One}}]\n", "utf-8")
    data, new, seed = tmp_path / "..data", tmp_path / "..data_tmp", tmp_path / "seed.yaml"
    data.symlink_to("..version1")
    seed.symlink_to("..data/seed.yaml")
    before = find_versions(seed)
    new.symlink_to("..version2")
    new.replace(data)
    assert find_versions(seed)[seed] != before[seed]


def test_a_folder_that_is_removed_and_created_again_is_noticed(tmp_path: Path) -> None:
    seed = tmp_path / "seeds" / "seed.yaml"
    versions = []
    for content in ("companies: []\n", None, "companies: []\n"):
        if content is None:
            shutil.rmtree(seed.parent)
        else:
            seed.parent.mkdir()
            seed.write_text(content, "utf-8")
        versions.append(find_versions(seed)[seed])
    assert versions[1] is None
    assert None not in (versions[0], versions[2])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("components:", "components: [", ["line ", "column "]),
        ("[email_is_free]", "[moon_is_full]", ["rules that do not exist: moon_is_full"]),
        ("stage: effects", "stage: routing", ["x-statuses", "expected stages in the order"]),
        ("operationId: register", "operationId: regster", ["regster"]),
        ("                missing-param:\n", "                missing:\n", ["named missing-param"]),
    ],
)
def test_an_edit_that_breaks_the_spec_is_told_and_keeps_the_old_one(
    watched: Watched, old: str, new: str, words: list[str]
) -> None:
    health = httpx2.get(f"{watched.origin}/_mock/health", timeout=LIMIT).json()
    before = watched.edit(watched.spec, old, new)
    told = watched.told("not reloaded")
    assert told.startswith("openapi.yaml: not reloaded, the previous version stays: ")
    assert [word for word in words if word not in told] == []
    assert watched.status("client@personas.test") == "email-already-registered"
    assert httpx2.get(f"{watched.origin}/_mock/health", timeout=LIMIT).json() == health
    watched.put(watched.spec, before)
    assert watched.told(": reloaded") == "openapi.yaml: reloaded"
