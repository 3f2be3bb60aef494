"""What goes wrong in the stub itself is an envelope, too, and leaves no secret in the log."""

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
