//! Structs of `dahdi/wctdm_user.h`: analog ports.

structs! {
    /// Voltages of an FXS or FXO port, millivolts.
    WctdmStats[repr(C)] = "wctdm_stats", 12 {
        /// Tip.
        tipvolt: i32,
        /// Ring.
        ringvolt: i32,
        /// Battery.
        batvolt: i32,
    }

    /// Registers of a port's chip.
    WctdmRegs[repr(C)] = "wctdm_regs", 320 {
        /// Direct ones.
        direct: [u8; 109],
        /// Not in the header.
        pad: u8,
        /// Indirect ones.
        indirect: [u16; 105],
    }

    /// One register.
    WctdmRegop[repr(C)] = "wctdm_regop", 8 {
        /// Whether it is an indirect one.
        indirect: i32,
        /// Which.
        reg: u8,
        /// Not in the header.
        pad: u8,
        /// Value.
        val: u16,
    }

    /// Coefficients of the hybrid.
    WctdmEchoCoefs[repr(C)] = "wctdm_echo_coefs", 9 {
        /// Impedance.
        acim: u8,
        /// Coefficient 1.
        coef1: u8,
        /// Coefficient 2.
        coef2: u8,
        /// Coefficient 3.
        coef3: u8,
        /// Coefficient 4.
        coef4: u8,
        /// Coefficient 5.
        coef5: u8,
        /// Coefficient 6.
        coef6: u8,
        /// Coefficient 7.
        coef7: u8,
        /// Coefficient 8.
        coef8: u8,
    }
}
