"""Faults in the choice of the status, or of its code."""

from teeth.planting import (
    Envelope,
    Layer,
    coded,
    envelope,
    instead,
    is_route,
    judged_as,
    success_code,
)

from clients_register.handlers.responses import Response


def created() -> None:
    success_code(201)


def taken_as_conflict() -> None:
    coded("email_is_free", 409)


def taken_respelt() -> None:
    def change(made: Envelope, answer: Response) -> None:
        if answer.status.alias_of or "email_is_free" in answer.status.rules:
            made["status"] = made["status"].replace("-", "_")

    envelope(change)


def unknown_token_as_forbidden() -> None:
    coded("token_is_known", 403)


def expired_as_unknown() -> None:
    judged_as("session_is_live", "token_is_known")


def roleless_as_unknown() -> None:
    judged_as("user_has_a_role", "token_is_known")


def missing_as_invalid() -> None:
    judged_as("required_params_are_passed", "types_are_right")


def malformed_as_unprocessable() -> None:
    coded("email_is_well_formed", 422)


def unknown_company_as_validation() -> None:
    judged_as("company_is_known", "required_client_fields_are_passed")


def incomplete_as_missing() -> None:
    judged_as("required_client_fields_are_passed", "required_params_are_passed")


def wrong_type_as_unsupported() -> None:
    coded("content_type_is_accepted", 415)


def unreadable_as_empty() -> None:
    judged_as("body_is_base64", "params_are_passed")


def empty_as_unreadable() -> None:
    judged_as("params_are_passed", "body_is_base64")


def crash_as_failed_mail() -> None:
    judged_as("nothing_unforeseen_happens", "welcome_mail_is_sent")


def failed_mail_as_crash() -> None:
    judged_as("welcome_mail_is_sent", "nothing_unforeseen_happens")


def service_as_route() -> None:
    judged_as("service_is_deployed", "route_is_deployed")


def route_as_service() -> None:
    judged_as("route_is_deployed", "service_is_deployed")


def fault_before_routing_as_crash() -> None:
    judged_as("request_is_identified", "nothing_unforeseen_happens")


def plain_404() -> Layer:
    return instead(lambda scope: not is_route(scope), 404, "Not Found", content_type="text/plain")


def redirect_of_a_slash() -> Layer:
    return instead(
        lambda scope: scope["path"].endswith("/register/"), 307, "", location="./register"
    )
