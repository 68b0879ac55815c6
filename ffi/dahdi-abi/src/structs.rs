//! Structs of `dahdi/user.h`, with the header's field names.

structs! {
    /// State and timing of a channel.
    Params[repr(C)] = "dahdi_params", 136 {
        /// Channel number; tells which channel when asked on `ctl`.
        channo: i32,
        /// Span number, 0 for a pseudo channel.
        spanno: i32,
        /// Place in its span, from 1.
        chanpos: i32,
        /// Signalling, one of [`crate::sig`].
        sigtype: i32,
        /// Signallings that the hardware can do, bits of [`crate::sig`].
        sigcap: i32,
        /// Whether the far end is off hook.
        rxisoffhook: i32,
        /// Received CAS bits.
        rxbits: i32,
        /// Transmitted CAS bits.
        txbits: i32,
        /// Transmitted hook state.
        txhooksig: i32,
        /// Received hook state.
        rxhooksig: i32,
        /// Law now in use, one of [`crate::law`].
        curlaw: i32,
        /// CAS bits of an idle channel.
        idlebits: i32,
        /// Name that the board driver gave.
        name: [u8; 40],
        /// Milliseconds before a wink.
        prewinktime: i32,
        /// Milliseconds before a flash.
        preflashtime: i32,
        /// Milliseconds of a wink.
        winktime: i32,
        /// Milliseconds of a flash.
        flashtime: i32,
        /// Milliseconds of a start signal.
        starttime: i32,
        /// Longest received wink, milliseconds.
        rxwinktime: i32,
        /// Longest received flash, milliseconds.
        rxflashtime: i32,
        /// Debounce, milliseconds.
        debouncetime: i32,
        /// Break of a dial pulse, milliseconds.
        pulsebreaktime: i32,
        /// Make of a dial pulse, milliseconds.
        pulsemaketime: i32,
        /// Pause after a pulsed digit, milliseconds.
        pulseaftertime: i32,
        /// Alarms of this channel, bits of [`crate::alarm`].
        chan_alarms: u32,
    }

    /// State of a span. The only packed struct.
    SpanInfo[repr(C, packed)] = "dahdi_spaninfo", 314 {
        /// Span asked for.
        spanno: i32,
        /// Short name.
        name: [u8; 20],
        /// Description.
        desc: [u8; 40],
        /// Alarms, bits of [`crate::alarm`].
        alarms: i32,
        /// Transmit level.
        txlevel: i32,
        /// Receive level.
        rxlevel: i32,
        /// Bipolar violations.
        bpvcount: i32,
        /// CRC4 errors.
        crc4count: i32,
        /// E-bit errors (the far end's CRC4 errors).
        ebitcount: i32,
        /// Frame alignment errors.
        fascount: i32,
        /// Framing errors.
        fecount: u32,
        /// Code violations.
        cvcount: u32,
        /// Bit errors.
        becount: u32,
        /// Test pattern state.
        prbs: u32,
        /// Errored seconds.
        errsec: u32,
        /// Missed interrupts.
        irqmisses: i32,
        /// Span that the clock comes from, 0 when it runs free.
        syncsrc: i32,
        /// Configured channels.
        numchans: i32,
        /// All channels.
        totalchans: i32,
        /// All spans of the system.
        totalspans: i32,
        /// Line build-out.
        lbo: i32,
        /// Line configuration, bits of [`crate::config`].
        lineconfig: i32,
        /// Line build-out in words.
        lboname: [u8; 40],
        /// Where the card is.
        location: [u8; 40],
        /// Who made the card.
        manufacturer: [u8; 40],
        /// What card it is.
        devicetype: [u8; 40],
        /// Interrupt.
        irq: i32,
        /// Line codings and framings that it can do; 0 on analog spans.
        linecompat: i32,
        /// Type such as `E1`.
        spantype: [u8; 6],
    }

    /// State of a span as older programs know it.
    SpanInfoV1[repr(C)] = "dahdi_spaninfo_v1", 296 {
        /// Span asked for.
        spanno: i32,
        /// Short name.
        name: [u8; 20],
        /// Description.
        desc: [u8; 40],
        /// Alarms, bits of [`crate::alarm`].
        alarms: i32,
        /// Transmit level.
        txlevel: i32,
        /// Receive level.
        rxlevel: i32,
        /// Bipolar violations.
        bpvcount: i32,
        /// CRC4 errors.
        crc4count: i32,
        /// E-bit errors.
        ebitcount: i32,
        /// Frame alignment errors.
        fascount: i32,
        /// Missed interrupts.
        irqmisses: i32,
        /// Span that the clock comes from, 0 when it runs free.
        syncsrc: i32,
        /// Configured channels.
        numchans: i32,
        /// All channels.
        totalchans: i32,
        /// All spans of the system.
        totalspans: i32,
        /// Line build-out.
        lbo: i32,
        /// Line configuration, bits of [`crate::config`].
        lineconfig: i32,
        /// Line build-out in words.
        lboname: [u8; 40],
        /// Where the card is.
        location: [u8; 40],
        /// Who made the card.
        manufacturer: [u8; 40],
        /// What card it is.
        devicetype: [u8; 40],
        /// Interrupt.
        irq: i32,
        /// Line codings and framings that it can do.
        linecompat: i32,
        /// Type such as `E1`.
        spantype: [u8; 6],
        /// Not in the header.
        pad: [u8; 2],
    }

    /// Maintenance of a span.
    MaintInfo[repr(C)] = "dahdi_maintinfo", 8 {
        /// Span.
        spanno: i32,
        /// One of [`crate::maint`].
        command: i32,
    }

    /// A channel's place in a conference.
    ConfInfo[repr(C)] = "dahdi_confinfo", 12 {
        /// Channel, 0 for the one behind the descriptor.
        chan: i32,
        /// Conference, or channel to monitor.
        confno: i32,
        /// One of [`crate::conf`].
        confmode: i32,
    }

    /// Gain tables, octet to octet.
    Gains[repr(C)] = "dahdi_gains", 516 {
        /// Channel, 0 for the one behind the descriptor.
        chan: i32,
        /// Applied to what is received.
        rxgain: [u8; 256],
        /// Applied to what is transmitted.
        txgain: [u8; 256],
    }

    /// Configuration of a span.
    LineConfig[repr(C)] = "dahdi_lineconfig", 36 {
        /// Span.
        span: i32,
        /// Name, unused by drivers.
        name: [u8; 20],
        /// Line build-out.
        lbo: i32,
        /// Bits of [`crate::config`].
        lineconfig: i32,
        /// Rank as a source of the clock, 0 never.
        sync: i32,
    }

    /// Configuration of a channel.
    ChanConfig[repr(C)] = "dahdi_chanconfig", 76 {
        /// Channel.
        chan: i32,
        /// Name, unused by drivers.
        name: [u8; 40],
        /// One of [`crate::sig`].
        sigtype: i32,
        /// Default law, one of [`crate::law`].
        deflaw: i32,
        /// Master channel of a [`crate::sig::SLAVE`].
        master: i32,
        /// CAS bits when idle, or the channel a DACS takes its octets from.
        idlebits: i32,
        /// Name of a network device.
        netdev_name: [u8; 16],
    }

    /// One tone of a zone.
    ToneDef[repr(C)] = "dahdi_tone_def", 44 {
        /// One of [`crate::tone`].
        tone: i32,
        /// Place of the next one in the zone's list.
        next: i32,
        /// Length, samples of 125 µs; 0 for ever.
        samples: i32,
        /// Level shift.
        shift: i32,
        /// Frequency factor of the first sine.
        fac1: i32,
        /// First start value of the first sine.
        init_v2_1: i32,
        /// Second start value of the first sine.
        init_v3_1: i32,
        /// Frequency factor of the second sine.
        fac2: i32,
        /// First start value of the second sine.
        init_v2_2: i32,
        /// Second start value of the second sine.
        init_v3_2: i32,
        /// Modulate one with the other instead of adding them.
        modulate: i32,
    }

    /// A tone zone; `count` [`ToneDef`]s follow it.
    ToneDefHeader[repr(C)] = "dahdi_tone_def_header", 112 {
        /// How many tones follow.
        count: i32,
        /// Number of the zone.
        zone: i32,
        /// Ring cadence, milliseconds on and off.
        ringcadence: [i32; 16],
        /// Name of the zone.
        name: [u8; 40],
    }

    /// Buffers of a channel.
    BufferInfo[repr(C)] = "dahdi_bufferinfo", 24 {
        /// When transmission starts, one of [`crate::policy`].
        txbufpolicy: i32,
        /// When reading starts, one of [`crate::policy`].
        rxbufpolicy: i32,
        /// How many, up to [`crate::limits::MAX_NUM_BUFS`].
        numbufs: i32,
        /// Octets of each; all together up to [`crate::limits::MAX_BUF_SPACE`].
        bufsize: i32,
        /// Buffers to read; −1 in this version.
        readbufs: i32,
        /// Buffers written; −1 in this version.
        writebufs: i32,
    }

    /// Tone lengths for dialling: milliseconds once set, but 125 µs samples until then (measured).
    DialParams[repr(C)] = "dahdi_dialparams", 24 {
        /// MF R1.
        mfv1_tonelen: i32,
        /// DTMF.
        dtmf_tonelen: i32,
        /// MF R2.
        mfr2_tonelen: i32,
        /// Always 0.
        reserved: [i32; 3],
    }

    /// What to dial.
    DialOperation[repr(C)] = "dahdi_dialoperation", 260 {
        /// One of [`crate::dial`].
        op: i32,
        /// `T`, `P`, `M` or `R` for the kind of digits, then the digits.
        dialstr: [u8; 256],
    }

    /// One parameter of an echo canceller.
    EchoCanParam[repr(C)] = "dahdi_echocanparam", 20 {
        /// Name.
        name: [u8; 16],
        /// Value.
        value: i32,
    }

    /// An echo canceller's setting; `param_count` [`EchoCanParam`]s follow it.
    EchoCanParams[repr(C)] = "dahdi_echocanparams", 8 {
        /// Taps, 0 is off.
        tap_length: u32,
        /// How many parameters follow.
        param_count: u32,
    }

    /// Ring cadence.
    RingCadence[repr(C)] = "dahdi_ring_cadence", 64 {
        /// Milliseconds on and off.
        ringcadence: [i32; 16],
    }

    /// Single-frequency tone signalling.
    SfConfig[repr(C)] = "dahdi_sfconfig", 88 {
        /// Channel.
        chan: i32,
        /// Name.
        name: [u8; 40],
        /// Not in the header.
        pad: [u8; 4],
        /// First detector coefficient.
        rxp1: i64,
        /// Second detector coefficient.
        rxp2: i64,
        /// Third detector coefficient.
        rxp3: i64,
        /// Transmit tone.
        txtone: i32,
        /// First transmit start value.
        tx_v2: i32,
        /// Second transmit start value.
        tx_v3: i32,
        /// Bits of [`crate::sf`].
        toneflag: i32,
    }

    /// A request for another channel.
    IndirectData[repr(C)] = "dahdi_indirect_data", 16 {
        /// Channel.
        chan: i32,
        /// Request number.
        op: i32,
        /// Address of that request's payload.
        data: u64,
    }

    /// Version of the driver.
    VersionInfo[repr(C)] = "dahdi_versioninfo", 160 {
        /// Version.
        version: [u8; 80],
        /// Echo cancellers.
        echo_canceller: [u8; 80],
    }

    /// Echo canceller of a channel.
    AttachEchoCan[repr(C)] = "dahdi_attach_echocan", 20 {
        /// Channel.
        chan: i32,
        /// Name; empty for none.
        echocan: [u8; 16],
    }

    /// A span without a card.
    DynamicSpan[repr(C)] = "dahdi_dynamic_span", 72 {
        /// `eth`, `loc`.
        driver: [u8; 20],
        /// What the driver makes of it.
        addr: [u8; 40],
        /// Channels.
        numchans: i32,
        /// Rank as a source of the clock.
        timing: i32,
        /// Span number, told back.
        spanno: i32,
    }

    /// Gain in the hardware.
    HwGain[repr(C)] = "dahdi_hwgain", 8 {
        /// Tenths of a decibel.
        newgain: i32,
        /// Bit 0: transmit direction, else receive.
        tx: u32,
    }

    /// Two formats of a transcoder.
    TranscoderFormats[repr(C)] = "dahdi_transcoder_formats", 8 {
        /// From.
        srcfmt: u32,
        /// To.
        dstfmt: u32,
    }

    /// A transcoder.
    TranscoderInfo[repr(C)] = "dahdi_transcoder_info", 96 {
        /// Which one is asked for, from 0.
        tcnum: u32,
        /// Name.
        name: [u8; 80],
        /// Channels.
        numchannels: u32,
        /// Formats it makes.
        dstfmts: u32,
        /// Formats it takes.
        srcfmts: u32,
    }

    /// Message waiting lamp.
    VmwiInfo[repr(C)] = "dahdi_vmwi_info", 4 {
        /// Bits of [`crate::vmwi`].
        vmwi_type: u32,
    }
}
