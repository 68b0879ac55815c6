#!/usr/bin/python3
"""Programs for calls, for tests: a WebSocket server and client by the library `websockets`, and an AudioSocket server
written from the protocol's description. What happens is told on standard output as JSON, a line each; what is to be done
comes on standard input likewise. What a connection hears is written to DIR/NAME.raw as it came."""

import asyncio
import json
import os
import socket
import struct
import sys

import websockets

connections = {}


def tell(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


class Echo:
    """What is to be sent back: half a second (of 8 kHz) later, so that either side may stand still for as long unheard."""

    def __init__(self):
        self.held, self.octets = [], 0

    def due(self, payload):
        self.octets += len(payload)
        self.held.append(payload)
        due = self.held if self.octets >= 8000 else []
        self.held = [] if due else self.held
        return due


class WebSocket:
    def __init__(self, name, socket, directory):
        self.name, self.socket, self.echo = name, socket, Echo()
        self.file = open(os.path.join(directory, name + ".raw"), "wb", buffering=0)

    async def play(self, octets):
        # At once, in messages of half a second: pacing is the other side's part.
        for at in range(0, len(octets), 8000):
            await self.socket.send(octets[at:at + 8000])

    async def text(self, message):
        await self.socket.send(json.dumps(message))

    async def close(self):
        await self.socket.close()

    async def hear(self, echoes):
        heard = 0
        async for message in self.socket:
            if isinstance(message, str):
                tell("text", name=self.name, message=json.loads(message))
                continue
            heard += len(message)
            self.file.write(message)
            for payload in self.echo.due(message) if echoes else []:
                await self.socket.send(payload)
        return heard


async def live(connection, echoes, deaf):
    connections[connection.name] = connection
    tell("connected", name=connection.name)
    heard = 0
    try:
        if deaf:
            await connection.socket.wait_closed()
        else:
            heard = await connection.hear(echoes)
    except websockets.ConnectionClosed:
        pass
    tell("closed", name=connection.name, octets=heard)


def small(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return sock


async def serve_websocket(port, directory):
    async def handler(ws):
        name = ws.path.strip("/")
        await live(WebSocket(name, ws, directory), name.startswith("echo"), name.startswith("deaf"))

    # A connection that is deaf must not read ahead.
    listener = small(socket.create_server(("127.0.0.1", port)))
    await websockets.serve(handler, sock=listener, max_queue=1, compression=None, ping_interval=None)


async def listen(command, directory):
    headers = {"Origin": command["origin"]} if "origin" in command else {}
    sock = small(socket.socket())
    sock.connect(("127.0.0.1", command["port"]))
    try:
        ws = await websockets.connect(command["url"], sock=sock, extra_headers=headers, max_queue=1, compression=None,
                                      ping_interval=None)
    except websockets.InvalidStatusCode as refused:
        tell("refused", name=command["name"], status=refused.status_code)
        return
    await live(WebSocket(command["name"], ws, directory), False, command.get("deaf", False))


class AudioSocket:
    """A kind in one octet, a length in two, the high one first, and a payload."""

    def __init__(self, name, reader, writer, directory):
        self.name, self.reader, self.writer, self.echo = name, reader, writer, Echo()
        self.file = open(os.path.join(directory, name + ".raw"), "wb", buffering=0)

    def send(self, kind, payload=b""):
        self.writer.write(struct.pack(">BH", kind, len(payload)) + payload)

    async def digit(self, digit):
        self.send(0x03, digit.encode())

    async def raw(self, octets):
        self.writer.write(bytes.fromhex(octets))

    async def close(self):
        self.send(0x00)
        await self.writer.drain()

    async def hear(self):
        while True:
            kind, length = struct.unpack(">BH", await self.reader.readexactly(3))
            payload = await self.reader.readexactly(length)
            if kind == 0x00:
                tell("hangup", name=self.name)
                return
            if kind == 0x01:
                tell("uuid", name=self.name, uuid=payload.hex())
            elif kind == 0x03:
                tell("digit", name=self.name, digit=payload.decode())
            elif kind in (0x10, 0x12):
                self.file.write(payload)
                for due in self.echo.due(payload):
                    self.send(kind, due)
                await self.writer.drain()
            else:
                tell("unknown", name=self.name, kind=kind)


async def serve_audiosocket(port, directory):
    count = 0

    async def handler(reader, writer):
        nonlocal count
        count += 1
        connection = AudioSocket(f"audiosocket{count}", reader, writer, directory)
        connections[connection.name] = connection
        tell("connected", name=connection.name)
        try:
            await connection.hear()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        tell("closed", name=connection.name)

    await asyncio.start_server(handler, "127.0.0.1", port)


async def obey(command, directory):
    if command["do"] == "listen":
        return await listen(command, directory)
    connection = connections[command["name"]]
    if command["do"] == "play":
        with open(command["file"], "rb") as file:
            await connection.play(file.read())
    elif command["do"] == "text":
        await connection.text(command["message"])
    elif command["do"] == "digit":
        await connection.digit(command["digit"])
    elif command["do"] == "raw":
        await connection.raw(command["octets"])
    elif command["do"] == "close":
        await connection.close()


async def main(websocket, audiosocket, directory):
    await serve_websocket(int(websocket), directory)
    await serve_audiosocket(int(audiosocket), directory)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    tell("ready")
    tasks = set()
    while line := await commands.readline():
        task = asyncio.create_task(obey(json.loads(line), directory))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main(*sys.argv[1:]))
