"""Faults in what is made of the parameters."""

from typing import Any

from teeth.planting import forget, params, rule

from clients_register.handlers.context import FieldError

FIRST = "planoauth"


def application_optional() -> None:
    params(lambda passed, _: passed.setdefault("application", FIRST))


def application_ignored() -> None:
    def change(passed: dict[str, Any], _: Any) -> None:
        if passed.get("application") in ("planoorder", "planox2"):
            passed["application"] = FIRST

    params(change)


def client_optional() -> None:
    _without("required_params_are_passed", "client")


def client_of_any_type() -> None:
    _without("types_are_right", "client")


def password_optional() -> None:
    params(lambda passed, _: passed.setdefault("client.password", "a password of nobody"))


def password_of_any_length() -> None:
    def change(passed: dict[str, Any], _: Any) -> None:
        password = passed.get("client.password")
        if isinstance(password, str):
            passed["client.password"] = password.encode()[:72].decode("utf-8", "ignore")

    params(change)


def email_of_any_type() -> None:
    _without("types_are_right", "client.email")


def view_ignored() -> None:
    params(lambda passed, _: passed.pop("view", None))


def application_view_ignored() -> None:
    params(lambda passed, _: passed.pop("application_view", None))


def session_view_ignored() -> None:
    params(lambda passed, _: passed.pop("session_view", None))


def enterprise_coerced() -> None:
    def change(passed: dict[str, Any], _: Any) -> None:
        if passed.get("enterprise") in ("true", 1):
            passed["enterprise"] = True

    params(change)


def enterprise_lost() -> None:
    params(lambda passed, _: passed.pop("enterprise", None))


def enterprise_beside_a_company() -> None:
    def change(passed: dict[str, Any], _: Any) -> None:
        if passed.get("enterprise") is True:
            passed.pop("client.company_id", None)

    params(change)


def first_name_lost() -> None:
    params(lambda passed, _: passed.pop("client.first_name", None))


def last_name_lost() -> None:
    params(lambda passed, _: passed.pop("client.last_name", None))


def phone_lost() -> None:
    params(lambda passed, _: passed.pop("client.phone", None))


def company_name_lost() -> None:
    params(lambda passed, _: passed.pop("client.company_name", None))


def company_name_checked() -> None:
    def judge(context: Any, faults: Any) -> Any:
        named = context.params["client.company_name"]
        known = context.services.registry.companies
        fault = FieldError("client.company_name", "unrecognized")
        return [*faults, fault] if isinstance(named, str) and named not in known else faults

    rule("company_is_known", judge)


def company_id_coerced() -> None:
    def change(passed: dict[str, Any], _: Any) -> None:
        company = passed.get("client.company_id")
        if isinstance(company, str) and company.isdecimal():
            passed["client.company_id"] = int(company)

    params(change)


def company_id_lost() -> None:
    params(lambda passed, _: passed.pop("client.company_id", None))


def any_company_known() -> None:
    forget("company_is_known")


def lengths_unlimited() -> None:
    forget("lengths_are_kept")


def nulls_kept() -> None:
    def change(passed: dict[str, Any], sent: Any) -> None:
        passed.update({name: each for name, each in sent.items() if each is None})

    params(change)


def names_trimmed() -> None:
    def change(passed: dict[str, Any], _: Any) -> None:
        for name in ("client.first_name", "client.last_name", "application"):
            if isinstance(passed.get(name), str):
                passed[name] = passed[name].strip()

    params(change)


def types_coerced_to_strings() -> None:
    def change(passed: dict[str, Any], _: Any) -> None:
        for name in ("client.first_name", "client.last_name", "client.phone", "view"):
            if name in passed:
                passed[name] = str(passed[name])

    params(change)


def _without(fact: str, path: str) -> None:
    """Has a rule find no fault with one parameter."""
    rule(fact, lambda _, faults: [each for each in faults if each.attr != path])
