"""`clients-register spec`: prints the contract, and that of the control plane, for other tools."""

import json

import yaml

from clients_register import spec
from clients_register.argument_parser import ArgumentParser
from clients_register.spec.schemas import to_openapi_3_1


def main(argv: list[str]) -> int:
    """Prints the document in the version and format given in `argv`; returns the exit code."""
    parser = ArgumentParser(
        prog="clients-register spec",
        description="Print the OpenAPI document of POST /api/v1/clients/register.",
        epilog="example: clients-register spec --openapi 3.1 --format json > openapi.json",
    )
    parser.add_argument(
        "--openapi",
        choices=("3.0", "3.1"),
        default="3.0",
        help="version of OpenAPI: 3.0 is the hand-written document; 3.1 is generated from it and"
        " describes the body with contentEncoding and contentSchema (default: 3.0)",
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="print the document of the stub's control plane instead",
    )
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="default: yaml")
    options = parser.parse_args(argv)
    name = "control" if options.control else "openapi"
    if options.openapi == "3.0" and options.format == "yaml":
        print(spec.text(name), end="")
        return 0
    document = spec.load(name)
    if options.openapi == "3.1":
        document = to_openapi_3_1(document)
    if options.format == "json":
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print(yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100), end="")
    return 0
