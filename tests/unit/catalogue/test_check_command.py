import argparse
import json

import pytest

from pipeline.cli import check
from pipeline.cli.options import Misuse
from pipeline.errors import Problem


def as_it_says(example, rules):
    return []


def otherwise(example, rules):
    return [Problem(file=example.file, line=example.line, message=f"{example.name}: otherwise")]


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    check.add(parser.add_subparsers())
    return parser.parse_args(["check", *words])


def test_a_catalogue_whose_examples_hold_is_fine(catalogue, capsys):
    findings = check.examine(catalogue.directory, as_it_says)

    code = check.show(findings, as_json=False)

    shown = capsys.readouterr()
    assert code == 0
    assert shown.out == "fine: 5 touchpoints, 1 mission, 2 examples, 2 warnings\n"
    assert shown.err == (
        f"warning: {catalogue.directory}/inventory.toml:25: "
        'touchpoint "technician-visit" is used by no mission\n'
        f"warning: {catalogue.directory}/missions/pay-bill.toml:3: "
        'value without a currency: EUR is assumed; write currency = "EUR" if so\n'
    )


def test_an_example_that_turns_out_otherwise_is_a_problem(catalogue, capsys):
    findings = check.examine(catalogue.directory, otherwise)

    code = check.show(findings, as_json=False)

    shown = capsys.readouterr()
    assert code == 1
    assert shown.out == ""
    assert "pay-bill.toml:23: silence after a server error is frustration: oth" in shown.err
    assert shown.err.endswith("2 problems found\n")


def test_an_invalid_catalogue_is_told_without_trying_its_examples(catalogue, capsys):
    catalogue.spoil("missions/pay-bill.toml", '  "pay-in-app",', '  "pay-in-ap",')

    code = check.show(check.examine(catalogue.directory, otherwise), as_json=False)

    assert code == 1
    assert capsys.readouterr().err == (
        f'{catalogue.directory}/missions/pay-bill.toml:19: step "pay-in-ap" is not in the '
        'inventory. Did you mean "pay-in-app"?\n1 problem found\n'
    )


def test_findings_as_json_are_one_object_on_stdout(catalogue, capsys):
    catalogue.spoil("missions/pay-bill.toml", '  "pay-in-app",', '  "pay-in-ap",')

    code = check.show(check.examine(catalogue.directory, as_it_says), as_json=True)

    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert (code, shown.err, told["valid"]) == (1, "", False)
    assert told["problems"] == [
        {
            "file": f"{catalogue.directory}/missions/pay-bill.toml",
            "line": 19,
            "message": 'step "pay-in-ap" is not in the inventory',
            "suggestion": "pay-in-app",
        }
    ]


def test_json_without_problems_is_valid_and_counts(catalogue, capsys):
    code = check.show(check.examine(catalogue.directory, as_it_says), as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert (code, told["valid"], told["examples"], len(told["warnings"])) == (0, True, 2, 2)


def test_a_directory_that_is_not_there_is_misuse(tmp_path):
    given = arguments("--catalogue", str(tmp_path / "none"))

    with pytest.raises(Misuse, match=f"found none at {tmp_path}/none"):
        given.run(given)
