"""What comes of running checks: a table, exceptions that become failures, and the two entry points."""

from __future__ import annotations

import pydoc
import subprocess
import sys
import unittest

import pytest
from plain_objects import TenLineParities

import gradvar as gv
from gradvar import testing
from gradvar.testing import CheckReport, check_hypothesis_class, hypothesis_class_checks
from gradvar.testing.checks import Check, CheckFailed, named, report, skip


@pytest.mark.parametrize("check", hypothesis_class_checks(gv.Parities(3)), ids=str)
def test_each_check_is_a_test(check):
    check()


def run(*bodies) -> CheckReport:
    return report("the object", [Check(f"check-{i}", "what it is for", body) for i, body in enumerate(bodies)])


def fails() -> str:
    raise CheckFailed("at x = 3 it is 4")


def test_a_report_is_a_list_of_results_and_a_table():
    found = run(lambda: "seen", fails, lambda: skip("nothing to see"), lambda: str(1 / 0))
    assert [r.status for r in found] == ["passed", "failed", "not applicable", "failed"]
    assert len(found) == 4
    assert found[1] is found[1:2][0]
    assert not found.passed
    assert [r.name for r in found.failures] == ["check-1", "check-3"]
    assert [r.message for r in found.not_applicable] == ["nothing to see"]
    assert repr(found).splitlines() == [
        "the object: 2 failed, 1 passed, 1 not applicable",
        "  check-0  ok      seen",
        "  check-1  FAILED  at x = 3 it is 4",
        "  check-2  -       nothing to see",
        "  check-3  FAILED  the object raised ZeroDivisionError: division by zero",
    ]
    with pytest.raises(AssertionError, match=r"(?s)2 failed.*check-1: at x = 3 it is 4.*what it is for.*check-3"):
        found.raise_if_failed()
    run(lambda: "seen").raise_if_failed()


def test_calling_a_check_passes_fails_or_skips():
    Check("a", "b", lambda: "seen")()
    with pytest.raises(AssertionError, match="at x = 3"):
        Check("a", "b", fails)()
    with pytest.raises(unittest.SkipTest, match="nothing"):
        Check("a", "b", lambda: skip("nothing"))()
    with pytest.raises(AssertionError, match="ZeroDivisionError") as caught:
        Check("a", "b", lambda: str(1 / 0))()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_pytest_and_unittest_see_the_skips():
    case = type("Case", (unittest.TestCase,), {"test": lambda self: hypothesis_class_checks(TenLineParities(2))[-1]()})
    result = unittest.TestResult()
    case("test").run(result)
    assert [reason for _, reason in result.skipped] == ["no `inner_products` is offered"]


def test_an_object_without_a_readable_repr_goes_by_its_type():
    assert named(TenLineParities(2)) == "TenLineParities"
    assert named(gv.Parities(2)) == "Parities(dim=2)"
    assert named(type("Broken", (), {"__repr__": lambda self: 1 / 0})()) == "Broken"


def test_names_of_checks_are_unique_and_described():
    checks = hypothesis_class_checks(gv.Parities(2))
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.description.endswith(".") for check in checks)


def test_a_report_is_readable_for_a_class_of_the_library():
    text = repr(check_hypothesis_class(gv.SparseParities(6, 2)))
    assert text.startswith("SparseParities(dim=6, degree=2): 0 failed, ")
    assert max(map(len, text.splitlines())) < 180


def test_the_checks_do_without_hypothesis_and_the_strategies_say_what_they_need():
    code = """
import sys
sys.modules["hypothesis"] = None
import gradvar as gv
from gradvar import testing
from gradvar.testing import check_theorem1
assert check_theorem1(gv.Parities(2), gv.Linear([1.0, 1.0])).passed
try:
    import gradvar.testing.strategies
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "needs the package hypothesis: pip install 'gradient-variance[testing]'" in done.stdout


def test_importing_the_reference_imports_nothing_of_the_library():
    code = (
        "import sys, gradvar; front = set(sys.modules); import gradvar.testing.reference; "
        "print(sorted(m for m in set(sys.modules) - front if m.startswith('gradvar.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "['gradvar.testing', 'gradvar.testing.reference']"


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="check_everything"):
        testing.check_everything  # noqa: B018


def test_the_names_of_the_stub_are_the_public_ones_and_each_is_there():
    names = {"Check", "CheckReport", "CheckResult", "reference"}
    names |= {f"check_{kind}" for kind in ("hypothesis_class", "loss", "model", "theorem1")}
    names |= {f"{kind}_checks" for kind in ("hypothesis_class", "loss", "model", "theorem1")}
    assert set(dir(testing)) == names
    assert all(getattr(testing, name).__doc__ for name in names)


def test_help_is_a_page():
    assert len(pydoc.render_doc(testing).splitlines()) < 80
