"""IFBench: 58 constraints that no model was trained on (arXiv 2507.02833), by their own names.

Ours, from the paper's definitions: the published package fetches data of NLTK when it is imported.
Where its rules contradict its own prompts, these follow the prompts. Two are approximate, which
need a dictionary there: verbs (`words:start_verb`) and syllables (`words:odd_even_syllables`).
"""

from training.verifiers.ifbench.verifier import CONSTRAINTS, IfBench, read

__all__ = ["CONSTRAINTS", "IfBench", "read"]
