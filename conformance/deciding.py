"""From the results of all cases to the exit code of a run, and the sentence that explains it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clients_register.conformance.findings import Result
from clients_register.conformance.target import Target
from clients_register.conformance.verdicts import RAN, Exit, Verdict, violations

# Fewer documented cases than these say nothing about a server, whatever their share.
FEWEST = 20


@dataclass(frozen=True)
class Evidence:
    """How many of the documented cases that a target claims were run."""

    documented: int
    run: int
    minimum: float
    whole: bool
    interrupted: bool = False

    @property
    def share(self) -> float:
        """The part that was run, from 0 to 1."""
        return self.run / self.documented if self.documented else 0.0

    @property
    def enough(self) -> bool:
        """Whether it says something. Of cases that were chosen by hand any number does."""
        if self.interrupted:
            return False
        if not self.whole:
            return self.run > 0 or self.documented == 0
        return self.share >= self.minimum and self.run >= FEWEST


def evidence(
    results: Sequence[Result], target: Target, *, whole: bool, interrupted: bool = False
) -> Evidence:
    """`whole`: all cases were asked for, and not only some."""
    claimed = [
        each for each in results if each.case.documented and each.verdict is not Verdict.NOT_CLAIMED
    ]
    ran = sum(each.verdict in RAN for each in claimed)
    return Evidence(len(claimed), ran, target.minimum_evidence, whole, interrupted)


def decide(results: Sequence[Result], found: Evidence, *, strict: bool) -> tuple[Exit, str]:
    """The exit code, and why."""
    counts = Counter(each.verdict for each in results)
    if counts[Verdict.ERROR]:
        return Exit.DEFECT, (
            f"{counts[Verdict.ERROR]} cases could not be judged: the target, something before it or"
            " the suite is defective"
        )
    bad = [
        verdict for verdict in Verdict if counts[verdict] and verdict in violations(strict=strict)
    ]
    if bad:
        told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in bad)
        return Exit.VIOLATION, f"the target violates the contract: {told}"
    ran = sum(counts[verdict] for verdict in RAN)
    if found.interrupted:
        return Exit.TOO_LITTLE, f"interrupted, after {ran} cases; nothing wrong was found in them"
    if not ran:
        return Exit.TOO_LITTLE, "no case was run, so nothing was seen"
    if not found.enough:
        return Exit.TOO_LITTLE, (
            f"too little was run: {found.run} of {found.documented} documented cases"
            f" ({found.share:.0%}), and {found.minimum:.0%} of them and {FEWEST} are needed"
        )
    return Exit.GOOD, f"the target keeps the contract in all {ran} cases that were run"
