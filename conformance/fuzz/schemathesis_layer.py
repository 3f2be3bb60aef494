"""Schemathesis on the decoded parameters, with its phases examples, coverage and fuzzing.

Schemathesis gets a document with the decoded schema under a private media type; a serializer
encodes the values that it generates, and a hook restores text/plain before they are sent. (Under
text/plain, its check of negative data does nothing.)

Its requests are sent by the HTTP client of the campaign, as all others are: with the certificates,
the proxy and the timeout of the profile, within its limits, never repeated or redirected. Variables
with which the environment configures `requests` have no effect.
"""

import copy
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import requests
import schemathesis
import urllib3
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from schemathesis.core import NotSet
from schemathesis.core.failures import Failure
from schemathesis.engine import Status, context, events, from_schema
from typing_extensions import override

from clients_register import spec
from clients_register.conformance.case import RequestTemplate
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.fuzz import registrations
from clients_register.conformance.fuzz.campaign import DEFECTIVE, SPENT, CampaignEnded
from clients_register.conformance.fuzz.checker import Checker, ContractViolation
from clients_register.conformance.fuzz.params import MAX_PASSWORD, PassedParams
from clients_register.conformance.fuzz.request_decoding import MEDIA_TYPE
from clients_register.conformance.fuzz.search import BudgetSpent, SearchEnded
from clients_register.conformance.fuzz.world_model import WHITE_SPACE, WorldModel
from clients_register.conformance.grades import Part, grade_of
from clients_register.conformance.http_client import HttpRequest, HttpResponse
from clients_register.conformance.request import Values, encode_base64
from clients_register.conformance.response import ResponseBody
from clients_register.conformance.results import Finding
from clients_register.spec.schemas import decoded_schema, operation, parameters, views

LAYER = "schema"

# The media type under which Schemathesis sees the parameters, and the format of new addresses.
PRIVATE_TYPE = "application/x-decoded-registration"
ADDRESS_FORMAT = "x-new-address"

# The header of requests with which Schemathesis probes how a server treats odd paths and headers.
# They are not sent, because no such path or header is generated.
PROBE_HEADER = "X-Schemathesis-Probe"

# No other request of a campaign states the encodings that it accepts.
OMITTED_HEADER = "accept-encoding"

# Its own checks are enabled, unless the contract contradicts them: always, or for some bodies.
DISABLED_CHECKS: Mapping[str, str] = {
    "unsupported_method": "methods other than POST get 500, not 405 (Q-METHOD)",
}
EXEMPT_BODIES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "negative_data_rejection": (
        lambda body: bool(PassedParams(body).blank),
        "blank values count as not passed, whatever their type (Q-NULLS)",
    ),
}


@dataclass
class SchemathesisRun:
    """One run of Schemathesis: what its hooks need, and the violations found.

    `call` runs an asynchronous function, and `is_spent` tells whether the budget is spent.
    `generated` maps bodies to the values that they encode, and `exchanges` has those of the
    requests that Schemathesis still refers to.
    """

    checker: Checker
    call: Callable[..., Any]
    is_spent: Callable[[], bool]
    stop: Callable[[], None] = lambda: None
    ended: SearchEnded | None = None
    generated: dict[bytes, Any] = field(default_factory=dict)
    violations: dict[str, ContractViolation] = field(default_factory=dict)
    exchanges: WeakKeyDictionary[requests.PreparedRequest, Exchange] = field(
        default_factory=WeakKeyDictionary
    )

    def send(self, prepared: requests.PreparedRequest) -> tuple[HttpResponse, ResponseBody]:
        """Sends a request of Schemathesis; returns the response with its decoded body.

        Raises Failure if there is no response; SearchEnded.
        """
        if self.is_spent():
            spent = BudgetSpent(SPENT)
            self.end(spent)
            raise spent
        request = self._convert(prepared)
        decoded = self.generated.get(request.body)
        try:
            exchange: Exchange = self.await_call(self.checker.transmit, LAYER, request, decoded)
        except ContractViolation as violation:
            self.add(violation)
            raise Failure(operation=None, message=violation.signature) from None
        if exchange.response is None or exchange.body is None:
            raise Failure(operation=None, message=str(exchange.failure))
        self.exchanges[prepared] = exchange
        return exchange.response, exchange.body

    def _convert(self, prepared: requests.PreparedRequest) -> HttpRequest:
        """Converts a request, without the path of a temporary world."""
        body: Any = prepared.body or b""
        headers = tuple(
            (name, str(value))
            for name, value in prepared.headers.items()
            if name.lower() != OMITTED_HEADER
        )
        return HttpRequest(
            str(prepared.method),
            prepared.path_url.removeprefix(self.checker.prefix),
            headers,
            body.encode() if isinstance(body, str) else body,
        )

    def await_call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs an asynchronous function; stops Schemathesis at the end of the campaign.

        Runs in threads of Schemathesis, which counts exceptions as faults of the target.
        """
        try:
            return self.call(function, *args)
        except CampaignEnded as end:
            self.end(end)
            raise

    def end(self, end: SearchEnded) -> None:
        """Stops after the current request; the first reason is kept."""
        self.ended = self.ended or end
        self.stop()

    def add(self, violation: ContractViolation) -> None:
        """Keeps the smallest example of each violation."""
        before = self.violations.get(violation.signature)
        if before is None or violation.size < before.size:
            self.violations[violation.signature] = violation


class TargetAdapter(HTTPAdapter):
    """Sends the requests of a session by the client of a campaign."""

    def __init__(self, run: SchemathesisRun) -> None:
        super().__init__()
        self._run = run

    @override
    def send(
        self, request: requests.PreparedRequest, *_args: Any, **_settings: Any
    ) -> requests.Response:
        if PROBE_HEADER in request.headers:
            raise requests.exceptions.ConnectTimeout("probes are not sent", request=request)
        response, body = self._run.send(request)
        # urllib3 would raise an exception for a broken coding, which is a finding of the checker.
        headers = urllib3.HTTPHeaderDict(response.headers)
        headers.discard("Content-Encoding")
        raw = urllib3.HTTPResponse(
            io.BytesIO(body.content),
            headers=headers,
            status=response.code,
            version=11,
            preload_content=False,
            enforce_content_length=False,
        )
        return self.build_response(request, raw)


def _sent_by_campaign(run: SchemathesisRun) -> AbstractContextManager[object]:
    """Makes Schemathesis send its requests through `run`; it has no setting for that."""
    make_session = context.make_session

    def make_adapted_session(*args: Any, **kwargs: Any) -> requests.Session:
        session = make_session(*args, **kwargs)
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, TargetAdapter(run))
        return session

    return patch.object(context, "make_session", make_adapted_session)


# The runs by the identity of their schema, which is not hashable.
_runs: dict[int, SchemathesisRun] = {}

schemathesis.openapi.format(ADDRESS_FORMAT, st.sampled_from(registrations.VALID_ADDRESSES))


@schemathesis.serializer(PRIVATE_TYPE)
def _encode(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    run = _runs[id(ctx.case.operation.schema)]
    values = run.checker.run.new_values()
    meta = ctx.case.meta
    if meta is not None and meta.generation.mode is schemathesis.GenerationMode.POSITIVE:
        value = _make_valid(value)
    filled = _fill_address(values, value)
    body = encode_base64(json.dumps(filled, ensure_ascii=False).encode()).encode()
    run.generated[body] = value
    return body


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Sets the headers of the contract and those of the target."""
    run = _runs.get(id(case.operation.schema))
    if run is None:
        return
    case.headers.update(run.checker.run.target.headers)
    if case.headers.get("Content-Type", PRIVATE_TYPE) == PRIVATE_TYPE:
        case.headers["Content-Type"] = MEDIA_TYPE


@schemathesis.check
def contract(_ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Any) -> None:
    """Compares the response with the prediction of the oracle."""
    run = _runs.get(id(case.operation.schema))
    if run is not None:
        _check(run, response)


def load_schema(model: WorldModel, *, examples: int, seed: int) -> Any:
    """Loads the document into Schemathesis; `examples` is the number for its fuzzing phase.

    The caller sets the server with `config.update(base_url=...)`.
    """
    return schemathesis.openapi.from_dict(decoded_document(model), config=_config(examples, seed))


def run_schemathesis(schema: Any, run: SchemathesisRun) -> Iterator[ContractViolation]:
    """Runs Schemathesis, and yields the smallest example of each violation.

    Raises CampaignEnded and BudgetSpent, after the violations found before.
    """
    settled: set[str] = set()
    _runs[id(schema)] = run
    try:
        stream = from_schema(schema).execute()
        run.stop = stream.stop
        with _sent_by_campaign(run):
            for event in stream:
                if isinstance(event, events.ScenarioFinished):
                    for violation in _built_in_violations(event, run.checker.prefix):
                        if run.checker.is_failing(violation.findings):
                            run.add(violation)
                    if event.status is not Status.INTERRUPTED:
                        settled.update(run.violations)
                elif isinstance(event, events.NonFatalError):
                    run.end(CampaignEnded(DEFECTIVE, f"Schemathesis: {event.value}"))
                elif isinstance(event, events.FatalError):
                    run.end(CampaignEnded(DEFECTIVE, f"Schemathesis: {event.exception}"))
    finally:
        del _runs[id(schema)]
    for signature, violation in run.violations.items():
        if run.ended is not None and signature not in settled:
            violation.unshrunk = str(run.ended)
        yield violation
    if run.ended is not None:
        raise run.ended


def decoded_document(model: WorldModel) -> dict[str, Any]:
    """Returns the document with the decoded parameters as the body, limited to known values."""
    document: dict[str, Any] = copy.deepcopy(spec.load("openapi"))
    if model.has_other_companies:
        # Another server may have further members anywhere.
        _allow_further_members(document["components"]["schemas"])
    params = copy.deepcopy(dict(decoded_schema(document)))
    client = copy.deepcopy(dict(document["components"]["schemas"]["NewClient"]))
    params["properties"]["client"] = client
    # No restriction, but with this keyword Schemathesis's coverage phase varies the members of a
    # complete registration, and without it those of one that has only what is required.
    params["additionalProperties"] = client["additionalProperties"] = True
    # A generated token is never valid; the sequences test tokens.
    del params["properties"]["token"]
    params["properties"]["application"]["enum"] = sorted(model.applications)
    client["properties"]["company_id"]["enum"] = [None, *sorted(model.companies)]
    client["properties"]["email"] |= {"format": ADDRESS_FORMAT, "example": "${email}"}
    view_names = views(document)
    for parameter in parameters(document):
        if parameter.view_of is not None:
            schema = params["properties"][parameter.path]
            schema["enum"] = [None, *view_names[parameter.view_of]]
    content = operation(document)["requestBody"]["content"]
    media = content.pop(MEDIA_TYPE)
    media["schema"] = params
    for example in media.get("examples", {}).values():
        example["value"] = _new_example(example["x-decoded"], model)
    content[PRIVATE_TYPE] = media
    return document


def _allow_further_members(schema: Any) -> None:
    if isinstance(schema, dict):
        if schema.get("additionalProperties") is False:
            del schema["additionalProperties"]
        for inner in schema.values():
            _allow_further_members(inner)


def _new_example(decoded: Mapping[str, Any], model: WorldModel) -> dict[str, Any]:
    """Returns an example of the document with a new address, without a token or unknown values."""
    example = {name: value for name, value in decoded.items() if name != "token"}
    if example["application"] not in model.applications:
        example["application"] = next(iter(model.applications))
    client = {**decoded["client"], "email": "${email}"}
    if client.get("company_id") not in model.companies:
        client.pop("company_id", None)
    return {**example, "client": client}


def _config(examples: int, seed: int) -> Any:
    return schemathesis.Config.from_dict(
        {
            "seed": seed,
            "max-redirects": 0,
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "database": "none"},
            "phases": {
                "coverage": {"unexpected-methods": []},
                "stateful": {"enabled": False},
            },
            "checks": {name: {"enabled": False} for name in DISABLED_CHECKS},
        }
    )


def _check(run: SchemathesisRun, response: schemathesis.Response) -> None:
    """Raises AssertionError for a violation, so that Schemathesis shrinks it."""
    exchange = run.exchanges[response.request]
    request = exchange.request
    send = None
    if request.body in run.generated:
        send = RequestTemplate(content=("json", run.generated[request.body]))
    try:
        run.await_call(run.checker.check, LAYER, request, exchange, (), send)
    except ContractViolation as violation:
        run.add(violation)
        raise AssertionError(violation.signature) from None


def _convert_request(recorded: Any, prefix: str) -> HttpRequest:
    """Converts a recorded request, without the `prefix` of a temporary world."""
    parts = urlsplit(recorded.uri)
    target = parts.path.removeprefix(prefix) + (f"?{parts.query}" if parts.query else "")
    headers = tuple((name, each) for name, listed in recorded.headers.items() for each in listed)
    return HttpRequest(recorded.method, target, headers, recorded.body or b"")


def _built_in_violations(
    event: events.ScenarioFinished, prefix: str
) -> Iterator[ContractViolation]:
    """Yields the failures of the checks of Schemathesis itself."""
    for case_id, nodes in event.recorder.checks.items():
        for node in nodes:
            if node.failure_info is None or node.name == contract.__name__:
                continue
            failure: Failure = node.failure_info.failure
            case = event.recorder.cases[case_id].value
            if node.name in EXEMPT_BODIES and EXEMPT_BODIES[node.name][0](case.body):
                continue
            request = _convert_request(event.recorder.interactions[case_id].request, prefix)
            finding = Finding.of(
                f"check {node.name}",
                grade_of(Part.SCHEMATHESIS),
                "no failure",
                f"{failure.title}: {failure.message}",
                met=False,
            )
            decoded = None if isinstance(case.body, NotSet) else case.body
            yield ContractViolation(LAYER, Exchange("send", request, decoded), [finding])


def _make_valid(value: Any) -> Any:
    """Applies the rules that JSON Schema cannot express to a value that fits the schema.

    A password is limited in bytes and not blank; whether a NUL can be stored is open.
    """
    client = {
        name: each.replace("\0", "0") if isinstance(each, str) else each
        for name, each in value["client"].items()
    }
    while len(client["password"].encode()) > MAX_PASSWORD:
        client["password"] = client["password"][:-1]
    client["password"] = client["password"].strip(WHITE_SPACE) or "x"
    return {**value, "client": client}


def _fill_address(values: Values, value: Any) -> Any:
    """Fills the placeholder of an address; other text may resemble one by chance."""
    if not isinstance(value, dict) or not isinstance(value.get("client"), dict):
        return value
    email = value["client"].get("email")
    if email not in (*registrations.VALID_ADDRESSES, "${email}"):
        return value
    return {**value, "client": {**value["client"], "email": values.fill(email)}}
