"""What holds for every rule: it is documented, finds its own Bad and leaves its own Good alone."""

import importlib
import pkgutil
import re

import pytest

from offcanvas.audit import rules
from offcanvas.audit.finding import Severity
from offcanvas.audit.project import Project
from offcanvas.audit.rules import Rule, all_rules, check_all, parse_document, snippet_files

RULES = list(all_rules().values())


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.code)
def test_rule_is_documented(rule: Rule) -> None:
    document = rule.document
    assert re.fullmatch(r"CEL\d{3}", rule.code)
    assert document.summary.endswith(".")
    assert len(document.summary) <= 100
    assert re.search(r"https://\S+", document.source), "name a page or an issue"


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.code)
def test_rule_finds_its_bad(rule: Rule) -> None:
    found = check_all(Project.from_sources(snippet_files(rule.document.bad)), [rule])
    assert found
    assert {f.code for f in found} == {rule.code}
    assert found[0].severity is rule.severity or found[0].doubt


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.code)
def test_rule_leaves_its_good_alone(rule: Rule) -> None:
    assert check_all(Project.from_sources(snippet_files(rule.document.good)), [rule]) == []


def test_every_module_of_the_package_is_a_rule() -> None:
    names = {i.name for i in pkgutil.iter_modules(rules.__path__) if not i.name.startswith("_")}
    assert {r.name.replace("-", "_") for r in RULES} == names


def test_every_rule_has_a_test_file() -> None:
    for rule in RULES:
        name = rule.name.replace("-", "_")
        assert importlib.util.find_spec(f"tests.audit.rules.test_{name}"), name


@pytest.mark.parametrize("part", rules.PARTS)
def test_a_missing_part_is_an_error(part: str) -> None:
    doc = RULES[-1].doc
    without = re.sub(rf"\n{part}:.*?(?=\n[A-Z][a-z]+:|\Z)", "", doc, flags=re.DOTALL)
    assert without != doc
    with pytest.raises(ValueError, match=part):
        parse_document(without)


def test_severities_are_ordered() -> None:
    assert Severity.HIGH.lower is Severity.MEDIUM
    assert Severity.PORTING.lower is Severity.PORTING
