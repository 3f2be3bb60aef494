"""What each layer of a campaign does."""

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from clients_register.conformance.fuzzing import LAYERS, order, ordering
from clients_register.conformance.fuzzing.campaign import Campaign
from clients_register.conformance.fuzzing.envelopes import envelopes
from clients_register.conformance.fuzzing.examining import Examiner
from clients_register.conformance.fuzzing.exploring import (
    EXAMPLES,
    Spent,
    explore,
    explore_machine,
    numbered,
)
from clients_register.conformance.fuzzing.grounds import LAYER, TwoWorlds
from clients_register.conformance.fuzzing.heads import Head, heads
from clients_register.conformance.fuzzing.registrations import registrations
from clients_register.conformance.fuzzing.sequences import Sequences
from clients_register.conformance.fuzzing.violation import Violation
from clients_register.conformance.fuzzing.worlds import Place
from clients_register.conformance.model import Send

PAIRS, TRIPLES = 2, 3


def _order(campaign: Campaign, share: float) -> None:
    """Every fault, every pair, whatever the budget, and as many triples as it allows."""
    triples = [*order.probes(TRIPLES)]
    random.Random(campaign.plan.seed).shuffle(triples)  # noqa: S311 - no secret
    with campaign.place() as place:
        for chosen in (*order.probes(1), *order.probes(PAIRS), *triples):
            if len(chosen) == TRIPLES:
                campaign.spend(share, ordering.LAYER)
            examiner = campaign.examiner(place)
            try:
                campaign.call(ordering.probe, examiner, chosen, campaign.matrix)
            except Violation as violation:
                campaign.found(violation)


def _parameters(campaign: Campaign, share: float) -> None:
    def drawn(place: Place) -> SearchStrategy[Any]:
        return registrations(place.world).map(lambda params: Send(content=("json", params)))

    _rounds(campaign, share, "parameters", drawn, _send)


def _envelopes(campaign: Campaign, share: float) -> None:
    # What is no HTTP takes its time, since a server may wait for more of it.
    either = st.integers(0, 11).flatmap(lambda die: envelopes() if die else heads())
    _rounds(campaign, share, "envelopes", lambda _: either, _send)


def _schema(campaign: Campaign, share: float) -> None:
    from clients_register.conformance.fuzzing import schema

    target = campaign.run.target
    for number in count():
        if not campaign.left(share):
            return
        with campaign.place() as place:
            sight = schema.Sight(
                campaign.examiner(place), campaign.call, lambda: not campaign.left(share)
            )
            explored = schema.loaded(
                place.world,
                examples=EXAMPLES,
                seed=numbered(campaign.plan.seed, schema.LAYER, number),
            )
            explored.config.update(base_url=target.origin + place.prefix + target.base_path)
            for violation in schema.explore(explored, sight):
                campaign.found(violation)


def _sequences(campaign: Campaign, share: float) -> None:
    def machine() -> Sequences:
        return Sequences(TwoWorlds(campaign))

    for number in count():
        seed = numbered(campaign.plan.seed, LAYER, number)
        campaign.found(explore_machine(machine, seed, lambda: campaign.spend(share, LAYER)))


_RUNS: Mapping[str, Callable[[Campaign, float], None]] = {
    "order": _order,
    "schema": _schema,
    "parameters": _parameters,
    "envelopes": _envelopes,
    "sequences": _sequences,
}


def go(campaign: Campaign) -> None:
    """Runs the layers of the plan; what comes of them is in the campaign.

    Raises Ended.
    """
    chosen = {name: layer for name, layer in LAYERS.items() if name in campaign.plan.names}
    whole = [*chosen.values()][-1].share
    for name, layer in chosen.items():
        with suppress(Spent):
            _RUNS[name](campaign, layer.share / whole)
        campaign.heed()
        campaign.finished.append(name)


def _rounds(
    campaign: Campaign,
    share: float,
    layer: str,
    drawn: Callable[[Place], SearchStrategy[Any]],
    probe: Callable[[Campaign, Examiner, str, Any], None],
) -> None:
    for number in count():
        with campaign.place() as place:
            examiner = campaign.examiner(place)

            def one(example: Any, examiner: Examiner = examiner) -> None:
                probe(campaign, examiner, layer, example)

            seed = numbered(campaign.plan.seed, layer, number)
            campaign.found(explore(drawn(place), one, seed, lambda: campaign.spend(share, layer)))


def _send(campaign: Campaign, examiner: Examiner, layer: str, example: Any) -> None:
    if isinstance(example, Head):
        target = campaign.run.target
        host = target.origin.partition("//")[2]
        pieces = example.pieces(examiner.prefix, target.base_path + target.route, host)
        campaign.call(examiner.ask_bytes, layer, pieces)
        return
    values = examiner.values()
    made = example if isinstance(example, Send) else example.send(values)
    campaign.call(examiner.ask, layer, made, values)
