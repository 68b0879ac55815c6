"""What PJSUA2's jitter buffer makes of packets, and how good speech sounds that came through one.

`listen.py DIRECTORY` takes for each NAME.packets there (when each packet came) NAME.said.al, what was spoken, in A-law, and
NAME.heard.al, what Demarc made of the packets. The same packets are given to the stream of PJSUA2
(`pjmedia_stream`: its jitter buffer and its concealment, set up as its telephones do) at the same times, in virtual time.
For each NAME a line is printed: a JSON object with both scores (ITU-T P.862, narrow band, mapped by P.862.1) and delays.

A record of `NAME.packets` is the time in microseconds (u64), the length (u16), both little-endian, and the packet.
"""

import ctypes
import functools
import json
import pathlib
import struct
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy
import pesq
import pjsua2._pjsua2

RATE = 8000
BLOCK = 160
BLOCK_MICROS = 20_000
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n"
)
# pjmedia_jb_discard_algo: what `pjsua_media_config_default` sets.
DISCARD_PROGRESSIVE = 2
# pjmedia_frame_type
FRAME_AUDIO = 1


class Transport(ctypes.Structure):
    """The beginning of `pjmedia_transport`."""

    _fields_ = [
        ("name", ctypes.c_char * 32),
        ("type", ctypes.c_int),
        ("operations", ctypes.POINTER(ctypes.c_void_p)),
    ]


class Frame(ctypes.Structure):
    """`pjmedia_frame`"""

    _fields_ = [
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("timestamp", ctypes.c_uint64),
        ("bit_info", ctypes.c_uint32),
    ]


def good(status):
    if status != 0:
        raise RuntimeError(f"PJSUA2 refuses with status {status}")


class Library:
    """PJMEDIA as PJSUA2 brings it, set up once in a process."""

    def __init__(self):
        self.pj = pj = ctypes.CDLL(pjsua2._pjsua2.__file__)
        pj.pj_pool_create.restype = ctypes.c_void_p
        pj.pj_log_set_level(0)
        good(pj.pj_init())
        good(pj.pjlib_util_init())
        self.factory = ctypes.create_string_buffer(65_536)  # pj_caching_pool
        pj.pj_caching_pool_init(self.factory, None, ctypes.c_size_t(0))
        size = ctypes.c_size_t(65_536)
        self.pool = ctypes.c_void_p(pj.pj_pool_create(self.factory, b"streams", size, size, None))
        good(pj.pjmedia_event_mgr_create(self.pool, 1, None))  # PJMEDIA_EVENT_MGR_NO_THREAD
        self.endpoint = ctypes.c_void_p()
        good(pj.pjmedia_endpt_create2(self.factory, None, 0, ctypes.byref(self.endpoint)))
        good(pj.pjmedia_codec_g711_init(self.endpoint))


@functools.cache
def library():
    return Library()


class Stream:
    """A receiving stream of A-law on a transport in memory."""

    SEND_RTP = 3  # place in `pjmedia_transport_op`

    def __init__(self):
        self.library = library()
        self.pj = pj = self.library.pj
        self.transport = ctypes.POINTER(Transport)()
        endpoint = self.library.endpoint
        good(pj.pjmedia_transport_loop_create(endpoint, ctypes.byref(self.transport)))
        self.stream = ctypes.c_void_p()
        info = self.info()
        pool = self.library.pool
        good(pj.pjmedia_stream_create(endpoint, pool, info, self.transport, None, ctypes.byref(self.stream)))
        good(pj.pjmedia_stream_start(self.stream))
        self.port = ctypes.c_void_p()
        good(pj.pjmedia_stream_get_port(self.stream, ctypes.byref(self.port)))
        send = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
        self.send_rtp = send(self.transport.contents.operations[self.SEND_RTP])

    def info(self):
        """`pjmedia_stream_info` of the call that both session descriptions make, with PJSUA2's own defaults."""
        pool, endpoint = self.library.pool, self.library.endpoint
        described = ctypes.c_void_p()
        self.text = ctypes.create_string_buffer(SDP.encode())
        length = ctypes.c_size_t(len(SDP))
        good(self.pj.pjmedia_sdp_parse(pool, self.text, length, ctypes.byref(described)))
        info = ctypes.create_string_buffer(65_536)
        good(self.pj.pjmedia_stream_info_from_sdp(info, pool, endpoint, described, described, 0))
        defaults = struct.pack("4i", -1, -1, -1, -1)  # jb_init, jb_min_pre, jb_max_pre, jb_max
        place = info.raw.find(defaults)
        if place < 0:
            raise RuntimeError("pjmedia_stream_info is not as this program knows it")
        struct.pack_into("i", info, place + len(defaults), DISCARD_PROGRESSIVE)
        return info

    def close(self):
        good(self.pj.pjmedia_stream_destroy(self.stream))

    def arrives(self, packet):
        good(self.send_rtp(ctypes.cast(self.transport, ctypes.c_void_p), packet, len(packet)))

    def plays(self):
        """The next 20 ms."""
        room = ctypes.create_string_buffer(2 * BLOCK)
        frame = Frame(FRAME_AUDIO, ctypes.addressof(room), len(room))
        good(self.pj.pjmedia_port_get_frame(self.port, ctypes.byref(frame)))
        return room.raw if frame.type == FRAME_AUDIO else bytes(2 * BLOCK)


def packets(path):
    record = path.read_bytes()
    at = 0
    while at < len(record):
        micros, length = struct.unpack_from("<QH", record, at)
        yield micros, record[at + 10 : at + 10 + length]
        at += 10 + length


def pjsua2_hears(path, blocks):
    """What is heard in so many blocks of 20 ms, played at the end of each."""
    stream = Stream()
    arriving = list(packets(path))
    heard = [bytes(2 * BLOCK)]  # the first block is played when it is there, at the end of this time
    for block in range(blocks - 1):
        while arriving and arriving[0][0] <= (block + 1) * BLOCK_MICROS:
            stream.arrives(arriving.pop(0)[1])
        heard.append(stream.plays())
    stream.close()
    return numpy.frombuffer(b"".join(heard), dtype="<i2")


def linear(octets):
    """G.711, table 1a."""
    code = numpy.frombuffer(octets, dtype=numpy.uint8) ^ 0x55
    segment = (code >> 4) & 7
    step = ((code & 15).astype(numpy.int32) << 4) + 8
    size = numpy.where(segment == 0, step, (step + 256) << numpy.maximum(segment.astype(numpy.int32) - 1, 0))
    return numpy.where(code & 0x80, size, -size).astype(numpy.int16)


def delay_ms(said, heard):
    """By how much what is heard is late: where each second of what was said is found best, on average."""
    found = []
    size = 16_384  # more than a second of what was said and what may be heard of it
    for begin in range(0, len(said) - RATE, RATE):
        part = numpy.fft.rfft(said[begin : begin + RATE].astype(float), size)
        place = numpy.fft.rfft(heard[begin : begin + size].astype(float), size)
        likeness = numpy.fft.irfft(place * part.conj(), size)[: size - RATE]
        if said[begin : begin + RATE].std() > 300:
            found.append(int(numpy.argmax(likeness)))
    return sum(found) / max(len(found), 1) / RATE * 1000


def score(packets_path):
    name = packets_path.name.removesuffix(".packets")
    said = linear(packets_path.with_name(f"{name}.said.al").read_bytes())
    demarc = linear(packets_path.with_name(f"{name}.heard.al").read_bytes())
    pjsua2 = pjsua2_hears(packets_path, len(demarc) // BLOCK)
    result = {"name": name}
    for who, heard in (("demarc", demarc), ("pjsua2", pjsua2)):
        result[who] = float(pesq.pesq(RATE, said, heard, "nb"))
        result[f"{who}_ms"] = delay_ms(said, heard)
    return result


def main():
    directory = pathlib.Path(sys.argv[1])
    with ProcessPoolExecutor() as pool:
        for result in pool.map(score, sorted(directory.glob("*.packets"))):
            print(json.dumps(result), flush=True)


main()
