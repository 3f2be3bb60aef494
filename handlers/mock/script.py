"""The next answers of a world, as its tests wrote them down beforehand."""

import random
from dataclasses import dataclass, replace
from typing import Any


@dataclass(slots=True)
class Item:
    """One line of a script. Without a `slug` the real rules answer, `delay`ed or broken by `fault`.

    `after` real answers pass first, then it counts for `times` answers; of these it strikes the
    share `rate`, drawn by `seed`. `delay` is in seconds, `drawn` counts the answers drawn for.
    """

    slug: str | None = None
    times: int = 1
    after: int = 0
    delay: float = 0
    rate: float = 1
    seed: int = 0
    fault: str | None = None
    drawn: int = 0

    def strikes(self) -> bool:
        """Draws for one more answer: the same seed strikes the same answers of a series."""
        self.drawn += 1
        if self.rate >= 1:
            return True
        # By the number of the draw and not from a series, so that a copied script draws the same.
        return random.Random(f"{self.seed} {self.drawn}").random() < self.rate  # noqa: S311

    def shown(self) -> dict[str, Any]:
        """What is left of it, as the control plane shows it."""
        names = ("slug", "times", "after", "delay", "rate", "seed", "fault")
        return {name: getattr(self, name) for name in names}


class Script:
    """Items that are used up from the front."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def next(self) -> Item | None:
        """What the answer to be given now is, or None where the real rules give it, whole."""
        if not self.items:
            return None
        item = self.items[0]
        if item.after > 0:
            item.after -= 1
            return None
        item.times -= 1
        if item.times <= 0:
            self.items.pop(0)
        return item if item.strikes() else None

    def copy_from(self, other: "Script") -> None:
        """Has items of its own that are equal to those of `other`."""
        self.items = [replace(item) for item in other.items]
