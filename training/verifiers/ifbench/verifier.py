"""The constraints together, and what a response is worth under them."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from training.verifiers.ifbench import counts, customs, formats, repeats, sentences, words
from training.verifiers.verifier import BadLabel, UnknownVerifier, Verdict

Constraint = Callable[..., bool]

_MODULES = (counts, words, sentences, formats, customs, repeats)
CONSTRAINTS: Mapping[str, Constraint] = MappingProxyType(
    {name: each for module in _MODULES for name, each in module.CONSTRAINTS.items()}
)


class IfBench:
    """A label is a row of the benchmark: instruction_id_list and kwargs.

    The score is 1 where all its constraints hold, each for one of eight variants of the response
    (the paper's loose accuracy of prompts), else 0.
    """

    def verify(self, completion: str, label: str) -> Verdict:
        broken = [
            name
            for name, holds in read(label)
            if not any(holds(variant) for variant in variants(completion))
        ]
        reason = f"not kept: {', '.join(broken)}" if broken else "all kept"
        return Verdict(float(not broken), reason)


def read(label: str) -> list[tuple[str, Callable[[str], bool]]]:
    """Raises BadLabel, and UnknownVerifier for a constraint that is none of the 58."""
    try:
        row = json.loads(label)
        pairs = list(zip(row["instruction_id_list"], row["kwargs"], strict=True))
    except (ValueError, KeyError, TypeError) as error:
        raise BadLabel("ifbench: a label has instruction_id_list and kwargs, of one length") from (
            error
        )
    if not pairs:
        raise BadLabel("ifbench: a label should have one constraint at least")
    return [(name, bound(name, arguments)) for name, arguments in pairs]


def bound(name: str, arguments: Mapping[str, Any]) -> Callable[[str], bool]:
    function = CONSTRAINTS.get(name)
    if function is None:
        raise UnknownVerifier(f"ifbench: there is no constraint {name!r}")
    names = list(inspect.signature(function).parameters)[1:]
    given = {key: _whole(arguments[key]) for key in names if arguments.get(key) is not None}
    missing = [key for key in names if key not in given]
    if missing:
        raise BadLabel(f"ifbench: {name} needs {', '.join(missing)}")
    return lambda text: function(text, **given)


def variants(response: str) -> Iterator[str]:
    """Without its first line, its last, both, and all of these without asterisks."""
    lines = response.split("\n")
    cut = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    for text in (response, *cut):
        for variant in (text, text.replace("*", "")):
            if variant.strip():
                yield variant


def _whole(value: Any) -> Any:
    """Numbers of the data are floats, all of them whole."""
    return int(value) if isinstance(value, float) else value
