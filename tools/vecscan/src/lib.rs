//! Which of many vectors are nearest to one.
//!
//! | module | in one sentence |
//! |---|---|
//! | [`code`] | a vector as one byte a dimension and a scale |
//! | `kernel` | the products of a code and a question |
//! | [`matrix`] | many of them in memory, and the exact scan over them |
//!
//! Invariants: each row is looked at, so what is missed is missed by rounding alone; who needs the last digit computes
//! it again from the vectors. The scan uses what the processor has, by `pulp`, which is chosen while running: there is
//! no unsafe code here. This crate is compiled for speed in all profiles, the rest of the program for size.

pub mod code;
mod kernel;
pub mod matrix;
pub mod plain;

pub use code::Code;
pub use matrix::{Matrix, Near};

/// The cosine of two vectors of the same length; 0 when one of them has no direction.
pub fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let (mut dot, mut a, mut b) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (x, y) in one.iter().zip(other) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        dot += x * y;
        a += x * x;
        b += y * y;
    }
    let length = (a * b).sqrt();
    if length > 0.0 { (dot / length) as f32 } else { 0.0 }
}
