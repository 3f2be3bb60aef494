"""Builds the states and steps of a case, with the responses that the contract demands.

The responses are predicted by the oracle of fuzzing, on a model of a target in which every
placeholder has a stand-in for its value. The rules of the contract are not repeated here.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from clients_register.conformance.case import RequestTemplate, parse_duration
from clients_register.conformance.fuzz.oracle import Outcome, Prediction, predict
from clients_register.conformance.fuzz.request_decoding import DecodedRequest
from clients_register.conformance.fuzz.response_checks import apply_outcome
from clients_register.conformance.fuzz.world_model import PEOPLE, UserModel, WorldModel
from clients_register.conformance.grades import load_grades
from clients_register.conformance.request import Values, build_params
from clients_register.spec.statuses import Stage

DOMAIN = "conformance.test"
APPLICATION, OTHER_APPLICATION, COMPANY = "planoauth", "planox2", 42

# The states that give the password of their user.
WITH_PASSWORD = frozenset(
    {
        "liaison",
        "liaison-session",
        "liaison-session-remembered",
        "employee-session",
        "roleless",
    }
)

# A request, as a case file writes it.
Send = Mapping[str, Any]


class CaseBuilder:
    """The states and steps of one case, so far.

    `values` has a stand-in for each placeholder, and `model` is the target after these steps.
    """

    def __init__(self) -> None:
        self.states: list[str] = []
        self.steps: list[dict[str, Any]] = []
        self.model = WorldModel({APPLICATION: None, OTHER_APPLICATION: None}, frozenset({COMPANY}))
        self.values = Values(
            DOMAIN,
            "unique",
            {
                "application": APPLICATION,
                "other_application": OTHER_APPLICATION,
                "company": COMPANY,
                "domain": DOMAIN,
            },
        )
        self._sessions = 0

    def arrange(self, state: str) -> None:
        """Brings the target into a state."""
        self.states.append(state)
        given = _stand_ins(state)
        if state == "client":
            user = UserModel(given["client.email"], given["client.password"], client=True)
            self.model.add_user(user)
        elif state == "mail-failing":
            self.model.mail_failures += 1
        else:
            self.model.arrange(state, given)
        self.values.update(given)
        self.values.update({f"{state}.{name}": value for name, value in given.items()})

    def wait(self, duration: str) -> None:
        """Lets time pass; the state `clock` is arranged."""
        self.steps.append({"clock": {"advance": duration}})
        self.model.now += timedelta(seconds=parse_duration(duration))

    def predict(self, send: Send) -> Prediction:
        """Predicts the response to a request, without sending it."""
        template = RequestTemplate(
            set=send.get("set", {}), drop=tuple(send.get("drop", ())), content=_content(send)
        )
        params = build_params(template, self.values)
        return predict(DecodedRequest((), params), self.model)

    def send(
        self,
        send: Send,
        *effects: Mapping[str, Any],
        keep: Mapping[str, str] | None = None,
        together: Sequence[Send] = (),
    ) -> Outcome:
        """Sends a request, perhaps with others at the same time; returns its outcome.

        `effects` are further expectations.
        """
        earlier = list(map(self._responses, together))
        outcome = self._apply(send, keep or {})
        later = list(map(self._responses, together))
        assert earlier == later, "simultaneous requests do not affect each other"
        others = [{"send": dict(each), **_expect(self._apply(each, {}))} for each in together]
        step: dict[str, Any] = {"send": dict(send)}
        if others:
            step["together"] = others
        if keep:
            step["keep"] = dict(keep)
        self.steps.append({**step, **_expect(outcome, *effects)})
        return outcome

    def _responses(self, send: Send) -> list[tuple[str, object]]:
        return [(each.status.slug, each.errors) for each in self.predict(send).outcomes]

    def _apply(self, send: Send, keep: Mapping[str, str]) -> Outcome:
        prediction = self.predict(send)
        assert len(prediction.outcomes) == 1, "the contract leaves nothing open here"
        (outcome,) = prediction.outcomes
        self._sessions += 1
        token = f"token {self._sessions} of a registration"
        apply_outcome(self.model, prediction, outcome, token)
        for name, pointer in keep.items():
            self.values.update({name: token if pointer.endswith("token") else pointer})
        return outcome


def is_success(outcome: Outcome) -> bool:
    """Tells whether a client, a session and an application are returned."""
    return outcome.status.stage is Stage.SUCCESS


def questions_of(outcome: Outcome) -> list[str]:
    """Returns the open questions on which a response rests, those of its errors included."""
    keys = (load_grades().key_of_error(*each) for each in outcome.errors or ())
    return sorted({*outcome.questions, *(key for key in keys if key.startswith("Q-"))})


def _expect(outcome: Outcome, *effects: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the expectations of a request, and the questions that it raises."""
    expect: list[dict[str, Any]] = [{"status": outcome.status.slug}]
    if outcome.errors is not None:
        errors = [{"attr": attr, "message": message} for attr, message in outcome.errors]
        expect.append({"errors": errors})
    if is_success(outcome):
        expect.append({"as_sent": True})
    questions = questions_of(outcome)
    return {
        **({"questions": questions} if questions else {}),
        "expect": [*expect, *map(dict, effects)],
    }


def _content(send: Send) -> tuple[str, Any] | None:
    return ("params", send["params"]) if "params" in send else None


def _stand_ins(state: str) -> dict[str, str]:
    """Returns a value for each placeholder that a state is sure to give."""
    if state == "client":
        return {"client.email": f"client@{DOMAIN}", "client.password": "password of the client"}
    given: dict[str, str] = {}
    person = PEOPLE.get(state)
    if person is not None:
        given["user.email"] = f"{state}@{DOMAIN}"
        if state in WITH_PASSWORD:
            given["user.password"] = f"password of the {state}"
    if state == "application-token" or (person is not None and person.age is not None):
        given["token"] = f"token of the {state}"
    return given
