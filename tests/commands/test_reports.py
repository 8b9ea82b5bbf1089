"""The four forms in which problems are told."""

import json

import pytest
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.reports import FORMATS, report

PLAIN = Diagnostic("schemas/a/b.yaml", 7, 11, "unknown field type 'sting'", "did you mean 'string'?")
ODD = Diagnostic("pods:a,b/c%d.yaml", 1, 2, "100% wrong:\nsecond line, naïve ✓")


def test_text_shows_the_place_the_message_and_the_hint_below():
    assert report([PLAIN, ODD], "text") == (
        "schemas/a/b.yaml:7:11: unknown field type 'sting'\n"
        "    did you mean 'string'?\n"
        "pods:a,b/c%d.yaml:1:2: 100% wrong:\nsecond line, naïve ✓"
    )


def test_json_is_a_list_of_records_with_the_same_five_keys():
    assert json.loads(report([PLAIN, ODD], "json")) == [
        {
            "file": "schemas/a/b.yaml",
            "line": 7,
            "column": 11,
            "message": "unknown field type 'sting'",
            "hint": "did you mean 'string'?",
        },
        {
            "file": "pods:a,b/c%d.yaml",
            "line": 1,
            "column": 2,
            "message": "100% wrong:\nsecond line, naïve ✓",
            "hint": None,
        },
    ]


def test_github_gets_one_annotation_a_line_with_what_would_end_it_escaped():
    first, second = report([PLAIN, ODD], "github").splitlines()
    assert first == ("::error file=schemas/a/b.yaml,line=7,col=11::unknown field type 'sting'; did you mean 'string'?")
    assert second == ("::error file=pods%3Aa%2Cb/c%25d.yaml,line=1,col=2::100%25 wrong:%0Asecond line, naïve ✓")


def test_sarif_names_the_tool_the_rule_and_the_place_of_each_result():
    log = json.loads(report([PLAIN], "sarif"))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["name"] == "soulspot-db"
    (result,) = run["results"]
    assert result["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert result["message"] == {"text": "unknown field type 'sting'; did you mean 'string'?"}
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "schemas/a/b.yaml"},
                "region": {"startLine": 7, "startColumn": 11},
            }
        }
    ]


def test_the_file_of_a_package_is_no_uri_with_a_scheme_in_sarif():
    log = json.loads(report([ODD], "sarif"))
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "pods%3Aa%2Cb/c%25d.yaml"


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_what_programs_read_is_ascii_whatever_a_schema_holds(form):
    assert report([ODD], form).isascii()


@pytest.mark.parametrize(("form", "text"), [("text", ""), ("json", "[]"), ("github", "")])
def test_no_problems_are_an_empty_report(form, text):
    assert report([], form) == text


def test_a_sarif_log_without_problems_has_a_run_without_results():
    assert json.loads(report([], "sarif"))["runs"][0]["results"] == []


def test_there_are_four_forms():
    assert list(FORMATS) == ["text", "json", "github", "sarif"]
