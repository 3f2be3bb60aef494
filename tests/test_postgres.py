"""The PostgreSQL server of the tests."""

import os
import signal
from unittest import mock

import pytest
from support.postgres import SHARED, Server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=lambda n: n.name)
def test_stopping_signals_the_server_and_none_of_its_children(
    mortal: Server, number: signal.Signals
) -> None:
    pid = int(mortal.told(SHARED, "SELECT pg_read_file('postmaster.pid')")[0][0].split()[0])
    with mock.patch.object(os, "kill", wraps=os.kill) as kill:
        mortal.stop(number)
    try:
        assert kill.call_args_list == [mock.call(pid, number)]
    finally:
        mortal.start()
