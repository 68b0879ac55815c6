#!/usr/bin/env python3
"""A program for calls of Demarc, in both of its parts. It needs the library `websockets` (Debian: python3-websockets).

    program.py listen [http://127.0.0.1:8080]   shows how loud both sides of the newest call are; `demarc demo` tells its URL
    program.py bot [9001]                       takes calls: repeats what the caller says, # sends the caller to queue:sales
"""

import asyncio
import json
import math
import struct
import sys
import urllib.request

import websockets


def loudness(samples):
    """Decibels below the loudest there is."""
    square = sum(sample * sample for sample in samples) / max(len(samples), 1)
    return 10 * math.log10(square / 2**30) if square else -99


async def listen(base):
    calls = []
    while not calls:
        with urllib.request.urlopen(base + "/api/v1/calls") as answer:
            calls = [call["id"] for call in json.load(answer) if call["state"] == "talking"]
        await asyncio.sleep(0.5)
    address = base.replace("http://", "ws://") + f"/api/v1/calls/{calls[-1]}/audio?rate=16000&side=both"
    frames = []
    async with websockets.connect(address) as call:
        async for message in call:
            if isinstance(message, str):
                print(message)
                continue
            frames.append(struct.unpack(f"<{len(message) // 2}h", message))
            if len(frames) == 25:  # half a second
                left = [sample for frame in frames for sample in frame[::2]]
                right = [sample for frame in frames for sample in frame[1::2]]
                print(f"caller {loudness(left):6.1f} dB   agent {loudness(right):6.1f} dB")
                frames = []


async def bot(port):
    async def take(call):
        async for message in call:
            if isinstance(message, bytes):
                await call.send(message)  # the caller hears itself
                continue
            print(message)
            event = json.loads(message)
            if event["type"] == "digit" and event["digit"] == "#":
                await call.send(json.dumps({"type": "transfer", "to": "queue:sales"}))
            elif event["type"] == "digit":
                await call.send(json.dumps({"type": "clear"}))  # what is not played yet is not heard any more

    async with websockets.serve(take, "127.0.0.1", int(port)):
        print(f'[[program]] name = "bot", url = "ws://127.0.0.1:{port}/": waiting for calls')
        await asyncio.Future()


if len(sys.argv) < 2 or sys.argv[1] not in ("listen", "bot"):
    sys.exit(__doc__)
try:
    if sys.argv[1] == "listen":
        asyncio.run(listen(*(sys.argv[2:] or ["http://127.0.0.1:8080"])))
    else:
        asyncio.run(bot(*(sys.argv[2:] or ["9001"])))
except KeyboardInterrupt:
    pass
