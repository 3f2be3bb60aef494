"""How often a campaign reached each status, each rule, and each keyword of each parameter."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from clients_register.conformance.fuzz.oracle import Prediction
from clients_register.conformance.fuzz.params import PARAMETERS, PassedParams, has_type
from clients_register.conformance.fuzz.world_model import AddressForm, classify_address
from clients_register.spec.statuses import StatusTable


@dataclass
class CampaignCoverage:
    """The counters of a campaign; `requests` by layer, `keywords` by (path, keyword, satisfied).

    `created` are the clients that may remain on a target that cannot be reset, as address to id.
    """

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    broken_rules: Counter[str] = field(default_factory=Counter)
    keywords: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    unparseable: int = 0
    overloaded: int = 0
    created: dict[str, int | None] = field(default_factory=dict)

    def count(self, layer: str, slug: str | None, prediction: Prediction) -> None:
        """Counts one response."""
        self.requests[layer] += 1
        self.statuses[slug or "none"] += 1
        self.broken_rules.update({each.rule for each in prediction.broken if not each.uncertain})
        if prediction.params.values or prediction.params.blank:
            self._count_keywords(prediction)

    def _count_keywords(self, prediction: Prediction) -> None:
        reported = {(each.attr, each.message) for each in prediction.broken}
        params = prediction.params
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
                self.keywords[path, "maxLength", (path, "too_long") not in reported] += 1
            if parameter.view_of is not None or path in ("application", "client.company_id"):
                self.keywords[path, "known", (path, "unrecognized") not in reported] += 1
            if path == "client.email":
                self._count_address_form(params)

    def _count_address_form(self, params: PassedParams) -> None:
        if params.email is not None:
            form = classify_address(params.email)
            if form is not AddressForm.OPEN:
                self.keywords["client.email", "format", form is AddressForm.VALID] += 1

    def to_dict(self, statuses: StatusTable) -> dict[str, Any]:
        """Returns the counters as a report shows them."""
        rules = [(row.slug, rule) for row in statuses.rows for rule in row.rules]
        pairs = sorted({(path, keyword) for path, keyword, _ in self.keywords})
        position = {each.path: index for index, each in enumerate(PARAMETERS)}
        return {
            "layers": dict(self.requests),
            "statuses": [{"slug": each.slug, "met": self.statuses[each.slug]} for each in statuses],
            "rules": [
                {"fact": rule, "status": slug, "broken": self.broken_rules[rule]}
                for slug, rule in rules
            ],
            "keywords": [
                {
                    "parameter": path,
                    "keyword": keyword,
                    "kept": self.keywords[path, keyword, True],
                    "broken": self.keywords[path, keyword, False],
                }
                for path, keyword in sorted(pairs, key=lambda pair: (position[pair[0]], pair[1]))
            ],
            "unparseable": self.unparseable,
            "overloaded": self.overloaded,
        }
