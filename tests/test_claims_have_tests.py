"""Every claim of docs/claims.toml names tests that are there, says how exactly it was tried, and stands on the page."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("claims_of_the_book", ROOT / "docs" / "_ext" / "claims.py")
book = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(book)

GOOD = {
    "claim": "Two is even.",
    "source": "derived",
    "range": "2",
    "tolerance": "exact",
    "test": ["tests/test_claims_have_tests.py::test_every_claim_has_a_test_that_is_there"],
}
PAGE = "# Claims\n\n% claims: Numbers\n"


def test_every_claim_has_a_test_that_is_there():
    subjects = book.claims()
    assert book.faults(subjects, (ROOT / "docs" / "claims.md").read_text("utf-8")) == []
    assert sum(map(len, subjects.values())) > 80
    assert all(row["tolerance"].strip() and row["source"].strip() for rows in subjects.values() for row in rows)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"test": []}, "has no test"),
        ({"test": None}, "has no test"),
        ({"test": ["tests/test_claims_have_tests.py::test_that_nobody_wrote"]}, "test_that_nobody_wrote, which is not"),
        ({"test": ["tests/test_claims_have_tests.py::lies"]}, "lies, which is not there"),
        ({"test": ["tests/test_claims_have_tests.py"]}, "which is not there"),
        ({"test": ["tests/no_file.py::test_a"]}, "tests/no_file.py::test_a, which is not there"),
        ({"test": ["benchmarks/../tests/test_claims_have_tests.py::test_x"]}, "which is not there"),
        ({"tolerance": " "}, "has no tolerance"),
        ({"range": ""}, "has no range"),
        ({"source": ""}, "has no source"),
        ({"tests": ["x"]}, "has an unknown tests"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_claim_that_nothing_checks_is_refused(changed: dict, fault: str):
    assert book.faults({"Numbers": [GOOD]}, PAGE) == []
    row = {key: value for key, value in {**GOOD, **changed}.items() if value is not None}
    (found,) = book.faults({"Numbers": [row]}, PAGE)
    assert fault in found
    assert "Numbers: 'Two is even.'" in found


def test_a_claim_said_twice_and_a_subject_that_the_page_does_not_show_are_refused():
    assert "is said twice" in book.faults({"Numbers": [GOOD, GOOD]}, PAGE)[0]
    assert book.faults({"Numbers": [GOOD]}, "# Claims\n") == ["docs/claims.md does not show 'Numbers'"]
    assert book.faults({"Numbers": [GOOD]}, PAGE + "\n% claims: Letters\n") == [
        "docs/claims.md shows 'Letters', of which there is none"
    ]


def test_the_build_looks_and_ends_where_a_claim_has_no_test(monkeypatch: pytest.MonkeyPatch):
    hooks: dict[str, object] = {}
    app = type("App", (), {"connect": lambda self, event, hook: hooks.setdefault(event, hook)})()
    book.setup(app)
    hooks["builder-inited"](app)
    monkeypatch.setattr(book, "claims", lambda: {"The formula and the losses": [{**GOOD, "test": []}]})
    with pytest.raises(ValueError, match=r"'Two is even\.' has no test"):
        hooks["builder-inited"](app)


def test_a_table_has_each_claim_with_its_tests():
    shown = book.table([{**GOOD, "source": "arXiv 1703.07950, Theorem 1"}])
    assert "Two is even." in shown
    assert "[arXiv 1703.07950](https://arxiv.org/abs/1703.07950), Theorem 1" in shown
    assert "every claim has a test that is there" in shown
    assert "<../tests/test_claims_have_tests.py>" in shown


def test_tests_in_classes_have_the_class_before_them(tmp_path: Path):
    path = tmp_path / "some.py"
    path.write_text(
        "def test_a(): ...\ndef helper(): ...\nclass TestB:\n    def test_c(self): ...\n    def d(self): ...\n"
    )
    assert book.tests_of(path) == {"test_a", "TestB::test_c"}
