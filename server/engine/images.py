"""Images that messages show: fetched and decoded by vLLM's own reader, within this server's rules.

A page that a client names is asked for by this machine, from inside whatever network it stands in.
So no host is asked that the server's settings do not name, and no redirect is followed.
"""

import asyncio
import os
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from server.errors import InvalidRequest

SECONDS = 10
"""Within which an image must have come."""

PIXELS = 16_000_000
"""Of an image at most: a file of kilobytes may say that it has billions."""

AT_ONCE = 4
"""Images that are held open, of all requests together, while they are decoded."""

UNREADABLE = (ValueError, NotImplementedError, SyntaxError, struct.error, EOFError)
"""What decoders raise for files that are broken, each its own."""


@dataclass(frozen=True, slots=True)
class Image:
    """url: `data:` or http(s). field: where the request has it."""

    url: str
    field: str


class Opener:
    """domains: hosts that images may be fetched from."""

    def __init__(self, domains: Collection[str]) -> None:
        os.environ.setdefault("VLLM_MEDIA_URL_ALLOW_REDIRECTS", "0")
        os.environ.setdefault("VLLM_MAX_IMAGE_PIXELS", str(PIXELS))
        self._domains = frozenset(domains)
        self._room = asyncio.Semaphore(AT_ONCE)

    async def opened(self, images: Sequence[Image]) -> list[Any]:
        """In vLLM's form, in order. Raises InvalidRequest, which names the field, for one that
        cannot be had, or is none."""
        from vllm.multimodal.media.connector import MediaConnector

        for image in images:
            _check(image, self._domains)
        reader = MediaConnector(allowed_media_domains=sorted(self._domains))
        found = []
        for image in images:
            async with self._room:
                found.append(await _opened(reader, image))
        return found


def _check(image: Image, domains: Collection[str]) -> None:
    try:
        address = urlsplit(image.url)
        host = address.hostname
    except ValueError:
        raise InvalidRequest(f"{image.field}: is no URL", image.field) from None
    if address.scheme == "data":
        return
    if address.scheme not in ("http", "https"):
        message = f"{image.field}: should be a data: URL with the image in base64, or https"
        raise InvalidRequest(message, image.field)
    if host not in domains:
        message = f"{image.field}: this server fetches no images from {host}: send a data: URL"
        raise InvalidRequest(message, image.field)


async def _opened(reader: Any, image: Image) -> Any:
    from aiohttp import ClientError
    from PIL.Image import DecompressionBombError
    from vllm.exceptions import VLLMClientError

    try:
        async with asyncio.timeout(SECONDS):
            return await reader.fetch_image_async(image.url)
    except (*UNREADABLE, VLLMClientError, DecompressionBombError) as error:
        raise InvalidRequest(f"{image.field}: cannot be read as an image", image.field) from error
    except (ClientError, OSError, TimeoutError) as error:
        raise InvalidRequest(f"{image.field}: could not be fetched", image.field) from error
