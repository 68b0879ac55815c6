"""A telephone on PJSUA2, without sound card: it registers, answers, plays one WAV file and records what it hears.

It is told what to do on standard input (`call NUMBER`, `hangup`, `quit`) and says on standard output what happens:
`registered`, `incoming`, `confirmed`, `media`, `stats JSON` at the end of a stream, `disconnected STATUS`.
"""

import argparse
import json
import select
import sys

import pjsua2 as pj


def say(*words):
    print(*words, flush=True)


class Call(pj.Call):
    """One call, whose sound is wired to the two files."""

    def __init__(self, phone, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(phone, call_id)
        self.phone = phone
        self.wired = False

    def onCallState(self, prm):
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            say("confirmed")
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            say("disconnected", info.lastStatusCode)
            self.phone.ended.append(self)
            self.phone.current = None

    def onStreamDestroyed(self, prm):
        rtcp = self.getStreamStat(prm.streamIdx).rtcp
        numbers = {
            way: {"packets": way_stat.pkt, "lost": way_stat.loss, "jitter_ms": way_stat.jitterUsec.last / 1000}
            for way, way_stat in [("sent", rtcp.txStat), ("received", rtcp.rxStat)]
        }
        numbers["round_trips"] = rtcp.rttUsec.n
        numbers["round_trip_ms"] = rtcp.rttUsec.last / 1000
        say("stats", json.dumps(numbers))

    def wire(self):
        """Joins the call's sound with the files, once there is some."""
        info = self.getInfo()  # held: what is in it lives no longer
        for number, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                sound = self.getAudioMedia(number)
                self.phone.player.startTransmit(sound)
                sound.startTransmit(self.phone.recorder)
                self.wired = True
                say("media")


class Phone(pj.Account):
    """The registration, and the call that is up."""

    def __init__(self, arguments):
        super().__init__()
        self.current = None
        self.ended = []
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(arguments.play, pj.PJMEDIA_FILE_NO_LOOP)
        self.recorder = pj.AudioMediaRecorder()
        self.recorder.createRecorder(arguments.record)

    def onRegState(self, prm):
        say("registered" if prm.code == 200 else f"refused {prm.code}")

    def onIncomingCall(self, prm):
        say("incoming")
        self.current = Call(self, prm.callId)
        answer = pj.CallOpParam()
        answer.statusCode = 200
        self.player.setPos(0)
        self.current.answer(answer)


def endpoint(arguments):
    ep = pj.Endpoint()
    ep.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = 4
    config.logConfig.consoleLevel = 0
    config.logConfig.filename = arguments.log
    config.medConfig.noVad = True
    config.medConfig.clockRate = 8000
    config.medConfig.sndClockRate = 8000
    config.medConfig.ecTailLen = 0
    ep.libInit(config)
    transport = pj.TransportConfig()
    transport.port = 0
    transport.boundAddress = arguments.bind
    ep.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    ep.libStart()
    ep.audDevManager().setNullDev()
    for codec in ep.codecEnum2():
        ep.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith("PCMA") else 0)
    return ep


def account(arguments):
    config = pj.AccountConfig()
    config.idUri = f"sip:{arguments.user}@{arguments.domain or arguments.server.split(':')[0]}"
    config.regConfig.registrarUri = f"sip:{arguments.server}"
    config.regConfig.timeoutSec = 60
    config.sipConfig.authCreds.append(
        pj.AuthCredInfo("digest", "*", arguments.user, 0, arguments.password)
    )
    if arguments.domain:
        config.sipConfig.proxies.append(f"sip:{arguments.server};lr")
    config.mediaConfig.transportConfig.boundAddress = arguments.bind
    config.mediaConfig.srtpUse = {
        "off": pj.PJMEDIA_SRTP_DISABLED,
        "optional": pj.PJMEDIA_SRTP_OPTIONAL,
        "required": pj.PJMEDIA_SRTP_MANDATORY,
    }[arguments.srtp]
    config.mediaConfig.srtpSecureSignaling = 0
    return config


def main():
    parser = argparse.ArgumentParser()
    for name in ["user", "password", "server", "bind", "play", "record", "log"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--domain", help="name in the From header where it is not the server's address")
    parser.add_argument("--srtp", choices=["off", "optional", "required"], default="off")
    arguments = parser.parse_args()
    ep = endpoint(arguments)
    phone = Phone(arguments)
    phone.create(account(arguments))
    while True:
        ep.libHandleEvents(10)
        phone.ended.clear()
        if phone.current and not phone.current.wired:
            phone.current.wire()
        if not select.select([sys.stdin], [], [], 0)[0]:
            continue
        words = sys.stdin.readline().split()
        if not words or words[0] == "quit":
            break
        if words[0] == "call":
            phone.current = Call(phone)
            phone.player.setPos(0)
            parameters = pj.CallOpParam(True)
            host = arguments.domain or arguments.server
            phone.current.makeCall(f"sip:{words[1]}@{host}", parameters)
        elif words[0] == "hangup" and phone.current:
            phone.current.hangup(pj.CallOpParam())
    phone.shutdown()
    phone.current = phone.player = phone.recorder = None
    del phone
    ep.libDestroy()


main()
