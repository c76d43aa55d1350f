//! Sums of products for four columns of a multiplication at once: the innermost loop under every RSA signature.

#[cfg(not(target_arch = "wasm32"))]
pub(super) use portable::{Columns, Digit, Four};
#[cfg(target_arch = "wasm32")]
pub(super) use simd::{Columns, Digit, Four};

impl Columns {
    /// Adds the products of each digit with four others: of the first digit with the last four, of the second
    /// with those before them, and so on.
    #[inline]
    pub(super) fn add_products(&mut self, digits: &[Digit], others: &[Four]) {
        digits.iter().zip(others.iter().rev()).for_each(|(digit, four)| self.add(digit, four));
    }
}

/// In 128-bit vectors, two columns in each.
///
/// Both factors come from memory as whole vectors. Were they put together here, the compiler would widen them
/// to 64 bits each and multiply 64 bits, which takes three times as long.
#[cfg(target_arch = "wasm32")]
mod simd {
    use core::arch::wasm32::{
        i64x2_add, i64x2_shl, u32x4, u32x4_splat, u64x2, u64x2_extmul_high_u32x4, u64x2_extmul_low_u32x4,
        u64x2_extract_lane, v128,
    };

    /// A digit, as often as there are columns.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Digit(v128);

    impl Digit {
        pub(in super::super) fn new(digit: u32) -> Self {
            Self(u32x4_splat(digit))
        }
    }

    /// Four digits in a row, the lowest first.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Four(v128);

    impl Four {
        pub(in super::super) fn new([a, b, c, d]: [u32; 4]) -> Self {
            Self(u32x4(a, b, c, d))
        }
    }

    /// Four sums, the lowest column first.
    pub(in super::super) struct Columns(v128, v128);

    impl Columns {
        pub(in super::super) fn new([a, b, c, d]: [u64; 4]) -> Self {
            Self(u64x2(a, b), u64x2(c, d))
        }

        #[inline]
        pub(super) fn add(&mut self, digit: &Digit, four: &Four) {
            self.0 = i64x2_add(self.0, u64x2_extmul_low_u32x4(digit.0, four.0));
            self.1 = i64x2_add(self.1, u64x2_extmul_high_u32x4(digit.0, four.0));
        }

        pub(in super::super) fn double(&mut self) {
            (self.0, self.1) = (i64x2_shl(self.0, 1), i64x2_shl(self.1, 1));
        }

        pub(in super::super) fn sums(&self) -> [u64; 4] {
            let Self(low, high) = self;
            [
                u64x2_extract_lane::<0>(*low),
                u64x2_extract_lane::<1>(*low),
                u64x2_extract_lane::<0>(*high),
                u64x2_extract_lane::<1>(*high),
            ]
        }
    }
}

/// In plain numbers, for every other machine.
#[cfg(not(target_arch = "wasm32"))]
mod portable {
    /// A digit.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Digit(u32);

    impl Digit {
        pub(in super::super) fn new(digit: u32) -> Self {
            Self(digit)
        }
    }

    /// Four digits in a row, the lowest first.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Four([u32; 4]);

    impl Four {
        pub(in super::super) fn new(digits: [u32; 4]) -> Self {
            Self(digits)
        }
    }

    /// Four sums, the lowest column first.
    pub(in super::super) struct Columns([u64; 4]);

    impl Columns {
        pub(in super::super) fn new(sums: [u64; 4]) -> Self {
            Self(sums)
        }

        #[inline]
        pub(super) fn add(&mut self, digit: &Digit, four: &Four) {
            for (sum, other) in self.0.iter_mut().zip(four.0) {
                *sum = sum.wrapping_add(u64::from(digit.0).wrapping_mul(u64::from(other)));
            }
        }

        pub(in super::super) fn double(&mut self) {
            self.0 = self.0.map(|sum| sum << 1);
        }

        pub(in super::super) fn sums(&self) -> [u64; 4] {
            self.0
        }
    }
}
