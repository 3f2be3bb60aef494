"""How often a campaign reached each status, each rule, and each keyword of each parameter."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from clients_register.conformance.fuzzing import addresses
from clients_register.conformance.fuzzing.oracle import Allowed
from clients_register.conformance.fuzzing.params import PARAMETERS, Params, has_type
from clients_register.spec.statuses import StatusTable


@dataclass
class Tally:
    """Counts, by layer where they say so. `keywords` are (parameter, keyword, kept or broken).

    `created` are the clients that may be there now, address -> id, on a target where they stay.
    """

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    keywords: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    unparseable: int = 0
    overloaded: int = 0
    created: dict[str, int | None] = field(default_factory=dict)

    def count(self, layer: str, slug: str | None, allowed: Allowed) -> None:
        """One more answer."""
        self.requests[layer] += 1
        self.statuses[slug or "none"] += 1
        self.facts.update({each.fact for each in allowed.faults if not each.doubtful})
        if allowed.params.values or allowed.params.blank:
            self._keywords(allowed)

    def _keywords(self, allowed: Allowed) -> None:
        told = {(each.attr, each.message) for each in allowed.faults}
        params = allowed.params
        for parameter in PARAMETERS:
            path = parameter.path
            if parameter.required and (not parameter.container or params[parameter.container]):
                self.keywords[path, "required", path in params.values] += 1
            if path in params.blank:
                self.keywords[path, "blank", True] += 1
            if path not in params.values:
                continue
            self.keywords[path, "type", has_type(parameter, params[path])] += 1
            if parameter.max_length is not None:
                self.keywords[path, "maxLength", (path, "too_long") not in told] += 1
            if parameter.view_of is not None or path in ("application", "client.company_id"):
                self.keywords[path, "known", (path, "unrecognized") not in told] += 1
            if path == "client.email":
                self._form(params)

    def _form(self, params: Params) -> None:
        if params.email is not None:
            formed = addresses.form(params.email)
            if formed is not addresses.Form.OPEN:
                self.keywords["client.email", "format", formed is addresses.Form.GOOD] += 1

    def told(self, statuses: StatusTable) -> dict[str, Any]:
        """The counts as a report has them."""
        rules = [(row.slug, fact) for row in statuses.rows for fact in row.rules]
        pairs = sorted({(path, word) for path, word, _ in self.keywords})
        order = {each.path: place for place, each in enumerate(PARAMETERS)}
        return {
            "layers": dict(self.requests),
            "statuses": [{"slug": each.slug, "met": self.statuses[each.slug]} for each in statuses],
            "rules": [
                {"fact": fact, "status": slug, "broken": self.facts[fact]} for slug, fact in rules
            ],
            "keywords": [
                {
                    "parameter": path,
                    "keyword": word,
                    "kept": self.keywords[path, word, True],
                    "broken": self.keywords[path, word, False],
                }
                for path, word in sorted(pairs, key=lambda pair: (order[pair[0]], pair[1]))
            ],
            "unparseable": self.unparseable,
            "overloaded": self.overloaded,
        }
