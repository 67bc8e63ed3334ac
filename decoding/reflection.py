"""The tokens with which a model of Self-RAG's kind asks for passages and criticises what it writes.

Their names belong to the model. Self-RAG's own (arXiv 2310.11511, table 1) are the default.
"""

from dataclasses import dataclass, field

from decoding.engine import Codec

UTILITIES = tuple(f"[Utility:{grade}]" for grade in range(1, 6))


@dataclass(frozen=True, slots=True)
class ReflectionNames:
    retrieval: str = "[Retrieval]"
    no_retrieval: str = "[No Retrieval]"
    same_evidence: str = "[Continue to Use Evidence]"
    relevant: str = "[Relevant]"
    irrelevant: str = "[Irrelevant]"
    fully: str = "[Fully supported]"
    partially: str = "[Partially supported]"
    unsupported: str = "[No support / Contradictory]"
    utilities: tuple[str, ...] = UTILITIES
    """From useless to as useful as can be."""
    paragraph: str = "<paragraph>"
    end_of_paragraph: str = "</paragraph>"

    @property
    def all(self) -> tuple[str, ...]:
        names = (getattr(self, each) for each in self.__slots__)
        return tuple(text for each in names for text in ([each] if isinstance(each, str) else each))


@dataclass(frozen=True, slots=True)
class Reflection:
    """The same as token ids of one tokenizer; the fields are those of the names."""

    retrieval: int
    no_retrieval: int
    same_evidence: int
    relevant: int
    irrelevant: int
    fully: int
    partially: int
    unsupported: int
    utilities: tuple[int, ...]
    paragraph: int
    end_of_paragraph: int
    told: tuple[int, ...] = field(init=False)
    """Those whose probabilities a critique is made of."""

    def __post_init__(self) -> None:
        told = (*self.decisions, *self.relevances, *self.supports, *self.utilities)
        object.__setattr__(self, "told", told)

    @property
    def decisions(self) -> tuple[int, ...]:
        """What each segment ends with, unless the turn ends."""
        return self.retrieval, self.no_retrieval, self.same_evidence

    @property
    def ids(self) -> frozenset[int]:
        return frozenset((*self.told, self.paragraph, self.end_of_paragraph))

    @property
    def relevances(self) -> tuple[int, ...]:
        return self.relevant, self.irrelevant

    @property
    def supports(self) -> tuple[int, ...]:
        return self.fully, self.partially, self.unsupported


def resolve(codec: Codec, names: ReflectionNames = ReflectionNames()) -> Reflection | None:
    """None for a tokenizer in which any of them is not one token: its model was not taught them."""
    ids: dict[str, int | tuple[int, ...]] = {}
    for name in ReflectionNames.__slots__:
        texts = getattr(names, name)
        found = [codec.encode(text) for text in ([texts] if isinstance(texts, str) else texts)]
        if any(len(each) != 1 for each in found):
            return None
        tokens = tuple(each[0] for each in found)
        ids[name] = tokens[0] if isinstance(texts, str) else tokens
    return Reflection(**ids)  # type: ignore[arg-type]  # by name, as the two classes are alike
