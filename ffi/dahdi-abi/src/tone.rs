//! Tones of `SENDTONE` and tone zones (`DAHDI_TONE_*`).

constants! { "DAHDI_TONE_";
    /// Zones a system can have.
    ZONE_MAX = 128;
    /// The default zone.
    ZONE_DEFAULT = -1;
    /// No tone.
    STOP = -1;
    /// Dial tone.
    DIALTONE = 0;
    /// Busy tone.
    BUSY = 1;
    /// Ringing tone.
    RINGTONE = 2;
    /// Congestion tone.
    CONGESTION = 3;
    /// Call waiting tone.
    CALLWAIT = 4;
    /// Recall dial tone.
    DIALRECALL = 5;
    /// Recording tone.
    RECORDTONE = 6;
    /// Special information tone.
    INFO = 7;
    /// Custom tone 1.
    CUST1 = 8;
    /// Custom tone 2.
    CUST2 = 9;
    /// Stutter dial tone.
    STUTTER = 10;
    /// Above all call progress tones.
    MAX = 16;
    /// First DTMF digit.
    DTMF_BASE = 64;
    /// First MF R1 signal.
    MFR1_BASE = 80;
    /// First MF R2 forward signal.
    MFR2_FWD_BASE = 96;
    /// First MF R2 backward signal.
    MFR2_REV_BASE = 112;
    /// DTMF digit 0.
    DTMF_0 = 64;
    /// DTMF digit 1.
    DTMF_1 = 65;
    /// DTMF digit 2.
    DTMF_2 = 66;
    /// DTMF digit 3.
    DTMF_3 = 67;
    /// DTMF digit 4.
    DTMF_4 = 68;
    /// DTMF digit 5.
    DTMF_5 = 69;
    /// DTMF digit 6.
    DTMF_6 = 70;
    /// DTMF digit 7.
    DTMF_7 = 71;
    /// DTMF digit 8.
    DTMF_8 = 72;
    /// DTMF digit 9.
    DTMF_9 = 73;
    /// DTMF star.
    DTMF_STAR["DAHDI_TONE_DTMF_s"] = 74;
    /// DTMF number sign.
    DTMF_POUND["DAHDI_TONE_DTMF_p"] = 75;
    /// DTMF digit A.
    DTMF_A = 76;
    /// DTMF digit B.
    DTMF_B = 77;
    /// DTMF digit C.
    DTMF_C = 78;
    /// DTMF digit D.
    DTMF_D = 79;
    /// Last DTMF digit.
    DTMF_MAX = DTMF_D;
    /// MF R1 digit 0.
    MFR1_0 = 80;
    /// MF R1 digit 1.
    MFR1_1 = 81;
    /// MF R1 digit 2.
    MFR1_2 = 82;
    /// MF R1 digit 3.
    MFR1_3 = 83;
    /// MF R1 digit 4.
    MFR1_4 = 84;
    /// MF R1 digit 5.
    MFR1_5 = 85;
    /// MF R1 digit 6.
    MFR1_6 = 86;
    /// MF R1 digit 7.
    MFR1_7 = 87;
    /// MF R1 digit 8.
    MFR1_8 = 88;
    /// MF R1 digit 9.
    MFR1_9 = 89;
    /// MF R1 start of pulsing.
    MFR1_KP = 90;
    /// MF R1 end of pulsing.
    MFR1_ST = 91;
    /// MF R1 ST prime.
    MFR1_STP = 92;
    /// MF R1 ST double prime.
    MFR1_ST2P = 93;
    /// MF R1 ST triple prime.
    MFR1_ST3P = 94;
    /// Last MF R1 signal.
    MFR1_MAX = MFR1_ST3P;
    /// MF R2 forward signal 1 (Q.441).
    MFR2_FWD_1 = 96;
    /// MF R2 forward signal 2 (Q.441).
    MFR2_FWD_2 = 97;
    /// MF R2 forward signal 3 (Q.441).
    MFR2_FWD_3 = 98;
    /// MF R2 forward signal 4 (Q.441).
    MFR2_FWD_4 = 99;
    /// MF R2 forward signal 5 (Q.441).
    MFR2_FWD_5 = 100;
    /// MF R2 forward signal 6 (Q.441).
    MFR2_FWD_6 = 101;
    /// MF R2 forward signal 7 (Q.441).
    MFR2_FWD_7 = 102;
    /// MF R2 forward signal 8 (Q.441).
    MFR2_FWD_8 = 103;
    /// MF R2 forward signal 9 (Q.441).
    MFR2_FWD_9 = 104;
    /// MF R2 forward signal 10 (Q.441).
    MFR2_FWD_10 = 105;
    /// MF R2 forward signal 11 (Q.441).
    MFR2_FWD_11 = 106;
    /// MF R2 forward signal 12 (Q.441).
    MFR2_FWD_12 = 107;
    /// MF R2 forward signal 13 (Q.441).
    MFR2_FWD_13 = 108;
    /// MF R2 forward signal 14 (Q.441).
    MFR2_FWD_14 = 109;
    /// MF R2 forward signal 15 (Q.441).
    MFR2_FWD_15 = 110;
    /// Last MF R2 forward signal.
    MFR2_FWD_MAX = MFR2_FWD_15;
    /// MF R2 backward signal 1 (Q.441).
    MFR2_REV_1 = 112;
    /// MF R2 backward signal 2 (Q.441).
    MFR2_REV_2 = 113;
    /// MF R2 backward signal 3 (Q.441).
    MFR2_REV_3 = 114;
    /// MF R2 backward signal 4 (Q.441).
    MFR2_REV_4 = 115;
    /// MF R2 backward signal 5 (Q.441).
    MFR2_REV_5 = 116;
    /// MF R2 backward signal 6 (Q.441).
    MFR2_REV_6 = 117;
    /// MF R2 backward signal 7 (Q.441).
    MFR2_REV_7 = 118;
    /// MF R2 backward signal 8 (Q.441).
    MFR2_REV_8 = 119;
    /// MF R2 backward signal 9 (Q.441).
    MFR2_REV_9 = 120;
    /// MF R2 backward signal 10 (Q.441).
    MFR2_REV_10 = 121;
    /// MF R2 backward signal 11 (Q.441).
    MFR2_REV_11 = 122;
    /// MF R2 backward signal 12 (Q.441).
    MFR2_REV_12 = 123;
    /// MF R2 backward signal 13 (Q.441).
    MFR2_REV_13 = 124;
    /// MF R2 backward signal 14 (Q.441).
    MFR2_REV_14 = 125;
    /// MF R2 backward signal 15 (Q.441).
    MFR2_REV_15 = 126;
    /// Last MF R2 backward signal.
    MFR2_REV_MAX = MFR2_REV_15;
}
