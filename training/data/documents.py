"""Problems as documents: plain text to pre-train on, conversations to fine-tune on."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tokenizers import Tokenizer

from training.tokenizer import END, THINK_CLOSE, prompt_text
from training.world.problem import Problem
from training.world.trace import Habits, Piece, think

IGNORE = -100


@dataclass(frozen=True, slots=True)
class Document:
    """Token ids and, in the same shape, labels: the ids themselves, or IGNORE for no loss."""

    ids: list[int]
    labels: list[int]
    shortened: bool
    """Passes were left off, or the text was cut, to fit the length."""


def answer_text(answer: str) -> str:
    return f"The answer is {answer}.{END}"


def plain(problem: Problem, rng: random.Random, habits: Habits) -> list[Piece]:
    """As a page of worked examples would have it: no roles, no markers."""
    pieces = think(problem, rng, habits)
    answer = pieces[-1].answer or problem.answer
    return [Piece(f"{problem.question}\n"), *pieces, Piece(answer_text(answer))]


def chat(
    problem: Problem, rng: random.Random, habits: Habits, *, assistant_only: bool
) -> list[Piece]:
    """A conversation as the chat template renders it."""
    pieces = think(problem, rng, habits)
    answer = pieces[-1].answer or problem.answer
    return [
        Piece(prompt_text(problem.question), learn=not assistant_only),
        *pieces,
        Piece(f"{THINK_CLOSE}\n{answer_text(answer)}"),
    ]


def without_thinking(problem: Problem, *, assistant_only: bool) -> list[Piece]:
    return [
        Piece(prompt_text(problem.question, thinking=False), learn=not assistant_only),
        Piece(answer_text(problem.answer)),
    ]


def encode(
    pieces: list[Piece],
    tokenizer: Tokenizer,
    longest: int,
    finish: Callable[[list[Piece]], list[Piece]] = list,
) -> Document:
    """Ids and labels of at most `longest` tokens.

    A document that is too long loses its last passes, from a conclusion on, before its end;
    only if one pass alone does not fit is the text cut. `finish` does what depends on how long the
    thinking is, once that is known.
    """
    head, *middle, end = pieces
    shortened = False
    encoded = _encode_all(finish([head, *middle, end]), tokenizer)
    while len(encoded.ids) > longest and len(middle) > 1:
        middle = middle[:-2]
        shortened = True
        end = _with_answer(end, pieces[-1], middle[-1].answer)
        encoded = _encode_all(finish([head, *middle, end]), tokenizer)
    if len(encoded.ids) > longest:
        return Document(encoded.ids[:longest], encoded.labels[:longest], True)
    return Document(encoded.ids, encoded.labels, shortened)


def whole(pieces: list[Piece], tokenizer: Tokenizer, longest: int) -> Document:
    """Ids and labels, cut where they are more than `longest` tokens."""
    found = _encode_all(pieces, tokenizer)
    return Document(found.ids[:longest], found.labels[:longest], len(found.ids) > longest)


def encode_cut(
    pieces: list[Piece], gold: str, rng: random.Random, tokenizer: Tokenizer, longest: int
) -> Document:
    """A conversation whose thinking is cut at random, as a budget would cut it.

    The answer is the last conclusion before the cut, or the true one where there is none yet.
    The end marker is not learnt: the server writes it.
    """
    head, *middle, _ = pieces
    thought = _encode_all(middle, tokenizer)
    at = rng.randint(1, max(1, min(len(thought.ids) - 1, longest - 100)))
    answer, seen = gold, 0
    for piece in middle:
        seen += len(tokenizer.encode(piece.text, add_special_tokens=False).ids)
        if seen > at:
            break
        answer = piece.answer or answer
    close = _encode_all([Piece(f"\n{THINK_CLOSE}", learn=False)], tokenizer)
    tail = _encode_all([Piece(f"\n{answer_text(answer)}")], tokenizer)
    opening = _encode_all([head], tokenizer)
    ids = opening.ids + thought.ids[:at] + close.ids + tail.ids
    labels = opening.labels + thought.labels[:at] + close.labels + tail.labels
    return Document(ids[:longest], labels[:longest], len(ids) > longest)


def _with_answer(end: Piece, original: Piece, answer: str | None) -> Piece:
    prefix = original.text[: original.text.rindex("The answer is")]
    return Piece(prefix + answer_text(answer or ""), end.learn)


def _encode_all(pieces: list[Piece], tokenizer: Tokenizer) -> Document:
    ids: list[int] = []
    labels: list[int] = []
    for piece in pieces:
        new = tokenizer.encode(piece.text, add_special_tokens=False).ids
        ids += new
        labels += new if piece.learn else [IGNORE] * len(new)
    return Document(ids, labels, False)
