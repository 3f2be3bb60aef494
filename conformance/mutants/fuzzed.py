"""What fuzzing alone finds among the mutants, beside plain Schemathesis: `mutants --fuzz`."""

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

from clients_register import spec
from clients_register.conformance import asking
from clients_register.conformance.mutants.model import NONE, Mutant
from clients_register.conformance.verdicts import Exit, violations

# Both begin from this, so that a table can be made again.
SEED = 1

# More than a campaign sends in the time that it has.
REQUESTS = 20_000

# What Schemathesis, told nothing about the route, can check of the right server: what the document
# promises of answers. The other checks judge what the route is documented to do (to answer 500 to
# an unknown route, to refuse base64 of something else than JSON), and fail whatever they meet.
CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@dataclass(frozen=True)
class Met:
    """What became of one mutant: the layer that found it and after how many requests, if any."""

    mutant: Mutant
    layer: str | None
    requests: int
    by_schemathesis: bool

    @property
    def row(self) -> tuple[str, ...]:
        """As the table has it."""
        found = f"{self.layer}, {self.requests:,} requests" if self.layer else "-"
        return (
            self.mutant.name,
            found,
            "found" if self.by_schemathesis else "-",
            self.mutant.about,
        )


async def measure(among: Sequence[Mutant], seconds: float, jobs: int) -> int:
    """Prints the table; returns 1 where the right server is found at fault."""
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.yaml"
        document.write_text(spec.text("openapi"), "utf-8")
        right = Mutant(NONE, "", "", ())
        for name, wrong in (await _meet(right, seconds, document)).items():
            if wrong:
                print(f"{name} finds fault with the right server", file=sys.stderr)
                return Exit.VIOLATION
        free = asyncio.Semaphore(jobs)

        async def meet(mutant: Mutant) -> Met:
            async with free:
                found = await _meet(mutant, seconds, document)
            layer, requests = found["fuzz"] or (None, 0)
            return Met(mutant, layer, requests, bool(found["schemathesis"]))

        met = await asyncio.gather(*map(meet, among))
    heads = ("mutant", "fuzz", "schemathesis", "fault")
    print(asking.table([heads, *(each.row for each in met)]), end="")
    fuzz, plain = sum(bool(e.layer) for e in met), sum(e.by_schemathesis for e in met)
    print(f"of {len(met)} mutants fuzz finds {fuzz}, plain Schemathesis {plain}")
    return Exit.GOOD


async def _meet(mutant: Mutant, seconds: float, document: Path) -> dict[str, Any]:
    async with _served(mutant.name) as base:
        return {
            "fuzz": await _fuzz(base, seconds, document.with_name(f"{mutant.name}.json")),
            "schemathesis": await _schemathesis(base, document),
        }


@asynccontextmanager
async def _served(name: str) -> AsyncIterator[str]:
    """The base URL of a mutant in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clients_register.conformance.mutants", name),
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
        # A Ctrl-C is for the command, which terminates this process.
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
    """The layer that found a fault first, and how many requests that took."""
    await _run(
        *("-m", "clients_register", "fuzz", base, "--strict", "--first", "--quiet"),
        *("--seed", str(SEED), "--requests", str(REQUESTS), "--seconds", str(seconds)),
        *("--corpus", str(report.with_suffix("")), "--report", str(report)),
    )
    return await asyncio.to_thread(_first_fault, report)


def _first_fault(report: Path) -> tuple[str, int] | None:
    told = json.loads(report.read_text("utf-8"))
    bad = [each for each in told["cases"] if each["verdict"] in violations(strict=True)]
    return (str(bad[0]["title"].partition(":")[0]), told["fuzz"]["requests"]) if bad else None


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
