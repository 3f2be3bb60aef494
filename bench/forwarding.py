"""Measures what `serve --upstream` adds to a request, compared with nginx.

    python bench/forwarding.py [--rounds N] [--seconds N]

Both forward the same request to the bare application (bare.py), with 1 and with 32 connections of
wrk. Each round measures the application alone, then each of the two. The table shows medians of all
rounds; "added" is the time of one request less that of the application alone.

The servers and wrk share all processors, since a forwarded request keeps two servers busy at once.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import servers
import wrk

CONNECTIONS = (1, 32)
PATH = "/api/v1/projects"

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream backend {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_buffering off;
      proxy_request_buffering off;
    }}
  }}
}}
"""


@contextmanager
def nginx(upstream: int) -> Iterator[servers.Server]:
    """Runs nginx as a reverse proxy that streams, as the stub does."""
    port = servers.free_port()
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(NGINX.format(folder=folder, upstream=upstream, port=port))
        with servers.running(["nginx", "-c", str(configuration)], port) as server:
            yield server


def measure(rounds: int, seconds: int) -> dict[tuple[str, int], list[wrk.Load]]:
    """Measures all servers in turn, `rounds` times."""
    loads: dict[tuple[str, int], list[wrk.Load]] = {}
    with ExitStack() as stack:
        backend = stack.enter_context(servers.bare("bytes"))
        running = {"the application alone": backend}
        if shutil.which("nginx") is None:
            print("nginx: absent; run `apt-get install nginx-light`")
        else:
            running["nginx"] = stack.enter_context(nginx(backend.port))
        upstream = f"http://127.0.0.1:{backend.port}"
        running["serve --upstream"] = stack.enter_context(servers.product("--upstream", upstream))
        load = partial(wrk.load, kind="forced", seconds=seconds, path=PATH, run="")
        for number in range(-1, rounds):
            for connections in CONNECTIONS:
                for name, server in running.items():
                    found = load(server, connections=connections)
                    # The first round warms up.
                    if number >= 0:
                        loads.setdefault((name, connections), []).append(found)
    return loads


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    wrk.require()
    loads = measure(options.rounds, options.seconds)
    print(f"{options.rounds} rounds of {options.seconds} s on {os.cpu_count()} processors")
    print(
        f"{'':<24}{'':>4}{'requests/s':>12}{'added ms':>10}{'p99 ms':>9}{'compared with nginx':>22}"
    )
    for (name, connections), found in loads.items():
        alone = loads["the application alone", connections]
        added = [
            connections * (1 / each.rate - 1 / least.rate)
            for each, least in zip(found, alone, strict=True)
        ]
        print(
            f"{name:<24}{connections:>4}{median([each.rate for each in found]):>12,.0f}"
            f"{median(added) * 1e3:>10.2f}{median([each.latency for each in found]) * 1e3:>9.2f}"
            f"{ratio(found, loads.get(('nginx', connections), [])):>22}"
        )


def ratio(found: Sequence[wrk.Load], nginx_found: Sequence[wrk.Load]) -> str:
    """Compares requests per second, round by round."""
    ratios = [own.rate / other.rate for own, other in zip(found, nginx_found, strict=False)]
    return f"x{median(ratios):.2f}" if ratios else ""


median = statistics.median


if __name__ == "__main__":
    main()
