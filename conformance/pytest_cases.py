"""The suite as a pytest plugin: each case is a test.

    pytest --clients-register-verify http://127.0.0.1:4018/api/v1 -k email-taken
    pytest --clients-register-profile staging.yaml -n 4 --junit-xml report.xml

Without one of these options, the plugin does nothing and imports nothing of the suite.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

if TYPE_CHECKING:
    from clients_register.conformance.case import Case
    from clients_register.conformance.results import Result
    from clients_register.conformance.target import Limiter, Target


class CaseFailed(Exception):
    """A case has a failing verdict; the message shows it like the output of `verify`."""


URL_OPTION = "--clients-register-verify"
PROFILE_OPTION = "--clients-register-profile"
STRICT_OPTION = "--clients-register-strict"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("clients-register", "conformance of a server of the route")
    group.addoption(URL_OPTION, metavar="URL", help="judge the server at this base URL")
    group.addoption(PROFILE_OPTION, metavar="FILE", help="judge the target of this profile")
    group.addoption(STRICT_OPTION, action="store_true", help="fail on warnings and notes, too")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Adds the cases, before other plugins select and order the tests."""
    if config.getoption(URL_OPTION) or config.getoption(PROFILE_OPTION):
        items += _collect(session, config)


def _collect(session: pytest.Session, config: pytest.Config) -> Iterator["CaseItem"]:
    import asyncio

    from clients_register.conformance import cli, detection
    from clients_register.conformance.case import CaseError, load_cases
    from clients_register.conformance.escaping import escape
    from clients_register.conformance.profiles import load_profile
    from clients_register.conformance.target import Limiter, ProfileError

    url, profile = config.getoption(URL_OPTION), config.getoption(PROFILE_OPTION)
    try:
        if url and profile:
            raise ProfileError(f"expected {URL_OPTION} or {PROFILE_OPTION}, and not both")
        target = load_profile(Path(profile)) if profile else cli.target_at(url)
        asyncio.run(cli.check_target(target))
        cases = load_cases()
    except (ProfileError, CaseError, detection.Unreachable) as error:
        raise pytest.UsageError(escape(str(error), multiline=True)) from None
    request_ids: set[str] = set()
    limiter = Limiter(target.limits.share(*_worker(config)))
    for case in cases:
        yield CaseItem.from_parent(
            session,
            name=case.id,
            nodeid=f"clients-register::{case.id}",
            case=case,
            target=target,
            request_ids=request_ids,
            limiter=limiter,
        )


def _worker(config: pytest.Config) -> tuple[int, int]:
    """Returns the number of this process among those of pytest-xdist, and how many they are."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return 0, 1
    return int(worker["workerid"].removeprefix("gw")), int(worker["workercount"])


class CaseItem(pytest.Item):
    """One case as a test."""

    def __init__(
        self,
        *,
        case: "Case",
        target: "Target",
        request_ids: set[str],
        limiter: "Limiter",
        **kwargs: Any,
    ) -> None:
        """`request_ids` are those of all responses so far, which the cases share."""
        super().__init__(**kwargs)
        self.case = case
        self._request_ids = request_ids
        self._target = target
        self._limiter = limiter
        for word in (case.area, case.claims, *case.keys):
            self.extra_keyword_matches.add(word)
        self.user_properties += [("requirement", key) for key in case.requires]

    @override
    def runtest(self) -> None:
        import asyncio

        from clients_register.conformance.control import control_token
        from clients_register.conformance.escaping import escape
        from clients_register.conformance.redaction import redactor_for
        from clients_register.conformance.results import Verdict, fails_run
        from clients_register.conformance.runner import SuiteRunner
        from clients_register.spec.statuses import load_statuses

        runner = SuiteRunner(
            [self.case],
            self._target,
            load_statuses(),
            control_token=control_token(),
            request_ids=self._request_ids,
            limiter=self._limiter,
        )
        asyncio.run(runner.run())
        (result,) = runner.results
        for each in runner.warnings:
            self.warn(pytest.PytestWarning(escape(each)))
        reason = escape(redactor_for(self._target, result).redact_received(result.reason or ""))
        if result.verdict in (Verdict.NOT_CLAIMED, Verdict.NOT_ARRANGED):
            pytest.skip(f"{result.verdict}: {reason}")
        if result.verdict is Verdict.EXPECTED_FAILURE:
            pytest.xfail(reason)
        strict = self.config.getoption(STRICT_OPTION)
        if result.verdict is Verdict.ERROR or fails_run(result, strict=strict):
            raise CaseFailed(self._render(result, strict=strict))

    @override
    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        # Without a traceback of the suite.
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    @override
    def reportinfo(self) -> tuple[Path, None, str]:
        return Path("clients-register"), None, f"{self.case.id}: {self.case.title}"

    def _render(self, result: "Result", *, strict: bool) -> str:
        from datetime import UTC, datetime

        from clients_register.conformance.decision import collect_evidence, decide
        from clients_register.conformance.report import render_terminal
        from clients_register.conformance.report.build import RunSummary, build_report
        from clients_register.spec.statuses import load_statuses

        profile = self.config.getoption(PROFILE_OPTION)
        evidence = collect_evidence([result], self._target, complete=False)
        summary = RunSummary(
            started=datetime.now(UTC),
            seconds=result.seconds,
            strict=strict,
            command=["verify", *(["--profile", profile] if profile else [self._target.base_url])],
            evidence=evidence,
            decision=decide([result], evidence, strict=strict),
        )
        report = build_report([result], self._target, load_statuses(), summary)
        return render_terminal(report, color=False, verbose=True)
