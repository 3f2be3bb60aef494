"""Crashes of the stub itself get an envelope, too, and leave no secret in the log."""

from pathlib import Path

import pytest
from support.live import PASSWORD, LiveStub, registration

from clients_register.handlers.stub.state import Script

CRASHED = {"code": 500, "status": "identify-request-error"}


def test_a_crash_of_the_stub_is_an_envelope(
    stub: LiveStub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(_: Script) -> None:
        raise RuntimeError(PASSWORD)

    monkeypatch.setattr(Script, "next", crash)
    assert stub.sent(registration("a@b.test")).json() == CRASHED
    assert "RuntimeError" in caplog.text
    assert PASSWORD not in caplog.text
    monkeypatch.undo()
    assert stub.registered("a@b.test") == "action-successful"


@pytest.mark.files
def test_a_world_whose_file_is_damaged_is_an_envelope_and_a_line_in_the_log(
    stub: LiveStub, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(f"{stub.settings.data_file}.worlds")
    folder.mkdir()
    (folder / "ann.json").write_text("{", "utf-8")
    crashed = {"code": 500, "status": "application-crash"}
    assert stub.sent(registration("a@b.test"), "ann").json() == crashed
    assert "ann.json is damaged" in caplog.text
    assert stub.registered("a@b.test") == "action-successful", "the other worlds are whole"


@pytest.mark.files
def test_a_folder_of_worlds_that_cannot_be_created_is_explained(
    stub: LiveStub, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(f"{stub.settings.data_file}.worlds")
    folder.write_text("in the way", "utf-8")
    envelope = stub.sent(registration("a@b.test"), "ann").json()
    assert envelope == {"code": 500, "status": "application-crash"}
    problem = stub.control("GET", "/clients", world="bea")
    assert (problem.status_code, problem.headers["Mock-Error"]) == (500, "unusable-data")
    for message in (caplog.text, problem.json()["detail"]):
        assert f"the folder {folder}, which holds the data of named worlds, cannot be" in message
        assert "Traceback" not in message
    assert stub.registered("a@b.test") == "action-successful", "the default world is whole"


@pytest.mark.files
def test_a_data_file_that_was_removed_is_one_line_in_the_log(
    stub: LiveStub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.settings.data_file.unlink()
    for number in range(3):
        assert stub.registered(f"{number}@b.test") == "application-crash"
    (record,) = caplog.records
    assert f"another program removed, replaced or changed {stub.settings.data_file}" in (
        record.getMessage()
    )
    assert record.exc_info is None
    assert stub.control("POST", "/reset").headers["Mock-Error"] == "unusable-data"
