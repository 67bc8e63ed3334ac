"""Grammars as vLLM takes them, checked before the engine sees them."""

import json
import re

from vllm import SamplingParams
from vllm.config import StructuredOutputsConfig
from vllm.exceptions import VLLMValidationError
from vllm.sampling_params import StructuredOutputsParams, check_json_nesting
from vllm.v1.structured_output.backend_xgrammar import validate_xgrammar_grammar

from decoding.types import Grammar

_PLACE = re.compile(r"^\[[\d:]+\] \S+:\d+: ")
"""The time, and the line in the compiler's own source, with which its errors begin."""


def config() -> StructuredOutputsConfig:
    """One compiler for all grammars: else the first request's would choose it for all the others.

    JSON is compact: where white space is allowed, a model may write nothing else to the end.
    """
    return StructuredOutputsConfig(backend="xgrammar", disable_any_whitespace=True)


def params(grammar: Grammar) -> StructuredOutputsParams:
    match grammar.kind:
        case "json":
            return StructuredOutputsParams(json=grammar.value)
        case "regex":
            return StructuredOutputsParams(regex=grammar.value)
        case "choice":
            return StructuredOutputsParams(choice=json.loads(grammar.value))
        case "grammar":
            return StructuredOutputsParams(grammar=grammar.value)
        case "structural_tag":
            return StructuredOutputsParams(structural_tag=grammar.value)


def check(grammar: Grammar) -> None:
    """Raises ValueError with the compiler's reason."""
    asked = params(grammar)
    try:
        check_json_nesting(asked.json)
        validate_xgrammar_grammar(SamplingParams(structured_outputs=asked))
    except (VLLMValidationError, ValueError) as error:
        raise ValueError(_PLACE.sub("", str(error.__cause__ or error)).strip()) from error
