"""Repositories of the Hugging Face hub, where a recipe or a registry names one."""

from pathlib import Path

HUB = "hf:"
"""Before the name of a repository."""

WANTED = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
"""Weights in safetensors alone: no format that runs what is in it."""


class HubError(Exception):
    """A repository that cannot be fetched, and why, in a line."""


def fetched(named: str, folder: Path | None = None) -> Path:
    """The folder of `hf:owner/name`: the hub's cache of links, or `folder`, in files.

    Raises HubError.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        found = snapshot_download(named.removeprefix(HUB), local_dir=folder, allow_patterns=WANTED)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise HubError(f"{named}: cannot be fetched: {str(error).splitlines()[0]}") from error
    return Path(found)
