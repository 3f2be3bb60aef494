"""The next answers of a world, as its tests wrote them down beforehand."""

import random
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(slots=True)
class Item:
    """One line of a script. Without a `slug` the real rules answer, `delay`ed or broken by `fault`.

    `after` real answers pass first, then it counts for `times` answers; of these it strikes the
    share `rate`, drawn by `seed`. `delay` is in seconds.
    """

    slug: str | None = None
    times: int = 1
    after: int = 0
    delay: float = 0
    rate: float = 1
    seed: int = 0
    fault: str | None = None
    draws: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        self.draws.seed(self.seed)

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
        # Every answer draws, so that the same seed strikes the same answers of a series.
        return item if item.draws.random() < item.rate else None

    def copy_from(self, other: "Script") -> None:
        """The items that `other` has left, each with draws of its own from where they stand."""
        self.items = []
        for item in other.items:
            copied = replace(item, draws=random.Random())  # noqa: S311 - nothing secret is drawn
            copied.draws.setstate(item.draws.getstate())
            self.items.append(copied)
