"""The pytest plugin, as test authors have it: in a pytest of their own, in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest
from support.command import (
    ONE_SUCCESS,
    OPTIONS,
    PREAMBLE,
    Run,
    environment,
    listens,
    reserved_port,
)
from support.limits import kill_when_hung, until
from support.live import LiveStub

from clients_register.testing.stub import Stub, start_stub

pytestmark = pytest.mark.measured

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"

pytest_plugins = ["pytester"]


def test_each_test_has_a_world_of_its_own(authors: Run) -> None:
    done = authors(
        """
    @pytest.mark.parametrize("name", ["one", "other/and some ümlaut", "x" * 100, ""])
    def test_one_address(clients_register, name):
        assert status(clients_register) == "action-successful"
        assert status(clients_register) == "email-already-registered"
    """
    )
    done.assert_outcomes(passed=4)


def test_each_test_starts_from_the_snapshot_that_a_fixture_names(
    authors: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def clients_register_snapshot(clients_register_stub):
            with clients_register_stub.world("setup") as world:
                client = {"email": "ada@example.test", "password": "correct horse"}
                world.send({"application": "planoauth", "client": client})
                return world.save("registered")
        """
    )
    done = authors(
        """
    @pytest.mark.parametrize("number", [1, 2])
    def test_taken(clients_register, number):
        assert status(clients_register) == "email-already-registered"
        assert status(clients_register, "eve@example.test") == "action-successful"
        clients_register.restore("registered")
        assert status(clients_register, "eve@example.test") == "action-successful"
        clients_register.restore()
        assert status(clients_register) == "action-successful"
    """
    )
    done.assert_outcomes(passed=2)


@pytest.mark.smoke
def test_a_world_is_deleted_after_its_test(authors_here: Run, stub: LiveStub) -> None:
    authors_here(ONE_SUCCESS, "--clients-register-url", stub.origin).assert_outcomes(passed=1)
    assert [world["name"] for world in stub.control("GET", "/worlds").json()] == ["default"]


def test_a_running_stub_is_used_where_its_url_is_given(authors_here: Run, stub: LiveStub) -> None:
    authors_here(ONE_SUCCESS, "--clients-register-url", f"{stub.origin}/").assert_outcomes(passed=1)
    assert stub.control("GET", "/coverage").json()["met"] == 1


@pytest.mark.parametrize("path", ["", "/", "/v2", "/v2/"])
def test_the_url_of_a_running_stub_may_be_its_base_url(
    authors_here: Run, start_stub: Callable[..., LiveStub], path: str
) -> None:
    running = start_stub(base_path="/v2")
    tests = f"""
    def test_urls(clients_register_stub, clients_register):
        stub, world = clients_register_stub, clients_register
        root = "{running.origin}/_world/" + world.name
        assert (stub.root, stub.base) == ("{running.origin}", "{running.origin}/v2")
        assert (world.root, world.base) == (root, root + "/v2")
        assert world.url == world.base + "/clients/register"
        assert status(world) == "action-successful"
    """
    authors_here(tests, f"--clients-register-url={running.origin}{path}").assert_outcomes(passed=1)


def test_a_control_token_comes_from_the_variable_of_the_server(
    authors_here: Run, start_stub: Callable[..., LiveStub], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start_stub(control_token="a-token")
    monkeypatch.setenv("CLIENTS_REGISTER_CONTROL_TOKEN", "a-token")
    authors_here(ONE_SUCCESS, "--clients-register-url", running.origin).assert_outcomes(passed=1)


def test_a_url_without_a_stub_is_named(authors_here: Run) -> None:
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}"
        done = authors_here(ONE_SUCCESS, "--clients-register-url", url)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(f"*expected a stub at {url}, found none*clients-register serve*")


def test_the_stub_takes_further_options(authors: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nclients_register_serve = --seed 'my seed.yaml' --base-path /v2")
    pytester.path.joinpath("my seed.yaml").write_text("services: []\n")
    done = authors(
        """
    def test_seed(clients_register):
        assert clients_register.url.endswith("/v2/clients/register")
        assert status(clients_register) == "service-not-found"
    """
    )
    done.assert_outcomes(passed=1)


def test_a_stub_that_does_not_start_says_why(authors_here: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nclients_register_serve = --spellnig x")
    done = authors_here(ONE_SUCCESS)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines("*did not start*unknown option --spellnig; did you mean --spelling?*")


def test_modules_beside_the_tests_are_not_taken_for_the_stubs_own(
    unsteered: None, tmp_path: Path
) -> None:
    (tmp_path / "yaml.py").write_text("raise RuntimeError('not meant')")
    with start_stub(tmp_path, [], tmp_path) as origin, Stub(origin) as stub:
        assert stub.coverage()["met"] == 0


def test_answers_are_forced_by_script_and_by_header(authors_on_stub: Run) -> None:
    done = authors_on_stub(
        """
    def test_script(clients_register):
        clients_register.force("mandrill-email-failed", {"fault": "empty"})
        assert status(clients_register) == "mandrill-email-failed"
        with pytest.raises(httpx2.RemoteProtocolError):
            status(clients_register)
        # The rules had answered before the connection broke.
        assert status(clients_register) == "email-already-registered"

    def test_header(clients_register):
        found = status(clients_register, Prefer="example=application-crash")
        assert found == "application-crash"
    """
    )
    done.assert_outcomes(passed=2)


def test_an_unknown_status_is_refused_with_a_hint(authors_on_stub: Run) -> None:
    done = authors_on_stub(
        """
    from clients_register.testing.world import ControlError

    def test_script(clients_register):
        with pytest.raises(ControlError, match="invalid-token"):
            clients_register.force("invalid-tokn")
    """
    )
    done.assert_outcomes(passed=1)


def test_the_clock_moves_for_one_test_alone(authors_on_stub: Run) -> None:
    done = authors_on_stub(
        """
    def test_clock(clients_register):
        clients_register.control("PUT", "/sessions/mine", {"email": "client@personas.test"})
        client = {"email": "ada@example.test", "password": "correct horse"}
        params = {"application": "planoauth", "client": client, "token": "mine"}
        clients_register.clock.advance("P8D")
        assert clients_register.send(params).json()["status"] == "session-expired"

    def test_fixed(clients_register):
        clients_register.clock.set("2040-01-15T09:30:00Z", frozen=True)
        assert clients_register.clock.now == "2040-01-15T09:30:00.000Z"

    def test_none(clients_register):
        assert clients_register.control("GET", "/clock")["ahead"] == 0
    """
    )
    done.assert_outcomes(passed=3)


def test_mails_requests_and_coverage_are_read_back(authors_on_stub: Run) -> None:
    done = authors_on_stub(
        """
    def test_evidence(clients_register):
        assert clients_register.outbox() == []
        assert status(clients_register, "grace+1@example.test") == "action-successful"
        assert status(clients_register, "other@example.test") == "action-successful"
        mail = clients_register.latest_mail("grace+1@example.test")
        assert mail["to"] == "grace+1@example.test"
        first, second = clients_register.requests()
        assert first["id"] == mail["request_id"]
        assert clients_register.outbox("grace+1@example.test", wait=1) == [mail]
        assert clients_register.outbox(request=second["id"])[0]["to"] == "other@example.test"
        assert clients_register.coverage()["met"] == 1
    """
    )
    done.assert_outcomes(passed=1)


def test_a_failed_test_shows_what_the_stub_was_asked_and_why_it_answered_so(
    authors_on_stub: Run,
) -> None:
    done = authors_on_stub(
        """
    def test_wrong(clients_register):
        assert status(clients_register, "ada") == "action-successful"
    """
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["*Captured clients-register teardown*", "POST */clients/register -> 400 invalid-param: *"]
    )


# The body of a test -> what its report says, at the line that is marked with `# here`.
UNUSED = {
    "no request": (
        """
        clients_register.force("invalid-token", "session-expired")  # here
        """,
        "no request used 2 of 2 forced responses: invalid-token, session-expired. Requests to"
        " /api/v1/clients/register in this world: 0; does the program under test use the base URL"
        " http://*/_world/test_unused-*/api/v1?",
    ),
    "another path": (
        """
        clients_register.force("invalid-token")  # here
        httpx2.post(clients_register.root + "/clients/register")
        """,
        "*Requests to /api/v1/clients/register in this world: 0; does the program*",
    ),
    "too few": (
        """
        clients_register.force("invalid-token", {"fault": "reset"}, {"delay": 1})  # here
        assert status(clients_register) == "invalid-token"
        """,
        "no request used 2 of 3 forced responses: reset, a delay. Requests to"
        " /api/v1/clients/register in this world: 1; clear the rest with force() where that is"
        " intended",
    ),
    "of a helper": (
        """
        def prepare():
            clients_register.force("invalid-token")  # here

        prepare()
        """,
        "no request used 1 of 1 *",
    ),
}


@pytest.mark.parametrize("case", UNUSED)
def test_a_forced_response_that_is_never_requested_fails_the_test_at_its_line(
    authors_on_stub: Run, case: str
) -> None:
    body, told = UNUSED[case]
    done = authors_on_stub(f"    def test_unused(clients_register):{body}")
    done.assert_outcomes(failed=1)
    lines = [">*  # here", f"E *UnusedResponses: {told}", "", "test_*.py:*: UnusedResponses"]
    done.stdout.fnmatch_lines(lines)
    done.stdout.no_fnmatch_line("*world.py*")


def test_forced_responses_that_need_no_request_are_let_pass(authors_on_stub: Run) -> None:
    done = authors_on_stub(
        """
    def test_used_once(clients_register):
        clients_register.force({"slug": "invalid-token", "times": 2})
        assert status(clients_register) == "invalid-token"

    def test_cleared(clients_register):
        clients_register.force("invalid-token")
        clients_register.force()

    def test_restored(clients_register):
        clients_register.force("invalid-token")
        clients_register.restore()

    def test_skipped(clients_register):
        clients_register.force("invalid-token")
        pytest.skip("for another reason")
    """
    )
    done.assert_outcomes(passed=3, skipped=1)


def test_a_test_that_fails_anyway_says_nothing_of_unused_responses(authors_on_stub: Run) -> None:
    done = authors_on_stub(
        """
    def test_wrong(clients_register):
        clients_register.force("invalid-token")
        assert status(clients_register, "ada") == "action-successful"

    def test_not_even_requested(clients_register):
        clients_register.force("invalid-token")
        raise RuntimeError
    """
    )
    done.assert_outcomes(failed=2)
    done.stdout.no_fnmatch_line("*UnusedResponses*")


@pytest.mark.parametrize(
    "call",
    [
        'clients_register.force("invalid-tokn")',
        'clients_register.clock.advance("a week")',
        'clients_register.latest_mail("ada@example.test", wait=0)',
        'clients_register.restore("nothing")',
        'clients_register_stub.control("PUT", "/nothing")',
    ],
)
def test_the_traceback_of_a_refused_call_ends_in_the_test(authors_on_stub: Run, call: str) -> None:
    done = authors_on_stub(
        f"    def test_refused(clients_register, clients_register_stub):\n        {call}"
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines([f">       {call}", "E *ControlError: *", "test_*: ControlError"])
    done.stdout.no_fnmatch_line("*world.py*")


def test_a_stub_that_has_gone_is_told_as_such(authors_on_stub: Run) -> None:
    done = authors_on_stub(
        """
    def test_gone(clients_register_stub):
        with clients_register_stub.world("gone") as world:
            world.root = "http://127.0.0.1:1"
            world.coverage()
    """
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines("E *ControlError: GET http://127.0.0.1:1/_mock/*: no response: *")


def test_a_control_call_that_fails_without_a_problem_shows_the_response(
    authors_on_stub: Run,
) -> None:
    done = authors_on_stub(
        """
    def test_met(clients_register):
        clients_register.control("GET", "/coverage?require=invalid-token")
    """
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines('E *ControlError: GET *: found the code 409: *"invalid-token"*')


def test_the_example_of_its_page_passes(authors_on_stub: Run) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    program = """
    class MyApp:
        session = {}

        def __init__(self, api):
            self.route = f"{api}/clients/register"

        def register(self, email, password):
            client = {"email": email, "password": password}
            params = {"application": "planoauth", "client": client} | self.session
            body = base64.b64encode(json.dumps(params).encode())
            answer = httpx2.post(self.route, content=body, headers={"Content-Type": "text/plain"})
            envelope = answer.json()
            if envelope["status"] == "action-successful":
                self.session = {"token": envelope["session"]["token"]}
            return MESSAGES.get(envelope["status"], "")

    MESSAGES = {
        "mandrill-email-failed": "You are registered, but our e-mail to you failed",
        "session-expired": "Please log in again",
    }
    """
    authors_on_stub(
        f"    import base64, json\n{program}\n{indent(example, '    ')}"
    ).assert_outcomes(passed=2)


def test_nothing_but_pytest_is_imported_before_the_plugin_is_used() -> None:
    script = """
import sys
import pytest
before = set(sys.modules)
import clients_register.testing.plugin
print(*sorted(set(sys.modules) - before))
"""
    found = subprocess.run(
        [sys.executable, "-c", dedent(script)],
        check=True,
        capture_output=True,
        env={k: v for k, v in environment().items() if not k.startswith("COV")},
        text=True,
    )
    assert found.stdout.split() == [
        "clients_register",
        "clients_register.testing",
        "clients_register.testing.plugin",
    ]


# A test that says where its stub is, and never ends.
ENDLESS = """
    import os, signal, sys

    def test_endless(clients_register_stub):
        print(clients_register_stub.root, file=sys.__stdout__, flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot watch standard input")
def test_a_stub_ends_with_its_tests_even_if_they_are_killed(
    pytester: pytest.Pytester, unsteered: None
) -> None:
    pytester.makepyfile(dedent(PREAMBLE + ENDLESS))
    command = [sys.executable, "-m", "pytest", "-s", *OPTIONS]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=pytester.path) as tests,
        kill_when_hung(tests),
    ):
        assert tests.stdout is not None
        origin = next(line for line in tests.stdout if "http://" in line).strip().split()[-1]
        host, _, port = origin.removeprefix("http://").partition(":")
        assert listens((host, int(port)))
        tests.kill()
    until(lambda: not listens((host, int(port))))
