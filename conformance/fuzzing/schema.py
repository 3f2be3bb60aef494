"""Schemathesis on what stands inside the base64, by its phases: examples, coverage, fuzzing.

To see it, Schemathesis is shown the decoded schema under a media type that is none of the
contract's; a serializer encodes what it makes, and the header says text/plain again before it is
sent. (Under text/plain itself its check of negative data is blind.)
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema

from clients_register.conformance.composing import Values
from clients_register.conformance.encoding import encoded
from clients_register.conformance.findings import Exchange, Finding
from clients_register.conformance.fuzzing import registrations
from clients_register.conformance.fuzzing.addresses import SPACE
from clients_register.conformance.fuzzing.campaign import GONE, Ended
from clients_register.conformance.fuzzing.examining import Examiner
from clients_register.conformance.fuzzing.oracle import MAX_PASSWORD
from clients_register.conformance.fuzzing.params import Params
from clients_register.conformance.fuzzing.reading import MEDIA_TYPE
from clients_register.conformance.fuzzing.shown import ADDRESS, PRIVATE, document
from clients_register.conformance.fuzzing.violation import Violation
from clients_register.conformance.fuzzing.world import World
from clients_register.conformance.model import Send
from clients_register.conformance.verdicts import Grade, Verdict
from clients_register.conformance.wire import Answer, Request

LAYER = "schema"

# Its own checks are on, but for what the contract contradicts: of a check all, or of some bodies.
EXCEPTIONS: Mapping[str, str] = {
    "unsupported_method": "another method than POST is answered by 500, not by 405 (Q-METHOD)",
}
PARTLY: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "negative_data_rejection": (
        lambda body: bool(Params(body).blank),
        "blanks count as not passed, whatever the type (Q-NULLS)",
    ),
}


@dataclass
class Sight:
    """What the check of one run needs, and what it has found."""

    examiner: Examiner
    call: Callable[..., Any]
    spent: Callable[[], bool]
    stop: Callable[[], None] = lambda: None
    ended: Ended | None = None
    bodies: dict[bytes, Any] = field(default_factory=dict)
    found: dict[str, Violation] = field(default_factory=dict)

    def asked(self, function: Callable[..., Any], *args: Any) -> Any:
        """What an asynchronous function returns. At the end of a campaign, Schemathesis ends, too.

        It runs in threads of Schemathesis, where what is raised is taken for a fault of the target.
        """
        try:
            return self.call(function, *args)
        except Ended as end:
            self.end(end)
            raise

    def end(self, end: Ended) -> None:
        """Nothing more is explored after what is under way; the first end is the one that tells."""
        self.ended = self.ended or end
        self.stop()

    def keep(self, violation: Violation) -> None:
        """Remembers the smallest sight of each fault."""
        before = self.found.get(violation.mark)
        if before is None or violation.size < before.size:
            self.found[violation.mark] = violation


_sights: dict[int, Sight] = {}  # by identity: schemas cannot be hashed

schemathesis.openapi.format(ADDRESS, st.sampled_from(registrations.GOOD_ADDRESSES))


@schemathesis.serializer(PRIVATE)
def _encoded(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    """The body as it is sent, its placeholders filled; what it was made from is remembered."""
    sight = _sights[id(ctx.case.operation.schema)]
    values = sight.examiner.values()
    meta = ctx.case.meta
    if meta is not None and meta.generation.mode is schemathesis.GenerationMode.POSITIVE:
        value = _mended(value)
    body = encoded(json.dumps(_filled(values, value), ensure_ascii=False).encode()).encode()
    sight.bodies[body] = value
    return body


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Asks the gate, and says of the body what it is."""
    sight = _sights.get(id(case.operation.schema))
    if sight is None:
        return
    if sight.spent():
        sight.stop()
    run = sight.examiner.run
    sight.asked(lambda: run.gate.pass_(registers=True))
    case.headers.update(run.target.headers)
    if case.headers.get("Content-Type", PRIVATE) == PRIVATE:
        case.headers["Content-Type"] = MEDIA_TYPE


@schemathesis.check
def contract(_ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Any) -> None:
    """The answer is the one that the contract demands for these parameters."""
    sight = _sights.get(id(case.operation.schema))
    if sight is not None:
        _judge(sight, response)


def loaded(world: World, *, examples: int, seed: int) -> Any:
    """What Schemathesis explores; `examples` is how many its fuzzing makes.

    Whoever has it says where the server is: `config.update(base_url=...)`, or `app` in-process.
    """
    return schemathesis.openapi.from_dict(document(world), config=_config(examples, seed))


def explore(schema: Any, sight: Sight) -> Iterator[Violation]:
    """Lets Schemathesis explore the route; every fault found, as small as it was seen."""
    _sights[id(schema)] = sight
    try:
        stream = from_schema(schema).execute()
        sight.stop = stream.stop
        for event in stream:
            if isinstance(event, events.ScenarioFinished):
                for violation in _built_in(event, sight.examiner.prefix):
                    sight.keep(violation)
            elif isinstance(event, events.NonFatalError):
                sight.end(Ended(GONE, f"Schemathesis: {event.value}"))
            elif isinstance(event, events.FatalError):
                sight.end(Ended(GONE, f"Schemathesis: {event.exception}"))
    finally:
        del _sights[id(schema)]
    if sight.ended is not None:
        raise sight.ended
    yield from sight.found.values()


def _config(examples: int, seed: int) -> Any:
    return schemathesis.Config.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "database": "none"},
            "phases": {
                "coverage": {"unexpected-methods": []},
                "stateful": {"enabled": False},
            },
            "checks": {name: {"enabled": False} for name in EXCEPTIONS},
        }
    )


def _judge(sight: Sight, response: schemathesis.Response) -> None:
    """Raises AssertionError where the answer is wrong, so that Schemathesis makes it smaller."""
    sent = response.request
    body: Any = sent.body or b""
    content: bytes = body.encode() if isinstance(body, str) else body
    examiner = sight.examiner
    path = sent.path_url.removeprefix(examiner.prefix)
    headers = tuple((name, str(value)) for name, value in sent.headers.items())
    request = Request(str(sent.method), path, headers, content)
    made = sight.bodies.get(content)
    exchange = Exchange("send", request, made, _answer(response))
    send = None if content not in sight.bodies else Send(content=("json", made))
    try:
        sight.asked(examiner.examine, LAYER, request, exchange, (), send)
    except Violation as violation:
        sight.keep(violation)
        raise AssertionError(violation.mark) from None


def _answer(response: schemathesis.Response) -> Answer:
    headers = tuple((name, value) for name, listed in response.headers.items() for value in listed)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    return Answer(response.status_code, headers, response.content, response.elapsed, head)


def _sent(recorded: Any, prefix: str) -> Request:
    """A request as Schemathesis remembers it, without the `prefix` of a world that will be gone."""
    parts = urlsplit(recorded.uri)
    target = parts.path.removeprefix(prefix) + (f"?{parts.query}" if parts.query else "")
    headers = tuple((name, each) for name, listed in recorded.headers.items() for each in listed)
    return Request(recorded.method, target, headers, recorded.body or b"")


def _built_in(event: events.ScenarioFinished, prefix: str) -> Iterator[Violation]:
    """What Schemathesis' own checks say."""
    for case_id, nodes in event.recorder.checks.items():
        for node in nodes:
            if node.failure_info is None or node.name == contract.__name__:
                continue
            failure: Failure = node.failure_info.failure
            case = event.recorder.cases[case_id].value
            if node.name in PARTLY and PARTLY[node.name][0](case.body):
                continue
            shown = _sent(event.recorder.interactions[case_id].request, prefix)
            finding = Finding(
                Verdict.FAIL,
                Grade.DOCUMENTED,
                f"check {node.name}",
                "none of its failures",
                f"{failure.title}: {failure.message}",
            )
            yield Violation(LAYER, Exchange("send", shown, case.body), [finding])


def _mended(value: Any) -> Any:
    """A registration by the schema, made right where JSON Schema has no words for what is not.

    A password has bytes to count and is not blank; whether a NUL can be stored is free.
    """
    client = {
        name: each.replace("\0", "0") if isinstance(each, str) else each
        for name, each in value["client"].items()
    }
    while len(client["password"].encode()) > MAX_PASSWORD:
        client["password"] = client["password"][:-1]
    client["password"] = client["password"].strip(SPACE) or "x"
    return {**value, "client": client}


def _filled(values: Values, value: Any) -> Any:
    """`value` with the placeholders of addresses filled; other text may look like one by chance."""
    if not isinstance(value, dict) or not isinstance(value.get("client"), dict):
        return value
    email = value["client"].get("email")
    if email not in (*registrations.GOOD_ADDRESSES, "${email}"):
        return value
    return {**value, "client": {**value["client"], "email": values.fill(email)}}
