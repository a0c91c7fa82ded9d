"""What a check is, and what comes of running some: shared by the checks of classes, models and losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar, overload
from unittest import SkipTest

from ..core.errors import NotApplicableError, TooLargeError

Value = TypeVar("Value")


class CheckFailed(AssertionError):  # noqa: N818 - pytest and readers say "failed"
    """A check has found a counterexample; the message says which."""


def skip(reason: str) -> NoReturn:
    """Leave the check: the object gives no material for it (pytest and unittest report it as skipped)."""
    raise SkipTest(reason)


@dataclass(frozen=True)
class Check:
    """One small check of one object: call it, as a test does, or `run` it.

    Attributes
    ----------
    name : str
        Short and unique among the checks of one kind of object; also `str(check)`, for `ids=str` in pytest.
    description : str
        What it makes sure of.
    body : callable
        Returns the evidence in words; raises `CheckFailed`, or `unittest.SkipTest` where it does not apply.
    """

    name: str
    description: str
    body: Callable[[], str]

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> None:
        """Raise `AssertionError` with the counterexample, or `unittest.SkipTest` with the reason, or return."""
        self._evidence()

    def run(self) -> CheckResult:
        """Return what came of it; raises nothing."""
        try:
            return CheckResult(self.name, "passed", self._evidence(), self.description)
        except CheckFailed as failure:
            return CheckResult(self.name, "failed", str(failure), self.description)
        except SkipTest as reason:
            return CheckResult(self.name, "not applicable", str(reason), self.description)

    def _evidence(self) -> str:
        try:
            return self.body()
        except (CheckFailed, SkipTest):
            raise
        except (NotApplicableError, TooLargeError) as reason:
            skip(str(reason))
        except Exception as error:
            raise CheckFailed(raised("the object", error)) from error


@dataclass(frozen=True)
class CheckResult:
    """What came of one check.

    Attributes
    ----------
    name : str
        The name of the check.
    status : {"passed", "failed", "not applicable"}
        Not applicable: the object gives no material for the check.
    message : str
        The evidence, the counterexample, or the reason why it does not apply.
    description : str
        What the check makes sure of.
    """

    name: str
    status: str
    message: str
    description: str

    def __str__(self) -> str:
        return f"{self.name}: {self.status}: {self.message}"


@dataclass(frozen=True, repr=False)
class CheckReport(Sequence[CheckResult]):
    """The results of all checks of one object, in order: a sequence of `CheckResult` that prints as a table.

    Attributes
    ----------
    subject : str
        The object that was looked at.
    results : tuple of CheckResult
        One for each check; checks that do not apply are among them, with the reason.
    """

    subject: str
    results: tuple[CheckResult, ...]

    @overload
    def __getitem__(self, index: int) -> CheckResult: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[CheckResult, ...]: ...

    def __getitem__(self, index: int | slice) -> CheckResult | tuple[CheckResult, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[CheckResult]:
        return iter(self.results)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The results of the checks that failed."""
        return tuple(result for result in self.results if result.status == "failed")

    @property
    def not_applicable(self) -> tuple[CheckResult, ...]:
        """The results of the checks that had nothing to look at."""
        return tuple(result for result in self.results if result.status == "not applicable")

    def raise_if_failed(self) -> None:
        """Raise `AssertionError` with every counterexample, unless all checks passed."""
        if self.failures:
            lines = (f"{result.name}: {result.message}\n    ({result.description})" for result in self.failures)
            raise AssertionError("\n".join([f"{self._summary} for {self.subject}", *lines]))

    @property
    def _summary(self) -> str:
        failed, skipped = len(self.failures), len(self.not_applicable)
        return f"{failed} failed, {len(self) - failed - skipped} passed, {skipped} not applicable"

    def __repr__(self) -> str:
        width = max((len(result.name) for result in self.results), default=0)
        marks = {"passed": "ok", "failed": "FAILED", "not applicable": "-"}
        rows = (f"  {result.name:<{width}}  {marks[result.status]:<6}  {result.message}" for result in self.results)
        return "\n".join([f"{self.subject}: {self._summary}", *rows])


def report(subject: str, checks: Sequence[Check]) -> CheckReport:
    """Run the checks one after the other."""
    return CheckReport(subject, tuple(check.run() for check in checks))


def named(subject: object) -> str:
    """The object for a reader: its repr, or its type where the repr is an address."""
    try:
        plain = type(subject).__repr__ is object.__repr__
        return type(subject).__name__ if plain else repr(subject)
    except Exception:  # a report on a broken object is still a report
        return type(subject).__name__


def called(what: str, function: Callable[..., Value], *arguments: object, **keywords: object) -> Value:
    """Call a function of the user's object: an exception in there is a counterexample.

    But for the two by which an object says that it does not know here, with the reason.
    """
    try:
        return function(*arguments, **keywords)
    except (CheckFailed, SkipTest):
        raise
    except (NotApplicableError, TooLargeError) as reason:
        skip(f"`{what}`: {reason}")
    except Exception as error:
        raise CheckFailed(raised(f"`{what}`", error)) from error


def raised(what: str, error: Exception) -> str:
    """The exception in one line."""
    message = f": {error}" if str(error) else ""
    return f"{what} raised {type(error).__name__}{message}"


def offered(thing: object, name: str) -> Callable[..., object]:
    """The method of this name, each call of it guarded; where the object has none, the check does not apply."""
    method: object = getattr(thing, name, None)
    if method is None:
        skip(f"no `{name}` is offered")
    if not callable(method):
        raise CheckFailed(f"`{name}` must be a method, got {method!r}")
    return lambda *arguments, **keywords: called(name, method, *arguments, **keywords)


def resting_on(check: str, build: Callable[[], Value]) -> Value:
    """What another check answers for: where that one fails, this one does not apply."""
    try:
        return build()
    except CheckFailed as failure:
        skip(f"rests on the check {check!r}, which fails: {failure}")
