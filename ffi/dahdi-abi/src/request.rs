//! Every `ioctl` request of `dahdi/user.h` and `dahdi/wctdm_user.h`.

use crate::structs::*;
use crate::{RadioParam, RadioStat, WctdmEchoCoefs, WctdmRegop, WctdmRegs, WctdmStats};
use core::marker::PhantomData;

/// A request number with the size of its payload in it, so the two cannot disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<T>(pub u32, PhantomData<T>);

/// `DAHDI_CODE`, the type octet of DAHDI's requests.
pub const CODE: u32 = 0xDA;
/// `DAHDI_TC_CODE`, the type octet of the transcoder's requests.
pub const TC_CODE: u32 = b'T' as u32;

/// Nothing carried: `_IOC_NONE` (asm-generic/ioctl.h).
const NONE: u32 = 0;
/// The program writes, the kernel reads: `_IOC_WRITE`.
const WRITE: u32 = 1;
/// The kernel writes, the program reads: `_IOC_READ`.
const READ: u32 = 2;

impl<T> Request<T> {
    const fn new(direction: u32, code: u32, number: u32) -> Self {
        Self((direction << 30) | ((size_of::<T>() as u32) << 16) | (code << 8) | number, PhantomData)
    }

    /// The number as `ioctl` takes it; constant, so that a server can match on it.
    pub const fn number(&self) -> u32 {
        self.0
    }
}

/// How many octets a request's number says that its payload has.
pub const fn payload_size(number: u32) -> usize {
    ((number >> 16) & 0x3fff) as usize
}

/// Whether the kernel reads the payload (`_IOC_WRITE` is set).
pub const fn takes(number: u32) -> bool {
    number & (WRITE << 30) != 0
}

/// Whether the kernel writes the payload (`_IOC_READ` is set).
pub const fn gives(number: u32) -> bool {
    number & (READ << 30) != 0
}

/// The name of a request in C, such as `DAHDI_GET_PARAMS`, for messages and traces.
pub fn name(number: u32) -> Option<&'static str> {
    TABLE.iter().find(|(_, known)| *known == number).map(|(name, _)| *name)
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident $([$c_name:literal])? : $type:ty = $direction:expr, $code:expr, $number:literal;)*) => {
        $($(#[$doc])* pub const $name: Request<$type> = Request::new($direction, $code, $number);)*

        /// Every request by its name in C.
        pub const TABLE: &[(&str, u32)] = &[$((c_name!("DAHDI_" $name $($c_name)?), $name.0)),*];
    };
}

requests! {
    /// Block size of a channel, octets.
    GET_BLOCKSIZE: i32 = READ, CODE, 1;
    /// Sets the block size of a channel, octets.
    SET_BLOCKSIZE: i32 = WRITE, CODE, 1;
    /// Throws away what is queued; [`crate::flush`] says what.
    FLUSH: i32 = WRITE, CODE, 3;
    /// Waits until all is transmitted. Measured: never returns; use [`IOMUX`] with `WRITEEMPTY`.
    SYNC: () = NONE, CODE, 4;
    /// [`GET_PARAMS`] as older programs call it; `channo` is read as well, against what the number says.
    GET_PARAMS_V1: Params = READ, CODE, 5;
    /// State and timing of the channel; on `ctl`, of the channel in `channo`.
    GET_PARAMS: Params = READ | WRITE, CODE, 5;
    /// Sets the timing values of a channel.
    SET_PARAMS: Params = WRITE, CODE, 5;
    /// Hook operation of an analog or robbed-bit channel; one of [`crate::hook`].
    HOOK: i32 = WRITE, CODE, 7;
    /// Takes the oldest event, 0 when there is none; never blocks.
    GETEVENT: i32 = READ, CODE, 8;
    /// Waits for what [`crate::iomux`] names and says what came.
    IOMUX: i32 = READ | WRITE, CODE, 9;
    /// State of the span in `spanno`.
    SPANSTAT: SpanInfo = READ | WRITE, CODE, 10;
    /// [`SPANSTAT`] as older programs call it.
    SPANSTAT_V1: SpanInfoV1 = READ | WRITE, CODE, 10;
    /// Maintenance of a span: loopbacks, counters; one of [`crate::maint`].
    MAINT: MaintInfo = WRITE, CODE, 11;
    /// [`GETCONF`] as older programs call it.
    GETCONF_V1: ConfInfo = READ, CODE, 12;
    /// Conference of a channel.
    GETCONF: ConfInfo = READ | WRITE, CODE, 12;
    /// [`SETCONF`] as older programs call it; writes back, against what the number says.
    SETCONF_V1: ConfInfo = WRITE, CODE, 12;
    /// Puts a channel into a conference; `confno` −1 takes the next free one and tells it.
    SETCONF: ConfInfo = READ | WRITE, CODE, 13;
    /// Links two conferences.
    CONFLINK: ConfInfo = WRITE, CODE, 14;
    /// [`CONFDIAG`] as older programs call it.
    CONFDIAG_V1: i32 = READ, CODE, 15;
    /// Prints a conference to the kernel log.
    CONFDIAG: i32 = WRITE, CODE, 15;
    /// [`GETGAINS`] as older programs call it.
    GETGAINS_V1: Gains = READ, CODE, 16;
    /// Gain tables of a channel.
    GETGAINS: Gains = READ | WRITE, CODE, 16;
    /// Sets the gain tables of a channel.
    SETGAINS: Gains = WRITE, CODE, 16;
    /// Configures and starts a span.
    SPANCONFIG: LineConfig = WRITE, CODE, 18;
    /// Configures the signalling of a channel.
    CHANCONFIG: ChanConfig = WRITE, CODE, 19;
    /// Mutes a channel in its conference.
    CONFMUTE: i32 = WRITE, CODE, 20;
    /// Sends a tone of [`crate::tone`], or stops it.
    SENDTONE: i32 = WRITE, CODE, 21;
    /// Tone zone of a channel.
    GETTONEZONE: i32 = READ, CODE, 22;
    /// Sets the tone zone of a channel.
    SETTONEZONE: i32 = WRITE, CODE, 22;
    /// Sets the tone zone of channels that have none of their own.
    DEFAULTZONE: i32 = WRITE, CODE, 24;
    /// Loads a tone zone. The payload goes on after the header with `count` [`ToneDef`]s, which the number does not say.
    LOADZONE: ToneDefHeader = WRITE, CODE, 25;
    /// Forgets a tone zone.
    FREEZONE: i32 = WRITE, CODE, 26;
    /// Buffers of a channel.
    GET_BUFINFO: BufferInfo = READ, CODE, 27;
    /// Sets the buffers of a channel and throws away what is queued.
    SET_BUFINFO: BufferInfo = WRITE, CODE, 27;
    /// Tone lengths for dialling.
    GET_DIALPARAMS: DialParams = READ, CODE, 29;
    /// Sets tone lengths for dialling.
    SET_DIALPARAMS: DialParams = WRITE, CODE, 29;
    /// Dials on a channel.
    DIAL: DialOperation = WRITE, CODE, 31;
    /// 1 puts a clear channel into audio mode, 0 out of it.
    AUDIOMODE: i32 = WRITE, CODE, 32;
    /// Echo canceller of a channel: taps, 0 is off.
    ECHOCANCEL: i32 = WRITE, CODE, 33;
    /// Echo canceller with parameters. The payload goes on with `param_count` [`EchoCanParam`]s.
    ECHOCANCEL_PARAMS: EchoCanParams = WRITE, CODE, 33;
    /// Number of the channel behind a descriptor.
    CHANNO: i32 = READ, CODE, 34;
    /// Whether a channel is dialling.
    DIALING: i32 = READ, CODE, 35;
    /// HDLC without checksum on a clear channel, on or off.
    HDLCRAWMODE: i32 = WRITE, CODE, 36;
    /// HDLC with checksum on a clear channel, on or off.
    HDLCFCSMODE: i32 = WRITE, CODE, 37;
    /// Makes a descriptor of the node `channel` the channel of this number.
    SPECIFY: i32 = WRITE, CODE, 38;
    /// Law of a channel for as long as it is open; one of [`crate::law`].
    SETLAW: i32 = WRITE, CODE, 39;
    /// 1: 16-bit linear samples instead of octets.
    SETLINEAR: i32 = WRITE, CODE, 40;
    /// HDLC for PPP on a channel.
    HDLCPPP: i32 = WRITE, CODE, 41;
    /// Ring cadence of a channel.
    SETCADENCE: RingCadence = WRITE, CODE, 42;
    /// Received CAS bits; mask with 15.
    GETRXBITS: i32 = READ, CODE, 43;
    /// Sets the transmitted CAS bits.
    SETTXBITS: i32 = WRITE, CODE, 43;
    /// [`CHANDIAG`] as older programs call it.
    CHANDIAG_V1: i32 = READ, CODE, 44;
    /// Prints a channel to the kernel log.
    CHANDIAG: i32 = WRITE, CODE, 44;
    /// Single-frequency tone signalling of a channel.
    SFCONFIG: SfConfig = WRITE, CODE, 46;
    /// Period of the node `timer`, samples of 125 µs.
    TIMERCONFIG: i32 = WRITE, CODE, 47;
    /// Takes this many expiries of the node `timer`, −1 all.
    TIMERACK: i32 = WRITE, CODE, 48;
    /// Whether a channel is muted in its conference.
    GETCONFMUTE: i32 = READ, CODE, 49;
    /// Milliseconds until an echo canceller is trained.
    ECHOTRAIN: i32 = WRITE, CODE, 50;
    /// Milliseconds of transmission while on hook (caller identity on an FXS port).
    ONHOOKTRANSFER: i32 = WRITE, CODE, 51;
    /// Makes `TIMER_PING` events at the node `timer`.
    TIMERPING: () = NONE, CODE, 52;
    /// Ends what [`TIMERPING`] began.
    TIMERPONG: () = NONE, CODE, 53;
    /// Whether the signalling of a channel is frozen.
    GETSIGFREEZE: i32 = READ, CODE, 54;
    /// Freezes the signalling of a channel.
    SETSIGFREEZE: i32 = WRITE, CODE, 54;
    /// Another request, for a channel by its number. The payload is behind a pointer.
    INDIRECT: IndirectData = READ | WRITE, CODE, 56;
    /// Version of the driver.
    GETVERSION: VersionInfo = READ, CODE, 57;
    /// Loops a channel back to its far end, on or off.
    LOOPBACK: i32 = WRITE, CODE, 58;
    /// Names the echo canceller that a channel is to use.
    ATTACH_ECHOCAN: AttachEchoCan = WRITE, CODE, 59;
    /// Makes a span without a card.
    DYNAMIC_CREATE: DynamicSpan = READ | WRITE, CODE, 80;
    /// Ends a span without a card.
    DYNAMIC_DESTROY: DynamicSpan = WRITE, CODE, 81;
    /// Gain in the analog hardware.
    SET_HWGAIN: HwGain = WRITE, CODE, 86;
    /// DTMF detection in hardware; bits of [`crate::tonedetect`].
    TONEDETECT: i32 = WRITE, CODE, 91;
    /// Polarity of an FXS port: 1 reversed.
    SETPOLARITY: i32 = WRITE, CODE, 92;
    /// Transcoder request that newer drivers no longer serve.
    TRANSCODE_OP: i32 = READ | WRITE, CODE, 93;
    /// Takes a transcoder channel for two formats.
    TC_ALLOCATE: TranscoderFormats = WRITE, TC_CODE, 1;
    /// What the transcoder in `tcnum` can do.
    TC_GETINFO: TranscoderInfo = READ | WRITE, TC_CODE, 2;
    /// Message waiting lamp of an FXS port: number of messages.
    VMWI: i32 = READ | WRITE, CODE, 94;
    /// How the message waiting lamp is driven; bits of [`crate::vmwi`].
    VMWI_CONFIG: VmwiInfo = WRITE, CODE, 95;
    /// Starts a span.
    STARTUP: i32 = WRITE, CODE, 99;
    /// Stops a span.
    SHUTDOWN: i32 = WRITE, CODE, 100;
    /// Bits a sample that HDLC uses on a channel: 56 or 64 kbit/s.
    HDLC_RATE: i32 = WRITE, CODE, 101;
    /// Fax mode of an echo canceller.
    ECHOCANCEL_FAX_MODE: i32 = WRITE, CODE, 102;
    /// Copies what a channel receives to this pseudo channel (drivers built with `CONFIG_DAHDI_MIRROR`).
    RXMIRROR: i32 = WRITE, CODE, 103;
    /// Copies what a channel transmits to this pseudo channel (drivers built with `CONFIG_DAHDI_MIRROR`).
    TXMIRROR: i32 = WRITE, CODE, 104;
    /// 1: `READ_OVERRUN` and `WRITE_UNDERRUN` become events.
    BUFFER_EVENTS: i32 = WRITE, CODE, 105;
    /// State of a radio channel.
    RADIO_GETSTAT: RadioStat = READ, CODE, 57;
    /// Parameter of a radio channel; `radpar` and `index` are read as well, against what the number says.
    RADIO_GETPARAM: RadioParam = READ, CODE, 58;
    /// Sets a parameter of a radio channel.
    RADIO_SETPARAM: RadioParam = WRITE, CODE, 58;
    /// Voltages of an analog port.
    WCTDM_GET_STATS["WCTDM_GET_STATS"]: WctdmStats = READ, CODE, 60;
    /// Registers of an analog port.
    WCTDM_GET_REGS["WCTDM_GET_REGS"]: WctdmRegs = READ, CODE, 61;
    /// Sets a register of an analog port.
    WCTDM_SET_REG["WCTDM_SET_REG"]: WctdmRegop = WRITE, CODE, 62;
    /// Sets the hybrid of an analog port.
    WCTDM_SET_ECHOTUNE["WCTDM_SET_ECHOTUNE"]: WctdmEchoCoefs = WRITE, CODE, 63;
}

const _: () = assert!(SPANSTAT.0 == 0xc13a_da0a, "what a C compiler makes of user.h");
