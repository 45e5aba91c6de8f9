//! A vector as one byte a dimension.

/// A code reaches from -127 to 127.
const REACH: f32 = 127.0;

/// A question reaches further, because it costs nothing. 2,047 times 127 fits 8,192 times into 32 bits.
const QUESTION_REACH: f32 = 2047.0;

/// Most dimensions of a vector.
pub const DIMENSIONS: usize = 8192;

/// A vector's direction, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// What one step of a byte is worth.
    pub scale: f32,
    /// One byte a dimension.
    pub bytes: Vec<i8>,
}

impl Code {
    /// The code of a vector; its length does not matter.
    pub fn of(vector: &[f32]) -> Self {
        let (scale, largest) = measures(vector, REACH);
        let byte = |x: &f32| (x / largest * REACH).round() as i8;
        let bytes =
            if largest > 0.0 { vector.iter().map(byte).collect() } else { vec![0; vector.len()] };
        Self { scale, bytes }
    }
}

/// A question's direction, in steps.
pub(crate) fn question(vector: &[f32]) -> (f32, Vec<i16>) {
    let (scale, largest) = measures(vector, QUESTION_REACH);
    let step = |x: &f32| (x / largest * QUESTION_REACH).round() as i16;
    (scale, if largest > 0.0 { vector.iter().map(step).collect() } else { vec![0; vector.len()] })
}

/// What a step is worth in the vector of length 1, and the largest number of the vector.
fn measures(vector: &[f32], reach: f32) -> (f32, f32) {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    let largest = vector.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let scale =
        if length > 0.0 { (f64::from(largest) / length / f64::from(reach)) as f32 } else { 0.0 };
    (scale, largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_direction_whatever_the_length() {
        let code = Code::of(&[3.0, -4.0, 0.0]);
        assert_eq!(code.bytes, [95, -127, 0]);
        assert!((code.scale * 127.0 - 0.8).abs() < 1e-6);
        assert_eq!(Code::of(&[30.0, -40.0, 0.0]).bytes, code.bytes);
        assert_eq!(Code::of(&[0.0; 3]), Code { scale: 0.0, bytes: vec![0; 3] });
    }
}
