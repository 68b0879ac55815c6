//! Constants of G.722, clause 6.2.1.

/// Half of the symmetric 24 taps of the filter bank, times 4096 (table 4).
pub(super) const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the 60-level quantizer of the lower band (table 14).
pub(super) const DECISION_LOW: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// The one decision level of the upper band's quantizer.
pub(super) const DECISION_HIGH: i32 = 564;

/// Output of the 6-bit inverse quantizer by code.
pub(super) const INVERSE_6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032,
    -1688, -1360, -1040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9360,
    8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040,
    728, 432, 136, -432, -136,
];

/// Output of the 4-bit inverse quantizer by code, and what the logarithm of the step gains by it.
pub(super) const INVERSE_4: [(i32, i32); 16] = [
    (0, -60),
    (-20_456, 3042),
    (-12_896, 1198),
    (-8968, 538),
    (-6288, 334),
    (-4240, 172),
    (-2584, 58),
    (-1200, -30),
    (20_456, 3042),
    (12_896, 1198),
    (8968, 538),
    (6288, 334),
    (4240, 172),
    (2584, 58),
    (1200, -30),
    (0, -60),
];

/// Output of the 2-bit inverse quantizer of the upper band by code.
pub(super) const INVERSE_2: [i32; 4] = [-7408, -1616, 7408, 1616];

/// 2048 times two to the power of n/32.
pub(super) const ANTILOG: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
