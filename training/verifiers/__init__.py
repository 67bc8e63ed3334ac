"""Verifiers by name: what says how right a completion is. Add one file here, and its name below."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from training.verifiers.answers import Answer, Exact, Format, Gsm8k, WordF1
from training.verifiers.code import Code
from training.verifiers.ifbench import IfBench
from training.verifiers.ifeval import IfEval
from training.verifiers.judge import Judge
from training.verifiers.maths import Maths
from training.verifiers.verifier import BadLabel, UnknownVerifier, Verdict, Verifier

__all__ = ["VERIFIERS", "BadLabel", "UnknownVerifier", "Verdict", "Verifier", "named"]

VERIFIERS: Mapping[str, Callable[[], Verifier]] = MappingProxyType(
    {
        "answer": Answer,
        "gsm8k": Gsm8k,
        "math": Maths,
        "exact": Exact,
        "f1": WordF1,
        "format": Format,
        "ifeval": IfEval,
        "ifeval-strict": partial(IfEval, strict=True),
        "ifbench": IfBench,
        "code": Code,
        "judge": Judge,
    }
)


def named(name: str) -> Verifier:
    """Raises UnknownVerifier."""
    try:
        return VERIFIERS[name]()
    except KeyError:
        known = ", ".join(sorted(VERIFIERS))
        raise UnknownVerifier(f"there is no verifier {name!r}, only {known}") from None
