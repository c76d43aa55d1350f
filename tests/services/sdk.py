"""Chats through the gateway with the official libraries: sdk.py GATEWAY KEY. Prints one JSON object of what came of it."""

import json
import sys
import time

import anthropic
import openai

GATEWAY, KEY = sys.argv[1:]
ASK = [{"role": "user", "content": "hello"}]


def refused(call):
    """What a library makes of a refusal."""
    try:
        call()
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        return {"kind": type(error).__name__, "status": error.status_code, "text": str(error)}
    return None


def timed(stream):
    """The words of a stream, and how long after the first the last came, in seconds."""
    words, times = [], []
    for word in stream:
        words.append(word)
        times.append(time.monotonic())
    return {"text": "".join(words), "spread": times[-1] - times[0]}


def with_openai(key):
    client = openai.OpenAI(base_url=f"{GATEWAY}/openai/v1", api_key=key, max_retries=0)
    ask = lambda model, **more: client.chat.completions.create(model=model, messages=ASK, **more)
    return client, ask


def with_anthropic(key):
    client = anthropic.Anthropic(base_url=f"{GATEWAY}/anthropic", api_key=key, max_retries=0)
    ask = lambda model, **more: client.messages.create(model=model, messages=ASK, max_tokens=16, **more)
    return client, ask


_, chat = with_openai(KEY)
client, message = with_anthropic(KEY)


def openai_stream():
    for part in chat("gpt-4o", stream=True):
        if part.choices[0].delta.content:
            yield part.choices[0].delta.content


def anthropic_stream():
    with client.messages.stream(model="claude-sonnet-4", messages=ASK, max_tokens=16) as stream:
        yield from stream.text_stream


print(json.dumps({
    "versions": [openai.__version__, anthropic.__version__],
    "openai": {
        "whole": chat("gpt-4o").choices[0].message.content,
        "stream": timed(openai_stream()),
        "model": refused(lambda: chat("o3")),
        "model of a stream": refused(lambda: list(chat("o3", stream=True))),
        "key": refused(lambda: with_openai("gk_live_unknown0123456")[1]("gpt-4o")),
    },
    "anthropic": {
        "whole": message("claude-sonnet-4").content[0].text,
        "stream": timed(anthropic_stream()),
        "model": refused(lambda: message("claude-opus-4")),
        "model of a stream": refused(lambda: list(message("claude-opus-4", stream=True))),
        "key": refused(lambda: with_anthropic("gk_live_unknown0123456")[1]("claude-sonnet-4")),
    },
}))
