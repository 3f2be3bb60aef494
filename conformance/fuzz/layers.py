"""The layers of a campaign: what each of them draws and sends."""

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from clients_register.conformance.case import RequestTemplate
from clients_register.conformance.fuzz import LAYERS, precedence, sequences
from clients_register.conformance.fuzz.campaign import (
    DEFECTIVE,
    INTERRUPTED,
    SPENT,
    Campaign,
    CampaignEnded,
)
from clients_register.conformance.fuzz.checker import Checker, ContractViolation, Sandbox
from clients_register.conformance.fuzz.raw_requests import (
    MalformedHttp,
    malformed_http,
    raw_requests,
)
from clients_register.conformance.fuzz.registrations import registrations
from clients_register.conformance.fuzz.search import (
    MAX_EXAMPLES,
    BudgetSpent,
    run_seed,
    search,
    search_machine,
)
from clients_register.conformance.runner import describe_defect

PAIRS, TRIPLES = 2, 3

# One raw request in this many is malformed HTTP, which is slow because servers wait for more.
MALFORMED_HTTP_ODDS = 12


def run_layers(campaign: Campaign) -> tuple[str, str]:
    """Runs the layers of the plan; returns how the campaign ended, and why.

    A layer ends when its share of the budget is spent. What it takes beyond that, to complete an
    example and to shrink a violation, the later layers lack; one that gets nothing is not finished.
    """
    chosen = {name: layer for name, layer in LAYERS.items() if name in campaign.plan.layers}
    total = [*chosen.values()][-1].ends_at
    end = None
    for name, layer in chosen.items():
        before = campaign.requests
        try:
            with suppress(BudgetSpent):
                _RUNNERS[name](campaign, layer.ends_at / total)
            campaign.check_ended()
        except CampaignEnded as ended:
            end = ended
        except Exception as error:  # noqa: BLE001 - what was found is reported nevertheless
            return DEFECTIVE, describe_defect(error)
        if end is not None and (end.how != SPENT or campaign.interrupts):
            return (INTERRUPTED, "") if end.how == SPENT else (end.how, end.why)
        if campaign.requests > before:
            campaign.finished.append(name)
        if end is not None:
            break
    return SPENT, ""


def _run_precedence(campaign: Campaign, share: float) -> None:
    """Sends every fault, then every pair, then triples in an order that the seed determines."""
    triples = [*precedence.combinations_of(TRIPLES)]
    random.Random(campaign.plan.seed).shuffle(triples)  # noqa: S311 - no secret
    singles, pairs = precedence.combinations_of(1), precedence.combinations_of(PAIRS)
    with campaign.sandbox() as sandbox:
        for faults in (*singles, *pairs, *triples):
            campaign.spend(share, precedence.LAYER)
            checker = campaign.checker(sandbox)
            try:
                campaign.call(precedence.send_combination, checker, faults, campaign.matrix)
            except ContractViolation as violation:
                campaign.add(violation)


def _run_schemathesis(campaign: Campaign, share: float) -> None:
    # Imported when it runs: Schemathesis takes a second to import.
    from clients_register.conformance.fuzz import schemathesis_layer as layer

    target = campaign.run.target
    for number in count():
        campaign.check_ended()
        if not campaign.remaining_requests(share):
            return
        with campaign.sandbox() as sandbox:
            run = layer.SchemathesisRun(
                campaign.checker(sandbox),
                campaign.call,
                lambda: not campaign.remaining_requests(share),
            )
            seed = run_seed(campaign.plan.seed, layer.LAYER, number)
            schema = layer.load_schema(sandbox.model, examples=MAX_EXAMPLES, seed=seed)
            base_path = target.path.removesuffix(target.route)
            schema.config.update(base_url=target.origin + sandbox.prefix + base_path)
            for violation in layer.run_schemathesis(schema, run):
                campaign.add(violation)


def _run_parameters(campaign: Campaign, share: float) -> None:
    def strategy(sandbox: Sandbox) -> SearchStrategy[Any]:
        return registrations(sandbox.model).map(
            lambda params: RequestTemplate(content=("json", params))
        )

    _run_searches(campaign, share, "parameters", strategy)


def _run_raw_requests(campaign: Campaign, share: float) -> None:
    either = st.integers(0, MALFORMED_HTTP_ODDS - 1).flatmap(
        lambda die: raw_requests() if die else malformed_http()
    )
    _run_searches(campaign, share, "envelopes", lambda _: either)


def _run_sequences(campaign: Campaign, share: float) -> None:
    layer = sequences.LAYER

    def new_machine() -> sequences.Sequences:
        return sequences.Sequences(sequences.SequenceWorlds(campaign))

    for number in count():
        seed = run_seed(campaign.plan.seed, layer, number)
        campaign.add(search_machine(new_machine, seed, lambda: campaign.spend(share, layer)))


_RUNNERS: Mapping[str, Callable[[Campaign, float], None]] = {
    "order": _run_precedence,
    "schema": _run_schemathesis,
    "parameters": _run_parameters,
    "envelopes": _run_raw_requests,
    "sequences": _run_sequences,
}


def _run_searches(
    campaign: Campaign,
    share: float,
    layer: str,
    strategy: Callable[[Sandbox], SearchStrategy[Any]],
) -> None:
    """Runs searches, each in a new sandbox, until BudgetSpent is raised."""
    for number in count():
        with campaign.sandbox() as sandbox:
            checker = campaign.checker(sandbox)

            def probe(example: Any, checker: Checker = checker) -> None:
                _send(campaign, checker, layer, example)

            seed = run_seed(campaign.plan.seed, layer, number)
            found = search(strategy(sandbox), probe, seed, lambda: campaign.spend(share, layer))
            campaign.add(found)


def _send(campaign: Campaign, checker: Checker, layer: str, example: Any) -> None:
    if isinstance(example, MalformedHttp):
        target = campaign.run.target
        host = target.origin.partition("//")[2]
        campaign.call(checker.send_bytes, layer, example.pieces(checker.prefix, target.path, host))
        return
    values = campaign.run.new_values()
    template = example if isinstance(example, RequestTemplate) else example.to_template(values)
    campaign.call(checker.send, layer, template, values)
