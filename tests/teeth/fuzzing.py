"""Mutants that fuzzing alone finds, compared with plain Schemathesis: `--fuzz`."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teeth.mutants import NONE, Mutant

from clients_register import spec
from clients_register.conformance.cli import format_table
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.results import failing_verdicts

# The seed of both, so that the table is repeatable.
SEED = 1

# More than a campaign can send in its time.
REQUESTS = 20_000

# The Schemathesis checks that the correct server passes: what the document promises of responses.
# The others judge what the route is documented to do (answer 500 to an unknown route, refuse base64
# of anything but JSON) and fail on every server.
CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@dataclass(frozen=True)
class Found:
    """The layer of fuzzing that found a mutant, if any, and the number of requests it took."""

    mutant: Mutant
    layer: str | None
    requests: int
    by_schemathesis: bool

    @property
    def row(self) -> tuple[str, ...]:
        """Name, what fuzzing and Schemathesis found, and the fault, as printed."""
        found = f"{self.layer}, {self.requests:,} requests" if self.layer else "-"
        return (
            self.mutant.name,
            found,
            "found" if self.by_schemathesis else "-",
            self.mutant.about,
        )


async def measure(mutants: Sequence[Mutant], seconds: float, jobs: int) -> int:
    """Prints the table; returns 1 if a fault is found in the correct server."""
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.yaml"
        document.write_text(spec.text("openapi"), "utf-8")
        correct = Mutant(NONE, "", "", ())
        for name, fault in (await _fuzz_both(correct, seconds, document)).items():
            if fault:
                print(f"{name} finds a fault in the correct server", file=sys.stderr)
                return ExitCode.VIOLATION
        free = asyncio.Semaphore(jobs)

        async def find(mutant: Mutant) -> Found:
            async with free:
                both = await _fuzz_both(mutant, seconds, document)
            layer, requests = both["fuzz"] or (None, 0)
            return Found(mutant, layer, requests, bool(both["schemathesis"]))

        found = await asyncio.gather(*map(find, mutants))
    heads = ("mutant", "fuzz", "schemathesis", "fault")
    print(format_table([heads, *(each.row for each in found)]), end="")
    fuzz = sum(bool(each.layer) for each in found)
    plain = sum(each.by_schemathesis for each in found)
    print(f"of {len(found)} mutants fuzz finds {fuzz}, plain Schemathesis {plain}")
    return ExitCode.SUCCESS


async def _fuzz_both(mutant: Mutant, seconds: float, document: Path) -> dict[str, Any]:
    async with _served(mutant.name) as base:
        return {
            "fuzz": await _fuzz(base, seconds, document.with_name(f"{mutant.name}.json")),
            "schemathesis": await _schemathesis(base, document),
        }


@asynccontextmanager
async def _served(name: str) -> AsyncIterator[str]:
    """The base URL of a mutant in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "teeth.serving", name),
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
        # Ctrl-C interrupts this command alone, which then terminates the process.
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        if not line.startswith("listening "):
            raise RuntimeError(f"the mutant {name} does not start")
        yield line.split()[1]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _fuzz(base: str, seconds: float, report: Path) -> tuple[str, int] | None:
    """The layer that found a fault first, and the number of requests it took."""
    await _run(
        *("-m", "clients_register", "fuzz", base, "--strict", "--first", "--quiet"),
        *("--seed", str(SEED), "--requests", str(REQUESTS), "--seconds", str(seconds)),
        *("--corpus", str(report.with_suffix("")), "--report", str(report)),
    )
    return await asyncio.to_thread(_first_fault, report)


def _first_fault(report: Path) -> tuple[str, int] | None:
    content = json.loads(report.read_text("utf-8"))
    # A layer that found a fault has none of its own.
    bad = [
        case
        for case in content["cases"]
        if case["findings"] and case["verdict"] in failing_verdicts(strict=True)
    ]
    return (str(bad[0]["title"].partition(":")[0]), content["fuzz"]["requests"]) if bad else None


async def _schemathesis(base: str, document: Path) -> bool:
    code = await _run(
        *("-m", "schemathesis.cli", "run", str(document), "--url", base, "--checks"),
        *(",".join(CHECKS), "--max-examples", "300", "--continue-on-failure", "--no-color"),
        *("--seed", str(SEED)),
    )
    return code != 0


async def _run(*words: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *words),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        stdin=asyncio.subprocess.DEVNULL,
        env=os.environ | {"NO_COLOR": "1"},
    )
    return await process.wait()
