"""The suite as a pytest plugin: each case is a test, with all that pytest does with tests.

    pytest --clients-register-verify http://127.0.0.1:4018/api/v1 -k email-taken
    pytest --clients-register-profile staging.yaml -n 4 --junit-xml report.xml

Without one of its options it does nothing, and imports nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clients_register.conformance.findings import Result
    from clients_register.conformance.model import Case
    from clients_register.conformance.target import Target


class CaseFailed(Exception):
    """A case came to a verdict that fails; the message tells it as the terminal does."""


URL = "--clients-register-verify"
PROFILE = "--clients-register-profile"
STRICT = "--clients-register-strict"


def pytest_addoption(parser: pytest.Parser) -> None:
    """See pytest."""
    group = parser.getgroup("clients-register", "conformance of a server that claims the route")
    group.addoption(URL, metavar="URL", help="judge the server at this base URL")
    group.addoption(PROFILE, metavar="FILE", help="judge the target of this profile")
    group.addoption(STRICT, action="store_true", help="fail on warnings and notes, too")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Adds the cases, before other plugins choose among the tests."""
    if config.getoption(URL) or config.getoption(PROFILE):
        items += _items(session, config)


def _items(session: pytest.Session, config: pytest.Config) -> Iterator["CaseItem"]:
    import asyncio

    from clients_register.conformance import asking, library, probing, profiles, target
    from clients_register.spec.statuses import load_statuses

    url, profile = config.getoption(URL), config.getoption(PROFILE)
    try:
        if url and profile:
            raise target.ProfileError(f"expected {URL} or {PROFILE}, and not both")
        judged = profiles.read(Path(profile)) if profile else asking.found_out(url)
        checks = asyncio.run(probing.smoke(judged, load_statuses()))
        probing.is_this_api(checks, judged)
        cases = library.shipped()
    except (target.ProfileError, library.CaseError, probing.Unreachable) as error:
        raise pytest.UsageError(str(error)) from None
    for case in cases:
        yield CaseItem.from_parent(
            session, name=case.id, nodeid=f"clients-register::{case.id}", case=case, target=judged
        )


class CaseItem(pytest.Item):
    """One case as a test."""

    def __init__(self, *, case: "Case", target: "Target", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        self._target = target
        for word in (case.area, case.claims, *case.requires, *case.questions):
            self.extra_keyword_matches.add(word)
        self.user_properties += [("requirement", key) for key in case.requires]

    def runtest(self) -> None:
        """Runs the case. Raises CaseFailed."""
        import asyncio

        from clients_register.conformance import asking
        from clients_register.conformance.running import run
        from clients_register.conformance.verdicts import Verdict, violations
        from clients_register.spec.statuses import load_statuses

        token = asking.control_token()
        (result,) = asyncio.run(
            run([self.case], self._target, load_statuses(), control_token=token)
        )
        if result.verdict in (Verdict.NOT_CLAIMED, Verdict.NOT_ARRANGED):
            pytest.skip(f"{result.verdict}: {result.reason}")
        if result.verdict is Verdict.EXPECTED_FAILURE:
            pytest.xfail(result.reason or "")
        strict = self.config.getoption(STRICT)
        if result.verdict is Verdict.ERROR or result.verdict in violations(strict=strict):
            raise CaseFailed(self._told(result, strict=strict))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is printed of a failure: what the case tells, and no traceback of the suite."""
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is from, and its name."""
        return Path("clients-register"), None, f"{self.case.id}: {self.case.title}"

    def _told(self, result: "Result", *, strict: bool) -> str:
        from datetime import UTC, datetime

        from clients_register.conformance import deciding, recording
        from clients_register.conformance.reporting import terminal
        from clients_register.spec.statuses import load_statuses

        profile = self.config.getoption(PROFILE)
        evidence = deciding.evidence([result], self._target, whole=False)
        whole = recording.Run(
            started=datetime.now(UTC),
            seconds=result.seconds,
            strict=strict,
            command=["verify", *(["--profile", profile] if profile else [self._target.base_url])],
            evidence=evidence,
            decision=deciding.decide([result], evidence, strict=strict),
        )
        return terminal(
            recording.report([result], self._target, load_statuses(), whole), colour=False
        )
