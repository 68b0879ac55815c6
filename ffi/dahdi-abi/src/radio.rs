//! Radio channels of `dahdi/user.h`.

/// Octets of serial data in [`RadioParam`] (`RAD_SERIAL_BUFLEN`).
pub const SERIAL_BUFLEN: usize = 128;

structs! {
    /// State of a radio channel.
    RadioStat[repr(C)] = "dahdi_radio_stat", 8 {
        /// Received tone code, 0 for none.
        ctcode_rx: u16,
        /// Class of the received tone code.
        ctclass: u16,
        /// Transmitted tone code, 0 for none.
        ctcode_tx: u16,
        /// Bits of [`radstat`].
        radstat: u8,
        /// Not in the header.
        pad: u8,
    }

    /// One parameter of a radio channel.
    RadioParam[repr(C)] = "dahdi_radio_param", 140 {
        /// One of [`radpar`].
        radpar: u16,
        /// Which, where there are several.
        index: u16,
        /// Value.
        data: i32,
        /// Second value.
        data2: i32,
        /// Serial data.
        buf: [u8; SERIAL_BUFLEN],
    }
}

/// State bits of a radio channel (`DAHDI_RADSTAT_*`).
pub mod radstat {
    constants! { "DAHDI_RADSTAT_";
        /// Receives.
        RX = 1;
        /// Transmits.
        TX = 2;
        /// Receives a continuous tone.
        RXCT = 4;
        /// Receives the carrier signal, heeded or not.
        RXCOR = 8;
        /// Does not heed the carrier signal.
        IGNCOR = 16;
        /// Does not heed the continuous tone.
        IGNCT = 32;
        /// Does not encode a tone.
        NOENCODE = 64;
    }
}

/// Parameters of a radio channel (`DAHDI_RADPAR_*`).
pub mod radpar {
    constants! { "DAHDI_RADPAR_";
        /// Carrier signal inverted.
        INVERTCOR = 1;
        /// Carrier signal not heeded.
        IGNORECOR = 2;
        /// Continuous tone not heeded.
        IGNORECT = 3;
        /// No tone encoded.
        NOENCODE = 4;
        /// Carrier threshold.
        CORTHRESH = 5;
        /// External tone decoder.
        EXTRXTONE = 6;
        /// Number of tones.
        NUMTONES = 7;
        /// Start all tones anew.
        INITTONE = 8;
        /// Received tone.
        RXTONE = 9;
        /// Class of the received tone.
        RXTONECLASS = 10;
        /// Transmitted tone.
        TXTONE = 11;
        /// Debounce of reception, milliseconds.
        DEBOUNCETIME = 12;
        /// Tone burst at the end, milliseconds.
        BURSTTIME = 13;
        /// User pins.
        UIODATA = 14;
        /// Direction of the user pins.
        UIOMODE = 15;
        /// Remote control.
        REMMODE = 16;
        /// Remote control: none.
        REM_NONE = 0;
        /// Remote control: RBI-1.
        REM_RBI1 = 1;
        /// Remote control: serial.
        REM_SERIAL = 2;
        /// Remote control: serial, text.
        REM_SERIAL_ASCII = 3;
        /// Remote command.
        REMCOMMAND = 17;
        /// De-emphasis.
        DEEMP = 18;
        /// Pre-emphasis.
        PREEMP = 19;
        /// Receive gain.
        RXGAIN = 20;
        /// Transmit gain.
        TXGAIN = 21;
    }
}
