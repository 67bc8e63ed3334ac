"""Questions to load a server with: short, of a few kinds, their words and numbers by a seed."""

import random

WORDS = (
    "raspberry blueberry strawberry bookkeeper mississippi banana committee assessment "
    "parallel successful balloon giraffe coffee umbrella possession cinnamon"
).split()
NAMES = "Mia Ben Lena Tom Ada Paul Nora Max".split()
THINGS = "shells coins cards marbles stamps apples".split()


def questions(count: int, seed: str) -> list[str]:
    rng = random.Random(seed)
    kinds = (_letters, _sum, _story, _comparison)
    return [kinds[i % len(kinds)](rng) for i in range(count)]


def _letters(rng: random.Random) -> str:
    word = rng.choice(WORDS)
    return f"How many {rng.choice(word)} in {word}?"


def _sum(rng: random.Random) -> str:
    numbers = [rng.randint(10, 99) for _ in range(rng.randint(3, 6))]
    return f"What is {'+'.join(map(str, numbers))}?"


def _story(rng: random.Random) -> str:
    name, friend = rng.sample(NAMES, 2)
    things, has = rng.choice(THINGS), rng.randint(10, 60)
    return (
        f"{name} has {has} {things}. {name} finds {rng.randint(2, 20)} more. "
        f"{name} gives {rng.randint(2, 9)} to {friend}. How many {things} does {name} have now?"
    )


def _comparison(rng: random.Random) -> str:
    whole = rng.randint(1, 20)
    return f"Which is larger, {whole}.{rng.randint(1, 9)} or {whole}.{rng.randint(10, 99)}?"
