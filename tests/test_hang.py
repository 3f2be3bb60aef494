"""The hang limit of the tests: it counts from the last sign of life."""

import os
import signal
import subprocess
import sys

import pytest
from support import limits
from support.limits import LIMIT, Hung, Watch, communicate, kill_when_hung, processor_seconds


def test_the_limit_counts_from_the_last_change_of_a_sign() -> None:
    present = 0.0
    watch = Watch(lambda: present)
    for sign in range(3):
        watch.check(sign)
        present += LIMIT
        watch.check(sign)
    present += 1
    with pytest.raises(Hung, match="no sign of life"):
        watch.check(2)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_processor_time_is_read_with_that_of_children() -> None:
    used = sum(os.times()[:4])
    assert processor_seconds(os.getpid()) >= int(used)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("reading", [False, True])
def test_a_process_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch, *, reading: bool) -> None:
    monkeypatch.setattr(limits, "LIMIT", 0.01)
    with subprocess.Popen(
        [sys.executable, "-c", "import signal; print('started', flush=True); signal.pause()"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        if reading:
            assert process.stdout is not None
            with kill_when_hung(process):
                process.stdout.read()
        else:
            with pytest.raises(Hung):
                communicate(process)
    assert process.returncode == -signal.SIGKILL
