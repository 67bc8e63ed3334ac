"""`format:`."""

import re
from itertools import pairwise

from training.verifiers.ifbench.text import AROUND, PUNCTUATION, bare, sentences, tokens

CLOSING = {")": "(", "]": "[", "}": "{"}
EMOJI = re.compile(
    "[©®‼⁉™ℹ↔-↙↩↪⌚⌛⌨⏏"
    "⏩-⏳⏸-⏺Ⓜ▪▫▶◀◻-◾☀-➿⤴⤵"
    "⬅-⬇⬛⬜⭐⭕〰〽㊗㊙\U0001f004\U0001f0cf"
    "\U0001f170\U0001f171\U0001f17e\U0001f17f\U0001f18e\U0001f191-\U0001f19a\U0001f201\U0001f202"
    "\U0001f21a\U0001f22f\U0001f232-\U0001f23a\U0001f250\U0001f251\U0001f300-\U0001f64f"
    "\U0001f680-\U0001f6ff\U0001f7e0-\U0001f7eb\U0001f7f0\U0001f900-\U0001f9ff\U0001fa70-\U0001faff]"
)
NESTED = 5
QUOTED = 3


def emoji(text: str) -> bool:
    """Each sentence ends in one; it may stand behind the sentence's mark."""
    found = [bare(sentence).strip() for sentence in sentences(text)]
    for at, sentence in enumerate(found):
        if EMOJI.search(sentence[-2:]):
            continue
        following = found[at + 1] if at + 1 < len(found) else ""
        if not EMOJI.match(following):
            return False
    return bool(found)


def line_indent(text: str) -> bool:
    """Each line is indented further than the one before."""
    lines = [line for line in text.split("\n") if line.strip()]
    indents = [len(line) - len(line.lstrip(" ")) for line in lines]
    return all(a < b for a, b in pairwise(indents))


def separated(text: str, sep: str) -> bool:
    return text.count(sep) >= 2


def newline(text: str) -> bool:
    """Each word on a line of its own."""
    said = bare(text).strip()
    return len([line for line in said.split("\n") if line]) == len(said.split())


def bullets(text: str) -> bool:
    """Two sentences at least, and then two bullets at least."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    first = next((i for i, line in enumerate(lines) if line.startswith("*")), len(lines))
    prose, listed = lines[:first], lines[first:]
    said = sum(len(sentences(line)) for line in prose)
    return said >= 2 and len(listed) >= 2 and all(line.startswith("*") for line in listed)


def no_whitespace(text: str) -> bool:
    return not any(map(str.isspace, text))


def options(text: str, options: str) -> bool:
    """One of those that are given, with `/`, `or` or commas between them, and nothing else."""
    between = next((each for each in ("/", "or", ",") if each in options), ",")
    listed = [option.strip() for option in options.split(between)]
    if re.match(r"\W*[aA]\W+[bB]\W+[cC]\W*", options):
        return text in listed
    return text.strip(AROUND).lower() in {option.strip(AROUND).lower() for option in listed}


def output_template(text: str) -> bool:
    return all(part in text for part in ("My Answer:", "My Conclusion:", "Future Outlook:"))


def parentheses(text: str) -> bool:
    """Brackets nested five deep, of which one is closed as it should be."""
    stack: list[str] = []
    deepest = 0
    for sign in text:
        if sign in CLOSING.values():
            stack.append(sign)
            deepest = max(deepest, len(stack))
        elif sign in CLOSING:
            if not stack or stack.pop() != CLOSING[sign]:
                stack, deepest = [], 0
            elif deepest >= NESTED:
                return True
    return False


def quote_unquote(text: str) -> bool:
    """After each quotation comes something that is not in it."""
    said = re.sub(r"\s", "", text.replace("“", '"').replace("”", '"'))
    if '""' in said:
        return False
    edges = PUNCTUATION.replace('"', "") + "0123456789"
    return not said.strip(edges).endswith('"')


def quotes(text: str) -> bool:
    """Quotations within quotations, three deep."""
    stack: list[str] = []
    deepest = 0
    for sign in text:
        if sign not in "\"'":
            continue
        if stack and stack[-1] == sign:
            stack.pop()
            if deepest - len(stack) >= QUOTED:
                return True
        else:
            stack.append(sign)
            deepest = max(deepest, len(stack))
    return False


def sub_bullets(text: str) -> bool:
    """Each bullet, `*`, has one below it, `-`."""
    items = re.split(r"^\s*\*\s", text, flags=re.MULTILINE)[1:]
    return bool(items) and all(re.search(r"^\s*-\s", item, re.MULTILINE) for item in items)


def thesis(text: str) -> bool:
    """Something in italics, in HTML, and something after it."""
    found = re.search(r"<(i|em)>(.*?)</\1>(.*)", text, re.DOTALL)
    return bool(found and found[2].strip() and found[3].strip())


def title_case(text: str) -> bool:
    """All words, but for what is written in capitals or mixed."""
    words = [token for token in tokens(text) if token[0].isalpha()]
    return not any(word[0].islower() for word in words)


CONSTRAINTS = {
    "format:emoji": emoji,
    "format:line_indent": line_indent,
    "format:list": separated,
    "format:newline": newline,
    "format:no_bullets_bullets": bullets,
    "format:no_whitespace": no_whitespace,
    "format:options": options,
    "format:output_template": output_template,
    "format:parentheses": parentheses,
    "format:quote_unquote": quote_unquote,
    "format:quotes": quotes,
    "format:sub-bullets": sub_bullets,
    "format:thesis": thesis,
    "format:title_case": title_case,
}
