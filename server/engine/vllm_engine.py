"""vLLM's AsyncLLM, in this process's event loop, as `decoding.engine.Engine`."""

import asyncio
import itertools
import math
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import transformers
from pydantic import ValidationError
from vllm import ModelRegistry, SamplingParams, TokensPrompt
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.lora.request import LoRARequest
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from decoding.engine import Engine
from decoding.types import Chunk, Grammar, Likely, Sampling, TokenLogprob
from server.config import Settings
from server.engine import grammar
from server.engine.adapters import USUAL, Adapter, adaptable, without
from server.engine.detokenizer import Mending
from server.engine.executor import in_scheduler
from server.engine.images import Image, Opener
from server.engine.leftovers import Leftovers
from server.engine.pieces import Pieces
from server.engine.platform import cpu_defaults
from server.engine.preflight import (
    CannotStart,
    check_architecture,
    check_memory,
    header,
    is_folder,
    weight_files,
)
from server.engine.prompt import TokenizerCodec
from server.engine.served import ServedEngine
from server.engine.swapping import SwapFailed
from server.errors import EngineUnavailable, InvalidRequest

NEVER = -100.0
"""A logit bias that no sampling survives."""

IMPOSSIBLE = -100.0
"""The log-probability that counts for a token which cannot be."""

LEAST_LOGPROB = -9999.0
"""What is told of such a token: JSON has no infinity, and OpenAI says it so."""

LIKELIEST = 64
"""Tokens that are told of where those that are chosen cannot be: vLLM's first model runner, which
is the one for CPUs, tells all calls of a step the chosen ones of each other, in the place of what
they asked for. One that is not among so many has a probability that counts for nothing."""

CPU_BLOCK = 32
"""Tokens a KV block. A continuation computes its last, partial block again: vLLM's own default on
CPU, 128, would be most of a short thought."""


LOOK = 0.25
"""Seconds between looks at an engine that has been called."""

ANSWERS = 60
"""Seconds within which an engine that has started answers its first question."""


class VllmEngine:
    """One engine. `start` within a running event loop; `stop` when done."""

    def __init__(
        self, llm: AsyncLLM, processes: Sequence[BaseProcess], image_domains: Collection[str] = ()
    ) -> None:
        self.llm = llm
        self.sees: bool = llm.model_config.is_multimodal_model
        self._images = Opener(image_domains)
        self._tells_chosen: bool = llm.vllm_config.use_v2_model_runner
        self._scratch = TemporaryDirectory(prefix="bide-")
        self._otherwise = self._without_adapter()
        self._processes = processes
        self._leftovers = Leftovers(each.pid for each in processes if each.pid)
        self._numbers = itertools.count()
        self.tokenizer: Any = llm.get_tokenizer()
        self._codec = TokenizerCodec(self.tokenizer)
        self._pieces = Pieces(self.tokenizer)
        self.max_model_len: int = llm.model_config.max_model_len
        known = len(self.tokenizer)
        # Rows of the embedding that no token uses could be drawn, but not sent back as a prompt.
        self._unknown = dict.fromkeys(range(known, llm.model_config.get_vocab_size()), NEVER)
        self.turn_ends = frozenset(_end_tokens(llm))
        self.check_grammar(Grammar("json", "{}"))  # loads the compiler now, not while others wait

    @classmethod
    async def start(cls, settings: Settings) -> "VllmEngine":
        """Raises CannotStart. Cancelling it ends what was started."""
        before = multiprocessing.active_children()
        # vLLM waits for its process without letting the event loop run.
        starting = asyncio.ensure_future(asyncio.to_thread(_started, settings))
        try:
            llm = await asyncio.shield(starting)
        except asyncio.CancelledError:
            while not starting.done():
                for process in _new(before):
                    process.kill()
                await asyncio.wait([starting], timeout=0.1)
            if starting.exception() is None:
                await asyncio.to_thread(starting.result().shutdown)
            raise
        engine = cls(llm, _new(before), settings.image_domains)
        try:
            # What vLLM asks before its first call, and never again. Were it asked when the engine
            # dies, the answer would be waited for without end.
            async with asyncio.timeout(ANSWERS):
                await llm.get_supported_tasks()
        except (EngineDeadError, TimeoutError) as error:
            await engine.stop()
            raise CannotStart("--model: the engine died as it started") from error
        except asyncio.CancelledError:
            await engine.stop()
            raise
        return engine

    async def stop(self) -> None:
        await asyncio.to_thread(self.llm.shutdown)
        # To calls that wait: vLLM ends the task that would have told them.
        self.llm.output_processor.propagate_error(EngineDeadError())
        await asyncio.to_thread(self._leftovers.clear)
        self._scratch.cleanup()

    def death(self) -> str | None:
        if not self.llm.errored:
            return None
        ends = [_end(each) for each in self._processes if each.exitcode is not None]
        return ", ".join(ends) or "its process answers no more"

    async def pause(self) -> None:
        await self._done(self.llm.pause_generation(mode="keep", clear_cache=True))

    async def reload(self, folder: Path) -> None:
        where = {"weights_path": str(folder)}
        try:
            await self._done(self.llm.collective_rpc("reload_weights", kwargs=where))
        except EngineUnavailable:
            raise
        except Exception as error:  # of the model's loader; each means the same here
            raise SwapFailed(f"{folder.name}: the engine cannot read these weights") from error

    async def resume(self) -> None:
        await self._done(self.llm.resume_generation())

    async def add(self, adapter: Adapter) -> None:
        try:
            await self._done(self.llm.add_lora(_lora(adapter)))
        except EngineUnavailable:
            raise
        except Exception as error:  # of the adapter's loader; each means the same here
            raise SwapFailed(f"{adapter}: the engine cannot read this adapter") from error

    async def remove(self, adapter: Adapter) -> None:
        await self._done(self.llm.remove_lora(adapter.number))

    async def _done(self, call: Coroutine[Any, Any, Any]) -> None:
        """Raises EngineUnavailable where the engine dies of it: vLLM would wait without end."""
        calling = asyncio.ensure_future(call)
        try:
            while not calling.done():
                if self.llm.errored:
                    raise EngineUnavailable("the engine has stopped")
                await asyncio.wait([calling], timeout=LOOK)
            calling.result()
        except EngineDeadError as error:
            raise EngineUnavailable("the engine has stopped") from error
        finally:
            calling.cancel()

    def adapted(self, adapter: Adapter) -> ServedEngine:
        return AdaptedEngine(self, adapter)

    def _without_adapter(self) -> Adapter | None:
        """What a call has that is to have none."""
        config = self.llm.vllm_config.lora_config
        if config is None or config.target_modules is None or not current_platform.is_cpu():
            return None
        return without(Path(self._scratch.name), config.target_modules[0])

    async def prove(self) -> None:
        sampling = Sampling(1, temperature=0.0, logprobs=0, ignore_eos=True)
        prompt = self._codec.encode("1")
        async with aclosing(self.generate(prompt, sampling)) as chunks:
            found = [each async for chunk in chunks for each in chunk.logprobs]
        if not found or not math.isfinite(found[0].drawn.logprob):
            raise SwapFailed("what these weights say has no probability")

    def check_grammar(self, asked: Grammar) -> None:
        """Raises GrammarError for what the engine could not compile."""
        grammar.check(asked)

    async def seeing(
        self,
        token_ids: Sequence[int],
        images: Sequence[Image],
        adapter: Adapter | None = None,
    ) -> tuple[list[int], Engine]:
        prompt = TokensPrompt(
            prompt_token_ids=list(token_ids),
            multi_modal_data={"image": await self._images.opened(images)},
        )
        try:
            seen: Any = await self.llm.renderer.process_for_engine_async(
                prompt, arrival_time=time.time(), skip_mm_cache=True
            )
        except ValueError as error:  # a template that shows them otherwise, or not at all
            message = "messages: this model's template does not show these images to it"
            raise InvalidRequest(message, "messages") from error
        return list(seen["prompt_token_ids"]), Seeing(self, seen, adapter)

    def generate(
        self, token_ids: Sequence[int], sampling: Sampling, adapter: Adapter | None = None
    ) -> AsyncGenerator[Chunk, None]:
        prompt = TokensPrompt(prompt_token_ids=list(token_ids))
        return self.go_on(prompt, token_ids, sampling, adapter)

    async def go_on(
        self,
        prompt: Any,
        token_ids: Sequence[int],
        sampling: Sampling,
        adapter: Adapter | None = None,
    ) -> AsyncGenerator[Chunk, None]:
        """prompt: of these ids, in any of vLLM's forms."""
        name = f"call-{next(self._numbers)}"
        adapter = adapter or self._otherwise
        results = self.llm.generate(
            prompt,
            self.params(sampling),
            request_id=name,
            lora_request=None if adapter is None else _lora(adapter),
        )
        if sampling.on_abort is not None:
            results = self._telling(results, name, sampling.on_abort)
        stops = frozenset(sampling.stop_token_ids)
        mending = Mending(self._codec, token_ids)
        try:
            async with aclosing(results):
                async for result in results:
                    chunk = self._chunk(result, stops, sampling)
                    yield mending.mended(chunk)
        except EngineDeadError as error:
            raise EngineUnavailable("the engine has stopped") from error

    async def _telling(
        self, results: AsyncGenerator[Any, None], name: str, on_abort: Callable[[int], None]
    ) -> AsyncGenerator[Any, None]:
        """Results; a call that is left before its end is aborted here, not in vLLM's generator,
        whose last result then has what was generated since the one before."""
        pending: asyncio.Future[Any] | None = None
        try:
            while True:
                pending = asyncio.ensure_future(anext(results, None))
                result = await asyncio.shield(pending)
                pending = None
                if result is None:
                    return
                yield result
        except (asyncio.CancelledError, GeneratorExit):
            # vLLM knows a call only once a thread of its own has read the prompt.
            while pending is not None and not pending.done():
                await self.llm.abort(name)
                await asyncio.wait([pending], timeout=0.01)
            await self.llm.abort(name)
            rest: list[Any] = []
            with suppress(EngineDeadError):  # its last tokens are lost
                if pending is not None:
                    rest.append(pending.result())
                rest += [result async for result in results]
            on_abort(sum(len(result.outputs[0].token_ids) for result in rest if result))
            raise

    def _chunk(self, result: Any, stops: frozenset[int], sampling: Sampling) -> Chunk:
        """vLLM ends `token_ids` with the stop token; here it stands apart."""
        output = result.outputs[0]
        ids = tuple(output.token_ids)
        if output.finish_reason not in (None, "stop", "length"):
            raise EngineUnavailable(f"the engine ended a call: {output.finish_reason}")
        stop_token = output.stop_reason if output.stop_reason in stops else None
        if stop_token is not None:
            ids = ids[:-1]
        found, top, told = output.logprobs or (), sampling.top_logprobs, sampling.logprobs
        return Chunk(
            ids,
            output.text,
            output.finish_reason,
            stop_token,
            tuple(_confidence(each, top) for each in found[: len(ids)]) if top else (),
            ()
            if told is None
            else tuple(
                self._logprob(token, each, told) for token, each in zip(ids, found, strict=False)
            ),
            output.stop_reason if isinstance(output.stop_reason, str) else None,
            self._score(result, sampling.prompt_logprobs),
            _told(found, output.token_ids, sampling.told_ids),
        )

    def _score(self, result: Any, told: int | None) -> tuple[TokenLogprob, ...]:
        """vLLM tells it with a call's first result alone, with nothing for the first token."""
        if told is None:
            return ()
        prompt, found = result.prompt_token_ids, result.prompt_logprobs or ()
        pairs = zip(prompt[1:], found[1:], strict=False)
        return tuple(self._logprob(token, each, told) for token, each in pairs)

    def _logprob(self, token: int, found: Mapping[int, Any], told: int) -> TokenLogprob:
        """Of one position; vLLM has the sampled token in it wherever that ranks."""
        ranked = sorted(found, key=lambda each: int(found[each].rank))
        top = tuple(self._likely(each, found) for each in ranked if found[each].rank <= told)
        return TokenLogprob(self._likely(token, found), top)

    def _likely(self, token: int, found: Mapping[int, Any]) -> Likely:
        own = self._pieces.of(token)
        logprob = max(float(found[token].logprob), LEAST_LOGPROB)
        return Likely(token, own.decode(errors="replace"), own, logprob)

    def params(self, sampling: Sampling) -> SamplingParams:
        """`sampling` as vLLM says it."""
        return SamplingParams(
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            repetition_penalty=sampling.repetition_penalty,
            seed=sampling.seed,
            logit_bias={**sampling.logit_bias, **self._unknown} or None,
            stop=list(sampling.stop),
            stop_token_ids=list(sampling.stop_token_ids),
            # Ends of turn come as stop tokens, so that it is always known which one it was.
            ignore_eos=sampling.ignore_eos or bool(sampling.stop_token_ids),
            # A marker must not vanish from the text where it is not one: see Budget.
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            logprobs=self._positions(sampling),
            logprob_token_ids=(list(sampling.told_ids) or None) if self._tells_chosen else None,
            prompt_logprobs=sampling.prompt_logprobs,
            structured_outputs=grammar.params(sampling.grammar) if sampling.grammar else None,
            output_kind=RequestOutputKind.DELTA,
            stream_interval=sampling.chunk_tokens,
        )

    def _positions(self, sampling: Sampling) -> int | None:
        """Of how many tokens vLLM is to tell the log-probabilities, beside the sampled one's."""
        told = LIKELIEST if sampling.told_ids and not self._tells_chosen else 0
        if sampling.logprobs is None:
            return max(sampling.top_logprobs, told) or None
        return max(sampling.logprobs, sampling.top_logprobs, told)


class Seeing:
    """The engine, to whom a prompt's images are shown again at each call that continues it.

    Their places in the prompt are known, so that the ids may go on behind them as they like.
    """

    def __init__(
        self, engine: VllmEngine, seen: Mapping[str, Any], adapter: Adapter | None
    ) -> None:
        self._engine, self._seen, self._adapter = engine, seen, adapter

    def generate(self, token_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Chunk, None]:
        prompt = {**self._seen, "prompt_token_ids": list(token_ids), "arrival_time": time.time()}
        return self._engine.go_on(prompt, token_ids, sampling, self._adapter)


class AdaptedEngine:
    """The engine, told of an adapter at each call."""

    def __init__(self, engine: VllmEngine, adapter: Adapter) -> None:
        self._engine, self._adapter = engine, adapter
        self.sees = engine.sees

    async def seeing(
        self, token_ids: Sequence[int], images: Sequence[Image]
    ) -> tuple[list[int], Engine]:
        return await self._engine.seeing(token_ids, images, self._adapter)

    def check_grammar(self, asked: Grammar) -> None:
        self._engine.check_grammar(asked)

    def adapted(self, adapter: Adapter) -> ServedEngine:
        return self._engine.adapted(adapter)

    def generate(self, token_ids: Sequence[int], sampling: Sampling) -> AsyncGenerator[Chunk, None]:
        return self._engine.generate(token_ids, sampling, self._adapter)


def _lora(adapter: Adapter) -> LoRARequest:
    # vLLM takes requests of one name for one adapter, whatever their numbers.
    name = f"{adapter}#{adapter.number}"
    return LoRARequest(name, adapter.number, str(adapter.folder.resolve()))


def _started(settings: Settings) -> AsyncLLM:
    """Blocks until the engine has started. Raises CannotStart."""
    if is_folder(settings.model):
        check_architecture(
            settings.model, {*ModelRegistry.get_supported_archs(), *dir(transformers)}
        )
    try:
        return AsyncLLM.from_engine_args(engine_args(settings))
    except CannotStart:
        raise
    except Exception as error:  # of many libraries; each means the same here
        raise CannotStart(f"--model: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """One line."""
    if isinstance(error, RuntimeError) and "See root cause above" in str(error):
        return "the engine did not start; what it said is above"
    message = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    return (message.strip().splitlines() or [type(error).__name__])[0]


def _new(before: Sequence[BaseProcess]) -> list[BaseProcess]:
    return [each for each in multiprocessing.active_children() if each not in before]


def _end(process: BaseProcess) -> str:
    status = process.exitcode
    if status is not None and status < 0:
        return f"{process.name} was ended by {signal.Signals(-status).name}"
    return f"{process.name} ended with status {status}"


def engine_args(settings: Settings) -> AsyncEngineArgs:
    """vLLM's arguments; on CPU with defaults found for this machine.

    Raises CannotStart where the memory is too little.
    """
    # A fork would hold the connections of clients open, and a thread's locks shut.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    # transformers imports scikit-learn where it is installed (bide[vectors]), whose joblib makes a
    # semaphore that an engine which is killed would leave behind.
    os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")
    common: dict[str, Any] = {
        "model": settings.model,
        "dtype": settings.dtype,
        "max_model_len": settings.max_model_len,
        "max_num_seqs": settings.max_num_seqs,
        "tensor_parallel_size": settings.tensor_parallel_size,
        "data_parallel_size": settings.data_parallel_size,
        "enable_prefix_caching": settings.enable_prefix_caching,
        "enable_log_requests": False,
        "use_tqdm_on_load": False,
        # A checkpoint may bring sampling defaults; a request's fields are to be the whole truth.
        "generation_config": "vllm",
        "structured_outputs_config": grammar.config(),
        "max_logprobs": LIKELIEST,
        "limit_mm_per_prompt": {"image": settings.max_images, "video": 0, "audio": 0},
        **_lora_args(settings),
    }
    if not current_platform.is_cpu():
        return AsyncEngineArgs(
            **common,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            enforce_eager=bool(settings.enforce_eager),
            block_size=settings.block_size,
        )
    found = cpu_defaults(settings.kv_cache_gib, settings.threads)
    if is_folder(settings.model):
        free = psutil.virtual_memory().available
        cache, context = found.kv_cache_bytes, settings.max_model_len
        check_memory(settings.model, settings.dtype, cache, context, free)
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", _cores(found.threads))
    is_alone = settings.tensor_parallel_size == settings.data_parallel_size == 1
    return AsyncEngineArgs(
        **common,
        distributed_executor_backend=in_scheduler(found.threads) if is_alone else None,
        # A seeded prompt that is computed in parts would kill the engine: vLLM then turns the
        # generator back by an offset, which a CPU's generator does not have.
        enable_chunked_prefill=False,
        gpu_memory_utilization=found.memory_share,
        kv_cache_memory_bytes=found.kv_cache_bytes,
        enforce_eager=settings.enforce_eager is not False,
        block_size=settings.block_size or CPU_BLOCK,
    )


def _lora_args(settings: Settings) -> dict[str, Any]:
    if not settings.max_adapters:
        return {}
    none = int(current_platform.is_cpu())
    return {
        "enable_lora": True,
        "max_loras": min(settings.adapters_at_once, settings.max_adapters) + none,
        "max_cpu_loras": settings.max_adapters + none,
        "max_lora_rank": settings.max_adapter_rank,
        "lora_target_modules": _adaptable(settings.model),
    }


def _adaptable(model: str) -> list[str]:
    """Of a hub's model nothing is known yet: it is taken for one like most."""
    if not is_folder(model):
        return list(USUAL)
    headers = (header(path)[0] for path in weight_files(Path(model)))
    return adaptable(
        (name, len(tensor["shape"])) for found in headers for name, tensor in found.items()
    )


def _cores(threads: int) -> str:
    cores = sorted(os.sched_getaffinity(0))[:threads]
    return ",".join(map(str, cores))


def _end_tokens(llm: AsyncLLM) -> set[int]:
    """The tokenizer's end of sequence and those that the checkpoint's generation config names."""
    own: int | None = getattr(llm.get_tokenizer(), "eos_token_id", None)
    listed = llm.model_config.try_get_generation_config().get("eos_token_id") or []
    ends = set([listed] if isinstance(listed, int) else listed)
    return ends if own is None else ends | {own}


def _told(
    found: Sequence[Mapping[int, Any]], drawn: Sequence[int], wanted: tuple[int, ...]
) -> tuple[Mapping[int, float], ...]:
    """Of each position, and of the token that was drawn there."""
    if not wanted:
        return ()
    return tuple(
        {each: at[each].logprob for each in (*wanted, token) if each in at}
        for token, at in zip(drawn, found, strict=False)
    )


def _confidence(found: Mapping[int, Any], top: int) -> float:
    """Of one position; vLLM adds the sampled token where it is not among the top ones."""
    likely: list[float] = [each.logprob for each in found.values() if each.rank <= top]
    return -sum(max(each, IMPOSSIBLE) for each in likely) / len(likely)
