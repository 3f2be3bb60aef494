"""`python -m teeth.second --port 0`: serves until SIGTERM or SIGINT."""

import argparse
import signal
import sys
from contextlib import suppress

from teeth.second.server import Server


def main(argv: list[str]) -> int:
    """Prints one line, `listening http://127.0.0.1:PORT`, and serves; returns 0 when told to end.

    Raises OSError if the port is taken.
    """
    parser = argparse.ArgumentParser(
        prog="python -m teeth.second",
        description="Serve the contract a second time, for trying the conformance suite on.",
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    port = parser.parse_args(argv).port
    # Both are set, since whoever starts a program in the background may have it ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt), Server(port) as server:
        sys.stdout.write(f"listening http://127.0.0.1:{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
