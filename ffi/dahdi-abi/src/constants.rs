//! Constants of `dahdi/user.h`, one module for each group.

/// Bits of a span's line configuration (`DAHDI_CONFIG_*`).
pub mod config {
    constants! { "DAHDI_CONFIG_";
        /// Bits 0 to 2: transmit level.
        TXLEVEL = 7;
        /// T1 superframe.
        D4 = 1 << 4;
        /// T1 extended superframe.
        ESF = 1 << 5;
        /// AMI line code.
        AMI = 1 << 6;
        /// B8ZS line code.
        B8ZS = 1 << 7;
        /// E1: common channel signalling, no CAS multiframe.
        CCS = 1 << 8;
        /// E1: HDB3 line code.
        HDB3 = 1 << 9;
        /// E1: CRC4 multiframe.
        CRC4 = 1 << 10;
        /// BRI: network side. Shares its bit with nothing of E1.
        NTTE = 1 << 11;
        /// BRI: terminate the line.
        TERM = 1 << 12;
        /// Do not open the span.
        NOTOPEN = 1 << 16;
    }
}

/// Signalling of a channel (`DAHDI_SIG_*`).
pub mod sig {
    /// Bit that all FXO signallings have (`__DAHDI_SIG_FXO`).
    pub const ANY_FXO: i32 = 1 << 12;
    /// Bit that all FXS signallings have (`__DAHDI_SIG_FXS`).
    pub const ANY_FXS: i32 = 1 << 13;
    /// Bit that all cross-connects have (`__DAHDI_SIG_DACS`).
    pub const ANY_DACS: i32 = 1 << 16;

    constants! { "DAHDI_SIG_";
        /// The port is defective; or-ed to the others.
        BROKEN = 1 << 31;
        /// Not configured.
        NONE = 0;
        /// FXS loop start.
        FXSLS = (1 << 0) | ANY_FXS;
        /// FXS ground start.
        FXSGS = (1 << 1) | ANY_FXS;
        /// FXS kewl start: loop start with disconnect supervision.
        FXSKS = (1 << 2) | ANY_FXS;
        /// FXO loop start.
        FXOLS = (1 << 3) | ANY_FXO;
        /// FXO ground start.
        FXOGS = (1 << 4) | ANY_FXO;
        /// FXO kewl start.
        FXOKS = (1 << 5) | ANY_FXO;
        /// E&M.
        EM = 1 << 6;
        /// Clear channel: 64 kbit/s, no signalling of its own.
        CLEAR = 1 << 7;
        /// HDLC frames without checksum.
        HDLCRAW = (1 << 8) | CLEAR;
        /// HDLC frames with checksum in software: a D-channel.
        HDLCFCS = (1 << 9) | HDLCRAW;
        /// HDLC network device.
        HDLCNET = (1 << 10) | HDLCFCS;
        /// Follows a master channel.
        SLAVE = 1 << 11;
        /// Single-frequency tone signalling.
        SF = 1 << 14;
        /// CAS bits for the program to handle (R2).
        CAS = 1 << 15;
        /// Cross-connect.
        DACS = ANY_DACS | CLEAR;
        /// E&M on E1.
        EM_E1 = 1 << 17;
        /// Cross-connect with robbed bits.
        DACS_RBS = (1 << 18) | ANY_DACS;
        /// HDLC in the board's hardware: a D-channel whose frames carry no checksum.
        HARDHDLC = (1 << 19) | CLEAR;
        /// SS7 MTP2.
        MTP2 = (1 << 20) | HDLCFCS;
    }
}

/// Bits of single-frequency tone signalling (`DAHDI_REVERSE_*`).
pub mod sf {
    constants! { "DAHDI_REVERSE_";
        /// Received tone means off hook.
        RXTONE = 1;
        /// Transmitted tone means off hook.
        TXTONE = 2;
    }
}

/// CAS bits (`DAHDI_ABIT` …).
pub mod bits {
    constants! { "DAHDI_";
        /// a.
        A["DAHDI_ABIT"] = 1 << 3;
        /// b.
        B["DAHDI_BBIT"] = 1 << 2;
        /// c.
        C["DAHDI_CBIT"] = 1 << 1;
        /// d.
        D["DAHDI_DBIT"] = 1 << 0;
        /// All four.
        ABCD["DAHDI_BITS_ABCD"] = A | B | C | D;
        /// a, b and d.
        ABD["DAHDI_BITS_ABD"] = A | B | D;
        /// a, c and d.
        ACD["DAHDI_BITS_ACD"] = A | C | D;
        /// b, c and d.
        BCD["DAHDI_BITS_BCD"] = B | C | D;
        /// a and c.
        AC["DAHDI_BITS_AC"] = A | C;
        /// b and d.
        BD["DAHDI_BITS_BD"] = B | D;
    }
}

/// Limits and defaults of the driver.
pub mod limits {
    constants! { "DAHDI_";
        /// Major number of the device nodes.
        MAJOR = 196;
        /// Largest block, octets.
        MAX_BLOCKSIZE = 8192;
        /// Buffers of a channel when opened.
        DEFAULT_NUM_BUFS = 2;
        /// Most buffers of a channel; more are silently taken as this many.
        MAX_NUM_BUFS = 32;
        /// Most octets in all buffers of a channel in one direction.
        MAX_BUF_SPACE = 32768;
        /// Octets of a buffer of a channel when opened.
        DEFAULT_BLOCKSIZE = 1024;
        /// Default largest received unit of a network device, octets.
        DEFAULT_MTR_MRU = 2048;
        /// Default largest transmitted unit of a network device, octets.
        DEFAULT_MTU_MRU = 2048;
        /// Or-ed to `channo` of `GET_PARAMS`: tell about the master of a slave.
        GET_PARAMS_RETURN_MASTER = 0x4000_0000;
        /// Steps of a ring cadence.
        MAX_CADENCE = 16;
        /// Octets of a dial string.
        MAX_DTMF_BUF = 256;
        /// Places of a channel's event queue; one stays unused.
        MAX_EVENTSIZE = 64;
        /// Spans.
        MAX_SPANS = 128;
        /// Channels.
        MAX_CHANNELS = 1024;
        /// Conferences.
        MAX_CONF = 1024;
        /// Parameters of an echo canceller.
        MAX_ECHOCANPARAMS = 8;
    }
}

/// When buffers start to move (`DAHDI_POLICY_*`).
pub mod policy {
    constants! { "DAHDI_POLICY_";
        /// With the first block.
        IMMEDIATE = 0;
        /// When all buffers are full.
        WHEN_FULL = 1;
        /// When half of them are full; transmit only.
        HALF_FULL = 2;
    }
}

/// Encoding laws (`DAHDI_LAW_*`).
pub mod law {
    constants! { "DAHDI_LAW_";
        /// What the span's type suggests.
        DEFAULT = 0;
        /// µ-law (G.711).
        MULAW = 1;
        /// A-law (G.711).
        ALAW = 2;
    }
}

/// Operations of `DIAL` (`DAHDI_DIAL_OP_*`).
pub mod dial {
    constants! { "DAHDI_DIAL_OP_";
        /// Add to what is being dialled.
        APPEND = 1;
        /// Instead of what is being dialled.
        REPLACE = 2;
        /// Stop dialling.
        CANCEL = 3;
    }
}

/// Bits of `TONEDETECT` (`DAHDI_TONEDETECT_*`).
pub mod tonedetect {
    constants! { "DAHDI_TONEDETECT_";
        /// Detect.
        ON = 1 << 0;
        /// Mute the sound of a detected digit.
        MUTE = 1 << 1;
    }
}

/// Hook operations (`DAHDI_ONHOOK` …).
pub mod hook {
    constants! { "DAHDI_";
        /// On hook.
        ONHOOK = 0;
        /// Off hook.
        OFFHOOK = 1;
        /// Off hook for a moment.
        WINK = 2;
        /// On hook for a moment.
        FLASH = 3;
        /// Start signal of ground start.
        START = 4;
        /// Ring the station.
        RING = 5;
        /// Stop ringing.
        RINGOFF = 6;
    }
}

/// What `FLUSH` throws away (`DAHDI_FLUSH_*`).
pub mod flush {
    constants! { "DAHDI_FLUSH_";
        /// What was received.
        READ = 1;
        /// What was to be transmitted.
        WRITE = 2;
        /// Both.
        BOTH = READ | WRITE;
        /// Events.
        EVENT = 4;
        /// Everything.
        ALL = BOTH | EVENT;
    }
}

/// Conference modes and flags (`DAHDI_CONF_*`).
pub mod conf {
    constants! { "DAHDI_CONF_";
        /// Bits of the mode.
        MODE_MASK = 0xff;
        /// None.
        NORMAL = 0;
        /// Hear what another channel receives.
        MONITOR = 1;
        /// Hear what another channel transmits.
        MONITORTX = 2;
        /// Hear both directions of another channel.
        MONITORBOTH = 3;
        /// Take part in a conference.
        CONF = 4;
        /// Speak into a conference.
        CONFANN = 5;
        /// Hear a conference.
        CONFMON = 6;
        /// Speak into one and hear one.
        CONFANNMON = 7;
        /// Real and pseudo side both take part.
        REALANDPSEUDO = 8;
        /// Octet for octet from another channel.
        DIGITALMON = 9;
        /// [`MONITOR`] before echo cancellation.
        MONITOR_RX_PREECHO = 10;
        /// [`MONITORTX`] before echo cancellation.
        MONITOR_TX_PREECHO = 11;
        /// [`MONITORBOTH`] before echo cancellation.
        MONITORBOTH_PREECHO = 12;
        /// Bits of the flags.
        FLAG_MASK = 0xff00;
        /// The channel hears the conference.
        LISTENER = 0x100;
        /// The channel speaks into the conference.
        TALKER = 0x200;
        /// The pseudo side hears the conference.
        PSEUDO_LISTENER = 0x400;
        /// The pseudo side speaks into the conference.
        PSEUDO_TALKER = 0x800;
    }
}

/// Bits of a span's alarms (`DAHDI_ALARM_*`).
pub mod alarm {
    constants! { "DAHDI_ALARM_";
        /// None.
        NONE = 0;
        /// Coming back.
        RECOVER = 1 << 0;
        /// In loopback.
        LOOPBACK = 1 << 1;
        /// Remote alarm.
        YELLOW = 1 << 2;
        /// No signal or frame.
        RED = 1 << 3;
        /// All ones.
        BLUE = 1 << 4;
        /// Not opened.
        NOTOPEN = 1 << 5;
        /// Loss of signal.
        LOS = 1 << 8;
        /// Loss of frame alignment.
        LFA = 1 << 9;
        /// Loss of multiframe alignment.
        LMFA = 1 << 10;
    }
}

/// Commands of `MAINT` (`DAHDI_MAINT_*`).
pub mod maint {
    constants! { "DAHDI_MAINT_";
        /// Back to normal.
        NONE = 0;
        /// Loop here, towards us.
        LOCALLOOP = 1;
        /// Loop at this card, towards the far end.
        REMOTELOOP = 2;
        /// Loop of the line, towards the far end.
        NETWORKLINELOOP = 2;
        /// Ask the far end to loop.
        LOOPUP = 3;
        /// Ask the far end to end its loop.
        LOOPDOWN = 4;
        /// Send a frame alignment defect.
        FAS_DEFECT = 6;
        /// Send a multiframe defect.
        MULTI_DEFECT = 7;
        /// Send a CRC defect.
        CRC_DEFECT = 8;
        /// Send a CAS defect.
        CAS_DEFECT = 9;
        /// Send a test pattern defect.
        PRBS_DEFECT = 10;
        /// Send a bipolar violation.
        BIPOLAR_DEFECT = 11;
        /// Test pattern.
        PRBS = 12;
        /// Loop of the payload, towards the far end.
        NETWORKPAYLOADLOOP = 13;
        /// Clear the counters.
        RESET_COUNTERS["DAHDI_RESET_COUNTERS"] = 14;
        /// Pretend an alarm.
        ALARM_SIM = 15;
    }
}

/// Bits of `IOMUX` (`DAHDI_IOMUX_*`).
pub mod iomux {
    constants! { "DAHDI_IOMUX_";
        /// Data to read.
        READ = 1;
        /// Room to write.
        WRITE = 2;
        /// All written is transmitted.
        WRITEEMPTY = 4;
        /// An event.
        SIGEVENT = 8;
        /// Do not wait.
        NOWAIT = 0x100;
    }
}

/// Events of `GETEVENT` (`DAHDI_EVENT_*`).
pub mod event {
    constants! { "DAHDI_EVENT_";
        /// None waits.
        NONE = 0;
        /// The far end is on hook.
        ONHOOK = 1;
        /// The far end is off hook, or a ring began.
        RINGOFFHOOK = 2;
        /// A wink or a flash.
        WINKFLASH = 3;
        /// The span went into alarm.
        ALARM = 4;
        /// The span came out of alarm.
        NOALARM = 5;
        /// HDLC: the frame was aborted.
        ABORT = 6;
        /// HDLC: the frame was lost for want of room.
        OVERRUN = 7;
        /// HDLC: the checksum was wrong.
        BADFCS = 8;
        /// Dialling is done.
        DIALCOMPLETE = 9;
        /// The ringer goes on.
        RINGERON = 10;
        /// The ringer goes off.
        RINGEROFF = 11;
        /// The hook operation is done.
        HOOKCOMPLETE = 12;
        /// CAS bits changed.
        BITSCHANGED = 13;
        /// A pulsed digit begins.
        PULSE_START = 14;
        /// The node `timer` expired.
        TIMER_EXPIRED = 15;
        /// `TIMERPING` answers.
        TIMER_PING = 16;
        /// The polarity reversed.
        POLARITY = 17;
        /// The line rings.
        RINGBEGIN = 18;
        /// The echo canceller was switched off by a tone.
        EC_DISABLED = 19;
        /// The channel is gone: its board was removed.
        REMOVED = 20;
        /// Neon message lamp on.
        NEONMWI_ACTIVE = 21;
        /// Neon message lamp off.
        NEONMWI_INACTIVE = 22;
        /// Called fax tone sent.
        TX_CED_DETECTED = 23;
        /// Called fax tone received.
        RX_CED_DETECTED = 24;
        /// Calling fax tone sent.
        TX_CNG_DETECTED = 25;
        /// Calling fax tone received.
        RX_CNG_DETECTED = 26;
        /// The echo canceller's residual suppression is off.
        EC_NLP_DISABLED = 27;
        /// The echo canceller's residual suppression is on.
        EC_NLP_ENABLED = 28;
        /// Received blocks were dropped (`BUFFER_EVENTS` only).
        READ_OVERRUN = 29;
        /// There was nothing to transmit (`BUFFER_EVENTS` only).
        WRITE_UNDERRUN = 30;
        /// A pulsed digit; the digit is in the lower bits.
        PULSEDIGIT = 1 << 16;
        /// A DTMF digit begins; the digit is in the lower bits.
        DTMFDOWN = 1 << 17;
        /// A DTMF digit ends; the digit is in the lower bits.
        DTMFUP = 1 << 18;
    }
}

/// Message waiting lamps (`DAHDI_VMWI_*`).
pub mod vmwi {
    constants! { "DAHDI_VMWI_";
        /// Line reversal.
        LREV = 1 << 0;
        /// High DC voltage.
        HVDC = 1 << 1;
        /// High AC voltage.
        HVAC = 1 << 2;
    }
}
