"""Rows of all stages' files, looked at before the first stage's first step.

A fault in the last stage's data is worth knowing before the first has trained for days. Data sets
of the hub are looked at when they are fetched.
"""

from training.config import Recipe
from training.data.conversations import messages_of
from training.data.sources import in_files
from training.preferences import texts_of
from training.rollouts.questions import question_of
from training.stages import ConversationStage, Practised, PreferenceStage, TextStage


def check_rows(recipe: Recipe) -> None:
    """Raises RowError, which names file and line."""
    for stage in recipe.stages:
        if isinstance(stage, TextStage):
            for row in in_files(stage.data):
                row.text("text")
        if isinstance(stage, ConversationStage):
            for row in in_files(stage.data):
                messages_of(row)
        if isinstance(stage, PreferenceStage):
            for row in in_files(stage.pairs):
                texts_of(row)
        if isinstance(stage, Practised):
            for row in in_files(stage.task):
                question_of(row)
