"""The container image, without an engine.

The steps of the Dockerfile run in a Debian made by debootstrap, and the commands of
docs/operations.md in the result, as the user of the image. Not tested, because only an engine has
them: the image format, read-only mounts, published ports, and the database of compose.yaml.
"""

import json
import os
import re
import shlex
import shutil
import signal
import stat
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import pytest
import yaml
from support.command import Process, absent, environment, reserved_port, run_program, started
from support.limits import LIMIT
from support.live import LiveStub, register_at
from support.postgres import PASSWORD, USER, Server

from clients_register.handlers.settings import Settings

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]

# In bytes, as the sum of the files.
MAX_SIZE = 120_000_000

# Their modules are imported for fuzzing and by the plugin of pytest, which the image is not for.
NOT_INSTALLED = {"hypothesis", "pytest", "schemathesis"}

TOKEN = "token-of-the-tests"


@dataclass(frozen=True)
class Instruction:
    """An instruction of the Dockerfile."""

    name: str
    options: Mapping[str, str]
    arguments: str

    @property
    def words(self) -> list[str]:
        """Its arguments, which may be written as a JSON array."""
        if self.arguments.startswith("["):
            return [str(each) for each in json.loads(self.arguments)]
        return shlex.split(self.arguments)


@dataclass
class Image:
    """The files of a stage of the Dockerfile, and its instructions that make no files."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Instruction] = field(default_factory=dict)

    def words(self, name: str) -> list[str]:
        """The arguments of an instruction."""
        return self.settings[name].words

    def command(self, *argv: str, **variables: str) -> list[str]:
        """The command line that runs a program of the image, as its user."""
        user, _, group = self.settings["USER"].arguments.partition(":")
        where = (f"--root={self.root}", f"--wd={self.settings['WORKDIR'].arguments}")
        who = (f"--setuid={user}", f"--setgid={group}")
        pairs = (f"{name}={value}" for name, value in (self.env | variables).items())
        return ["env", "-i", *pairs, UNSHARE, *where, *who, "--", *argv]

    def python(self, script: str) -> Any:
        """Runs a script that prints JSON, and returns its value."""
        done = run_program(*self.command("python", "-c", script))
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def serving(self, *argv: str, **variables: str) -> Iterator[Process]:
        """A server with the arguments of a container, but on loopback and on a free port."""
        serve, *options = argv or self.words("CMD")
        assert serve == "serve"
        listening = {"CLIENTS_REGISTER_HOST": "127.0.0.1", "CLIENTS_REGISTER_PORT": "0"}
        command = self.command(*self.words("ENTRYPOINT"), **(listening | variables))
        with started(*options, command=command) as process:
            process.greet()
            yield process


UNSHARE = shutil.which("unshare") or ""

# Messages of debootstrap, apt and pip on a machine without network, or without the rights.
UNAVAILABLE = re.compile(
    "Failed getting release file|noexec or nodev|Operation not permitted"
    "|Temporary failure resolving|Could not (resolve|connect)|Failed to establish a new connection"
)


@cache
def instructions() -> list[Instruction]:
    """The instructions of the Dockerfile."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.M)
    found = []
    for line in filter(None, text.replace("\\\n", "").splitlines()):
        parts = re.fullmatch(r"([A-Z]+)((?: --[\w-]+=\S+)*) +(.*)", line)
        assert parts is not None, line
        options = dict(each[2:].split("=") for each in parts[2].split())
        found.append(Instruction(parts[1], options, parts[3]))
    return found


# Building.


def build(folder: Path) -> Image:
    """Builds the stages of the Dockerfile and returns the last."""
    stages: dict[str, Image] = {}
    for step in instructions():
        match step.name:
            case "FROM":
                base, _, name = step.arguments.partition(" AS ")
                image = stages[name] = Image(folder / (name or "last"))
                image.root.mkdir(mode=0o755)
                if base != "scratch":
                    make_debian(base, image.root)
            case "RUN":
                execute(image.root, step.arguments)
            case "COPY":
                copy(step, stages, image)
            case "ENV":
                image.env |= dict(each.split("=", 1) for each in step.words)
            case name:
                image.settings[name] = step
    return image


def make_debian(image: str, root: Path) -> None:
    """Installs the packages of Debian's image, and the network settings of the host."""
    distribution, _, tag = image.partition(":")
    assert distribution == "debian"
    suite = tag.removesuffix("-slim")
    run_step("debootstrap", "--variant=minbase", suite, str(root))
    shutil.copy("/etc/resolv.conf", root / "etc")
    certificates = os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt")
    if Path(certificates).exists():
        shutil.copy(certificates, root / "certificates-of-the-host.crt")


def execute(root: Path, script: str) -> None:
    """Runs a script in a stage that has a shell."""
    variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    network = re.compile(r"\w+_proxy|PIP_(INDEX_URL|EXTRA_INDEX_URL|DEFAULT_TIMEOUT)", re.I)
    variables |= {name: value for name, value in os.environ.items() if network.fullmatch(name)}
    if (root / "certificates-of-the-host.crt").exists():
        variables["PIP_CERT"] = "/certificates-of-the-host.crt"
    run_step(UNSHARE, f"--root={root}", "--wd=/", "--", "/bin/sh", "-c", script, env=variables)


def run_step(*argv: str, env: Mapping[str, str] | None = None) -> None:
    """Runs a step of the build. Skips the test if this machine does not allow it."""
    done = run_program(*argv, env=env)
    said = f"{argv[-1]}\n{done.stdout[-5000:]}{done.stderr[-5000:]}"
    if done.returncode and (found := UNAVAILABLE.search(said)):
        pytest.skip(f"the image cannot be built here: {found[0]}")
    assert done.returncode == 0, said


def copy(step: Instruction, stages: Mapping[str, Image], image: Image) -> None:
    """Copies the contents of a folder, or the build context."""
    source, target = step.words
    place = image.root / target.lstrip("/")
    if "from" in step.options:
        origin = stages[step.options["from"]].root / source.lstrip("/")
        shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True)
    else:
        assert source == "."
        place.mkdir()
        for name in context():
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, place / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, place)
    if "chown" in step.options:
        user, _, group = step.options["chown"].partition(":")
        assert not [*place.iterdir()]
        os.chown(place, int(user), int(group))


def context() -> list[str]:
    """The names that .dockerignore keeps in the build context."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    everything, *included, caches = (each for each in lines if not each.startswith("#"))
    assert (everything, caches) == ("*", "**/__pycache__")
    assert all(re.fullmatch(r"![\w.]+", each) for each in included)
    return [each.removeprefix("!") for each in included]


@pytest.fixture(scope="module")
def built() -> Iterator[Image]:
    """The image."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can change the root directory")
    if shutil.which("debootstrap") is None:
        absent("debootstrap is not installed: run `apt-get install debootstrap`")
    with TemporaryDirectory(prefix="clients-register-image-") as folder:
        Path(folder).chmod(0o755)
        yield build(Path(folder))


@pytest.fixture
def image(built: Image) -> Image:
    """The image, with an empty volume."""
    for path in (built.root / "data").iterdir():
        path.unlink()
    return built


# The image.


def test_the_image_is_small(built: Image) -> None:
    sizes: dict[str, int] = {}
    for path in built.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            for folder in path.relative_to(built.root).parents:
                sizes[str(folder)] = sizes.get(str(folder), 0) + path.stat().st_size
    largest = sorted(sizes.items(), key=lambda each: -each[1])[:25]
    table = "\n".join(f"{size / 1e6:7.1f} MB  {folder}" for folder, size in largest)
    assert sizes["."] < MAX_SIZE, table


def test_its_user_can_write_nothing_but_data_and_temporary_files(image: Image) -> None:
    writable = set()
    for path in [image.root, *image.root.rglob("*")]:
        found = path.lstat()
        if not path.is_symlink() and (found.st_uid or found.st_gid or found.st_mode & stat.S_IWOTH):
            writable.add(f"/{path.relative_to(image.root)}")
    assert writable == {"/data", "/tmp", "/var/tmp"}


def test_there_is_no_program_that_grants_rights_or_installs_more(built: Image) -> None:
    programs = set()
    for path in built.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            mode = path.stat().st_mode
            assert not mode & (stat.S_ISUID | stat.S_ISGID), path
            if path.parent.name in ("bin", "sbin"):
                programs.add(path.name)
    assert not {"sh", "dash", "bash", "busybox", "apt", "apt-get", "dpkg", "pip"} & programs
    assert not list(built.root.rglob("site-packages/pip"))


IMPORTS = """
import importlib, json, pkgutil
import clients_register
missing = []
for each in pkgutil.walk_packages(clients_register.__path__, "clients_register."):
    try:
        importlib.import_module(each.name)
    except ModuleNotFoundError as error:
        missing.append(error.name)
print(json.dumps(missing))
"""


def test_every_module_finds_its_libraries(built: Image) -> None:
    assert set(built.python(IMPORTS)) <= NOT_INSTALLED


def test_certificates_of_servers_are_verified(built: Image) -> None:
    script = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"
    assert built.python(script) > 100


# Its commands in the documents.


def documented(containing: str) -> tuple[str, list[str]]:
    """The options and the arguments of the documented `docker run` that contains a text."""
    text = (ROOT / "docs/operations.md").read_text("utf-8").replace("\\\n", " ")
    (line,) = (each for each in re.findall(r"^docker run (.*)$", text, re.M) if containing in each)
    options, name, arguments = re.split(r"(?<= )(clients-register)(?= |$)", line, maxsplit=1)
    assert name
    return options, shlex.split(arguments)


def forced(server: Process) -> httpx2.Response:
    return httpx2.post(server.url, headers={"Prefer": "example=session-expired"}, timeout=LIMIT)


def test_the_stub_serves_as_documented(image: Image) -> None:
    options, arguments = documented("CONTROL_TOKEN")
    assert "-p 127.0.0.1:4018:4018" in options
    with image.serving(*arguments, CLIENTS_REGISTER_CONTROL_TOKEN=TOKEN) as server:
        answer = forced(server)
        assert (answer.status_code, answer.json()["status"]) == (401, "session-expired")
        host, port = server.address
        control = f"http://{host}:{port}/_mock/clients"
        assert httpx2.get(control, timeout=LIMIT).status_code == 401
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx2.get(control, headers=headers, timeout=LIMIT).status_code == 200


def test_a_container_is_healthy_while_it_serves_and_ends_when_it_is_stopped(image: Image) -> None:
    check = json.loads(image.settings["HEALTHCHECK"].arguments.removeprefix("CMD "))

    def check_health(port: int) -> int:
        return run_program(*image.command(*check, CLIENTS_REGISTER_PORT=str(port))).returncode

    with image.serving() as server:
        assert check_health(server.address[1]) == 0
        server.tell(signal.SIGTERM)
        ended = server.ended()
    assert (ended.code, ended.err) == (0, "")
    with reserved_port() as silent:
        assert check_health(silent) == 1


def test_a_stub_on_all_addresses_needs_a_token(image: Image) -> None:
    refused = run_program(*image.command(*image.words("ENTRYPOINT"), *image.words("CMD")))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--host 0.0.0.0: expected a --control-token" in refused.stderr


def test_clients_outlive_their_container_on_a_volume(image: Image, email: str) -> None:
    options, arguments = documented("-v clients-register:")
    assert f"-v clients-register:{image.settings['VOLUME'].arguments} " in options
    for expected in ("action-successful", "email-already-registered"):
        with image.serving(*arguments) as server:
            assert register_at(server.url, email)["status"] == expected


def test_the_suite_runs_in_a_container(image: Image, shared_stub: LiveStub) -> None:
    _, arguments = documented("verify")
    assert arguments[0] == "verify"
    base = shared_stub.at("/api/v1")
    command = [*image.words("ENTRYPOINT"), "verify", base, "--only", "route/*"]
    done = run_program(*image.command(*command))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_reference_of_the_compose_file_keeps_its_data_in_postgresql(
    image: Image, postgres: Server, email: str
) -> None:
    services = compose()["services"]
    reference, database = services["reference"], services["database"]["environment"]
    variables = {
        name: re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]+\}", PASSWORD, value)
        for name, value in reference["environment"].items()
    }
    address = f"{database['POSTGRES_USER']}@database/{database['POSTGRES_DB']}"
    assert variables["CLIENTS_REGISTER_STORE"] == f"postgresql://{address}"
    name = postgres.made()
    variables["CLIENTS_REGISTER_STORE"] = f"postgresql://{USER}@127.0.0.1:{postgres.port}/{name}"
    with image.serving(*reference["command"], **variables) as server:
        assert register_at(server.url, email)["status"] == "action-successful"
    assert postgres.told(name, "SELECT count(*) FROM clients_register.mails") == [(1,)]
    assert not [*(image.root / "data").iterdir()]


# The files it is made from.


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return found


def test_the_image_runs_as_a_user_without_rights_and_has_no_secret() -> None:
    settings = {each.name: each for each in instructions()}
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", settings["USER"].arguments)
    assert settings["EXPOSE"].arguments == str(Settings().port)
    assert not {"ADD", "ARG"} & settings.keys()
    variables = " ".join(each.arguments for each in instructions() if each.name == "ENV")
    assert not re.search(r"TOKEN|PASSWORD|SECRET|KEY|CREDENTIAL", variables)


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml"])
def test_the_images_of_others_are_official_ones(name: str) -> None:
    # The rest have an owner or a host before a slash.
    text = (ROOT / name).read_text("utf-8")
    images = re.findall(r"^(?:FROM| *image:) +(\S+)", text, re.M)
    assert images
    assert not [each for each in images if "/" in each]


def test_the_build_context_is_what_the_package_is_built_from() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    folders = project["tool"]["setuptools"]["package-dir"].values()
    files = [project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"]
    assert sorted(context()) == sorted([*folders, *files])


@pytest.mark.parametrize("name", compose()["services"])
def test_every_service_of_the_compose_file_is_confined(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(each.startswith("127.0.0.1:") for each in service.get("ports", ()))
    assert not {"privileged", "network_mode", "cap_add", "pid"} & service.keys()
    for variable, value in service["environment"].items():
        assert "PASSWORD" not in variable or value.startswith("${POSTGRES_PASSWORD:?")


def test_docker_compose_accepts_the_file_only_with_a_password() -> None:
    if shutil.which("docker") is None or run_program("docker", "compose", "version").returncode:
        pytest.skip("Docker Compose is not installed")
    config = ("docker", "compose", "--project-directory", str(ROOT), "config")
    accepted = run_program(*config, env=environment(POSTGRES_PASSWORD=PASSWORD))
    assert accepted.returncode == 0, accepted.stderr
    refused = run_program(*config, env=environment(POSTGRES_PASSWORD=""))
    assert refused.returncode != 0
    assert "set it to a password for the database" in refused.stderr
