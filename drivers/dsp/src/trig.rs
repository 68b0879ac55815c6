//! Sine and cosine without a mathematics library, good to 1e-9: for tables made when the program is compiled.

use core::f64::consts::{PI, TAU};

pub(crate) const fn sin(angle: f64) -> f64 {
    let turns = (angle / TAU) as i64 as f64;
    let mut x = angle - turns * TAU;
    if x > PI {
        x -= TAU;
    } else if x < -PI {
        x += TAU;
    }
    let (square, mut term, mut sum, mut n) = (x * x, x, x, 1.0);
    while n < 12.0 {
        term *= -square / ((2.0 * n) * (2.0 * n + 1.0));
        sum += term;
        n += 1.0;
    }
    sum
}

pub(crate) const fn cos(angle: f64) -> f64 {
    sin(angle + PI / 2.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn agree_with_the_standard_library() {
        for i in -2000..2000 {
            let x = f64::from(i) * 0.37;
            assert!((super::sin(x) - x.sin()).abs() < 1e-8, "{x}");
            assert!((super::cos(x) - x.cos()).abs() < 1e-8, "{x}");
        }
    }
}
