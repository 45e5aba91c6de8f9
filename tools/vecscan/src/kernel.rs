//! The products of a code and a question, as fast as the processor can.
//!
//! Invariant: all ways give the same sum, because it is one of whole numbers that fits into 32 bits.

/// A way to multiply.
pub(crate) trait Dot: Copy {
    /// The sum of the products.
    fn dot(self, code: &[i8], steps: &[i16]) -> i32;
}

/// For every processor: written so that a compiler sees lanes in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

impl Dot for Plain {
    #[inline(always)]
    fn dot(self, code: &[i8], steps: &[i16]) -> i32 {
        code.iter().zip(steps).map(|(a, b)| i32::from(i16::from(*a)) * i32::from(*b)).sum()
    }
}

/// Sixteen products with one instruction, which a compiler does not find by itself.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(pub(crate) pulp::x86::V3);

#[cfg(target_arch = "x86_64")]
impl Dot for Avx2 {
    #[inline(always)]
    fn dot(self, code: &[i8], steps: &[i16]) -> i32 {
        use std::arch::x86_64::{__m128i, __m256i};

        const LANES: usize = 16;
        let (codes, code) = pulp::as_arrays::<LANES, _>(code);
        let (questions, steps) = pulp::as_arrays::<LANES, _>(steps);
        let (avx, avx2) = (self.0.avx, self.0.avx2);
        let product = |code: [i8; LANES], question: [i16; LANES]| {
            let code = avx2._mm256_cvtepi8_epi16(pulp::cast::<_, __m128i>(code));
            avx2._mm256_madd_epi16(code, pulp::cast::<_, __m256i>(question))
        };
        // Two sums, because each waits for the one before it.
        let (mut one, mut other) = (avx._mm256_setzero_si256(), avx._mm256_setzero_si256());
        let (pairs, odd) = pulp::as_arrays::<2, _>(codes);
        let (asked, odd_asked) = pulp::as_arrays::<2, _>(questions);
        for (code, question) in pairs.iter().zip(asked) {
            one = avx2._mm256_add_epi32(one, product(code[0], question[0]));
            other = avx2._mm256_add_epi32(other, product(code[1], question[1]));
        }
        for (code, question) in odd.iter().zip(odd_asked) {
            one = avx2._mm256_add_epi32(one, product(*code, *question));
        }
        let lanes: [i32; 8] = pulp::cast(avx2._mm256_add_epi32(one, other));
        lanes.iter().sum::<i32>() + Plain.dot(code, steps)
    }
}

#[cfg(test)]
mod tests {
    use pulp::Arch;

    use super::*;

    #[test]
    fn all_ways_give_the_same_sum() {
        let mut random = fastrand::Rng::with_seed(3);
        for length in (0..70).chain([384, 1000, 8192]) {
            let code: Vec<i8> = (0..length).map(|_| random.i8(-127..=127)).collect();
            let steps: Vec<i16> = (0..length).map(|_| random.i16(-2047..=2047)).collect();
            let sum: i64 =
                code.iter().zip(&steps).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum();
            assert_eq!(i64::from(Plain.dot(&code, &steps)), sum, "{length}");
            match Arch::new() {
                #[cfg(target_arch = "x86_64")]
                Arch::V3(v3) => assert_eq!(i64::from(Avx2(v3).dot(&code, &steps)), sum, "{length}"),
                _ => {}
            }
        }
    }
}
