//! Powers modulo an odd number, by Montgomery multiplication. Everything here is public, so time tells nothing.
//!
//! Numbers are limbs of 28 bits, the lowest first. A product of two limbs has 56 bits, so that many can be added up
//! in 64 before a carry has to be looked at, and the compiler multiplies several limbs at a time.

/// The bits of a limb.
const BITS: usize = 28;
const MASK: u64 = (1 << BITS) - 1;
/// Limbs come in groups of as many as are multiplied at a time.
const GROUP: usize = 4;
/// After so many rows of four products, carries are due: 32 * 4 * 2^56 is 2^63.
const ROWS: usize = 32;

/// An odd modulus, prepared.
pub(super) struct Modulus {
    limbs: Vec<u32>,
    /// The same in groups, as it is and moved up by one limb.
    groups: [Vec<Group>; 2],
    /// What makes the lowest limb of a multiple zero: `-1/n` modulo 2^28.
    inverse: u64,
    /// `R^2` modulo `n`, where `R` is 2^28 to the number of limbs: brings numbers into Montgomery's form.
    square: Vec<u32>,
    octets: usize,
}

impl Modulus {
    /// Takes a big-endian number without leading zeros; `None` if it is even, or less than 3.
    pub(super) fn new(n: &[u8]) -> Option<Self> {
        let first = n.first().filter(|first| **first != 0)?;
        let last = n.last().filter(|last| **last % 2 == 1)?;
        if n.len() == 1 && *last < 3 {
            return None;
        }
        let bits = n.len().checked_mul(8)?.checked_sub(usize::try_from(first.leading_zeros()).ok()?)?;
        // Two bits more than n has: with R above 4n, no product needs to be brought below n in between.
        let length = bits.checked_add(2)?.div_ceil(BITS).next_multiple_of(GROUP);
        let limbs = to_limbs(n, length);
        let lowest = u64::from(*limbs.first()?);
        // Newton: each step doubles the bits that are right, of which an odd number has three to begin with.
        let mut inverse = lowest;
        for _ in 0..4 {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(lowest.wrapping_mul(inverse)));
        }
        let inverse = inverse.wrapping_neg() & MASK;
        let mut groups = [vec![Group::default(); length / GROUP + 1], vec![Group::default(); length / GROUP + 1]];
        fill(&mut groups, &limbs);
        let mut modulus = Self { limbs, groups, inverse, square: Vec::new(), octets: n.len() };
        modulus.square = modulus.montgomery_square(bits, length)?;
        Some(modulus)
    }

    /// `R^2` modulo `n`. From `R * 2^k` on, squares double `k`; what is left of the way there is doubled step by step.
    fn montgomery_square(&self, bits: usize, length: usize) -> Option<Vec<u32>> {
        let wanted = BITS.checked_mul(length)?;
        let squares = wanted.trailing_zeros();
        // 2^(bits - 1), which is below n, and from there R * 2^k.
        let mut number = vec![0_u32; length];
        let top = bits.checked_sub(1)?;
        *number.get_mut(top / BITS)? = 1_u32.checked_shl(u32::try_from(top % BITS).ok()?)?;
        let doublings = wanted.checked_add(wanted.checked_shr(squares)?)?.checked_sub(top)?;
        for _ in 0..doublings {
            self.double(&mut number);
        }
        let mut work = Work::new(length);
        for _ in 0..squares {
            let copy = number.clone();
            self.multiply(&mut number, &copy, &mut work);
        }
        Some(number)
    }

    /// Doubles a number below `n`, modulo `n`.
    fn double(&self, number: &mut [u32]) {
        let mut carry = 0;
        for limb in number.iter_mut() {
            let doubled = (u64::from(*limb) << 1) | carry;
            *limb = low(doubled);
            carry = doubled >> BITS;
        }
        self.reduce(number);
    }

    /// Takes `n` away once, if the number is not below it.
    fn reduce(&self, number: &mut [u32]) {
        if number.iter().rev().lt(self.limbs.iter().rev()) {
            return;
        }
        let mut borrow = 0;
        for (limb, n) in number.iter_mut().zip(&self.limbs) {
            let difference = u64::from(*limb).wrapping_sub(u64::from(*n)).wrapping_sub(borrow);
            *limb = low(difference);
            borrow = difference >> 63;
        }
    }

    /// Whether a big-endian number of as many octets is below `n`.
    pub(super) fn exceeds(&self, number: &[u8]) -> bool {
        number.len() == self.octets && to_limbs(number, self.limbs.len()).iter().rev().lt(self.limbs.iter().rev())
    }

    /// A number below `n`, big-endian and as long, to a power that is not zero, in the same form.
    pub(super) fn power(&self, base: &[u8], exponent: u64) -> Option<Vec<u8>> {
        let below = u64::BITS.checked_sub(exponent.leading_zeros())?.checked_sub(1)?;
        let length = self.limbs.len();
        let mut work = Work::new(length);
        let mut base = to_limbs(base, length);
        self.multiply(&mut base, &self.square, &mut work);
        let mut power = base.clone();
        let mut copy = base.clone();
        // From the bit below the highest to the lowest.
        for bit in (0..below).rev() {
            copy.copy_from_slice(&power);
            self.multiply(&mut power, &copy, &mut work);
            if (exponent >> bit) & 1 == 1 {
                self.multiply(&mut power, &base, &mut work);
            }
        }
        // Out of Montgomery's form: below n, or n itself, which is zero.
        let mut one = vec![0; length];
        *one.first_mut()? = 1;
        self.multiply(&mut power, &one, &mut work);
        self.reduce(&mut power);
        Some(to_octets(&power, self.octets))
    }

    /// `a * b / R` modulo `n`, below `2n` if both were, in place of `a`.
    ///
    /// Two limbs of `a` at a time: their products with `b` and the multiples of `n` that clear the two lowest sums.
    fn multiply(&self, a: &mut [u32], b: &[u32], work: &mut Work) {
        let (Some([n0, n1]), Some([b0, b1])) = (self.limbs.first_chunk::<2>(), b.first_chunk::<2>()) else {
            return;
        };
        let product = |a: u32, b: u32| u64::from(a).wrapping_mul(u64::from(b));
        let groups = self.limbs.len() / GROUP;
        fill(&mut work.groups, b);
        work.sums.fill([0; 2]);
        for (row, [a0, a1]) in a.as_chunks::<2>().0.iter().enumerate() {
            let Some(window) = work.sums.get_mut(row..row + 2 * groups + 2) else {
                return;
            };
            let Some([s0, s1]) = window.first() else {
                return;
            };
            let s0 = s0.wrapping_add(product(*a0, *b0));
            let m0 = low(s0.wrapping_mul(self.inverse));
            let carry = s0.wrapping_add(product(m0, *n0)) >> BITS;
            let s1 = s1.wrapping_add(product(*a0, *b1)).wrapping_add(product(*a1, *b0));
            let s1 = s1.wrapping_add(product(m0, *n1)).wrapping_add(carry);
            let m1 = low(s1.wrapping_mul(self.inverse));
            let carry = s1.wrapping_add(product(m1, *n0)) >> BITS;
            let factors = [*a0, *a1, m0, m1].map(|factor| Group([factor; GROUP]));
            let ([b, b_shifted], [n, n_shifted]) = (&work.groups, &self.groups);
            add_products(window, [b, b_shifted, n, n_shifted], &factors);
            if let Some([next, _]) = window.get_mut(1) {
                *next = next.wrapping_add(carry);
            }
            if row % ROWS == ROWS - 1 {
                carry_over(window.get_mut(1..).unwrap_or_default());
            }
        }
        let mut carry = 0;
        for (limb, sum) in a.iter_mut().zip(work.sums.as_flattened().iter().skip(self.limbs.len())) {
            let sum = sum.wrapping_add(carry);
            *limb = low(sum);
            carry = sum >> BITS;
        }
    }
}

/// Memory for products.
struct Work {
    /// Twice as many sums as there are limbs, and a group more, in pairs.
    sums: Vec<[u64; 2]>,
    /// The second factor in groups, as it is and moved up by one limb.
    groups: [Vec<Group>; 2],
}

/// Limbs that are multiplied at a time.
#[derive(Clone, Copy, Default)]
#[repr(align(16))]
struct Group([u32; GROUP]);

impl Work {
    fn new(length: usize) -> Self {
        let groups = length / GROUP + 1;
        Self {
            sums: vec![[0; 2]; length + 2 * GROUP],
            groups: [vec![Group::default(); groups], vec![Group::default(); groups]],
        }
    }
}

/// Writes a number in groups, as it is and moved up by one limb.
fn fill([plain, shifted]: &mut [Vec<Group>; 2], number: &[u32]) {
    let write = |groups: &mut [Group], limbs: &mut dyn Iterator<Item = u32>| {
        for limb in groups.iter_mut().flat_map(|group| &mut group.0) {
            *limb = limbs.next().unwrap_or(0);
        }
    };
    write(plain, &mut number.iter().copied());
    write(shifted, &mut std::iter::once(0).chain(number.iter().copied()));
}

/// Adds to each sum the product of each factor and of each limb of its number.
fn add_products(sums: &mut [[u64; 2]], [a, b, c, d]: [&[Group]; 4], factors: &[Group; 4]) {
    let sums = sums.as_chunks_mut::<2>().0;
    for ((((sums, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        add_group(sums, [a, b, c, d], factors);
    }
}

/// The same for one group.
#[cfg(not(target_arch = "wasm32"))]
fn add_group(sums: &mut [[u64; 2]; 2], limbs: [&Group; 4], factors: &[Group; 4]) {
    for (limbs, factors) in limbs.into_iter().zip(factors) {
        for ((sum, limb), factor) in sums.as_flattened_mut().iter_mut().zip(&limbs.0).zip(&factors.0) {
            *sum = sum.wrapping_add(u64::from(*limb).wrapping_mul(u64::from(*factor)));
        }
    }
}

/// The same for one group, two products at a time.
#[cfg(target_arch = "wasm32")]
fn add_group([low, high]: &mut [[u64; 2]; 2], limbs: [&Group; 4], factors: &[Group; 4]) {
    use core::arch::wasm32::{i64x2_add, u64x2, u64x2_extmul_high_u32x4, u64x2_extmul_low_u32x4, u64x2_extract_lane};
    let (mut sum, mut sum_high) = (u64x2(low[0], low[1]), u64x2(high[0], high[1]));
    for (limb, factor) in limbs.into_iter().zip(factors) {
        let (limb, factor) = (limb.load(), factor.load());
        sum = i64x2_add(sum, u64x2_extmul_low_u32x4(limb, factor));
        sum_high = i64x2_add(sum_high, u64x2_extmul_high_u32x4(limb, factor));
    }
    *low = [u64x2_extract_lane::<0>(sum), u64x2_extract_lane::<1>(sum)];
    *high = [u64x2_extract_lane::<0>(sum_high), u64x2_extract_lane::<1>(sum_high)];
}

#[cfg(target_arch = "wasm32")]
impl Group {
    /// The limbs as they stand in memory. The compiler must not see through this: it would widen them while it
    /// loads them, and then no longer find the instruction that multiplies two halves into a whole.
    #[allow(unsafe_code)]
    fn load(&self) -> core::arch::wasm32::v128 {
        // SAFETY: a group has 16 octets at a multiple of 16, all of them initialised.
        unsafe { std::ptr::read_volatile(std::ptr::from_ref(self).cast()) }
    }
}

/// Leaves a limb in each sum but the last, and moves what is above it on.
fn carry_over(sums: &mut [[u64; 2]]) {
    let mut carry = 0;
    if let Some((last, sums)) = sums.as_flattened_mut().split_last_mut() {
        for sum in sums {
            let whole = sum.wrapping_add(carry);
            *sum = whole & MASK;
            carry = whole >> BITS;
        }
        *last = last.wrapping_add(carry);
    }
}

/// The lowest limb of a sum.
fn low(sum: u64) -> u32 {
    // 28 bits always fit.
    u32::try_from(sum & MASK).unwrap_or_default()
}

/// A big-endian number as limbs, cut or filled up to a length.
fn to_limbs(octets: &[u8], length: usize) -> Vec<u32> {
    let mut limbs = Vec::with_capacity(length);
    let (mut sum, mut bits) = (0_u64, 0);
    for octet in octets.iter().rev() {
        sum |= u64::from(*octet) << bits;
        bits += 8;
        if bits >= BITS {
            limbs.push(low(sum));
            sum >>= BITS;
            bits -= BITS;
        }
    }
    limbs.push(low(sum));
    limbs.resize(length, 0);
    limbs
}

/// Limbs as a big-endian number of a length.
fn to_octets(limbs: &[u32], length: usize) -> Vec<u8> {
    let mut octets = Vec::with_capacity(length + 4);
    let (mut sum, mut bits) = (0_u64, 0);
    for limb in limbs {
        sum |= u64::from(*limb) << bits;
        bits += BITS;
        while bits >= 8 {
            octets.push(u8::try_from(sum & 0xff).unwrap_or_default());
            sum >>= 8;
            bits -= 8;
        }
    }
    octets.push(u8::try_from(sum & 0xff).unwrap_or_default());
    octets.resize(length, 0);
    octets.reverse();
    octets
}

#[cfg(test)]
mod tests {
    use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
    use crypto_bigint::{BoxedUint, Odd};
    use sha2::{Digest, Sha256};

    use super::*;

    /// Octets that look random, and are the same in every run.
    fn octets(seed: usize, length: usize) -> Vec<u8> {
        let blocks = (0..length.div_ceil(32)).flat_map(|block| Sha256::digest(format!("{seed} {block}")));
        blocks.take(length).collect()
    }

    /// The same by a library.
    fn expected(n: &[u8], base: &[u8], exponent: u64) -> Vec<u8> {
        let n = BoxedUint::from_be_slice_vartime(n);
        let params = BoxedMontyParams::new_vartime(Odd::new(n).unwrap());
        let base = BoxedUint::from_be_slice(base, params.bits_precision()).unwrap();
        let exponent = BoxedUint::from(exponent);
        BoxedMontyForm::new(base, &params).pow(&exponent).retrieve().to_be_bytes().to_vec()
    }

    #[test]
    fn agrees_with_a_library() {
        for (seed, length) in [(1, 256), (2, 256), (3, 257), (4, 384), (5, 512), (6, 1024), (7, 255), (8, 8), (9, 16)] {
            let mut n = octets(seed, length);
            n[0] |= 1;
            *n.last_mut().unwrap() |= 1;
            let modulus = Modulus::new(&n).unwrap();
            for (round, exponent) in [3, 65_537, 17, (1 << 33) - 1, 1, 2].into_iter().enumerate() {
                for kind in 0..4 {
                    let mut base = match kind {
                        0 => octets(seed * 100 + round, length),
                        1 => vec![0; length],
                        2 => n.clone(),
                        _ => vec![0xff; length],
                    };
                    if kind == 2 {
                        *base.last_mut().unwrap() -= 1;
                    }
                    if !modulus.exceeds(&base) {
                        base[0] = 0;
                    }
                    assert!(modulus.exceeds(&base), "{seed} {kind}");
                    let ours = modulus.power(&base, exponent).unwrap();
                    let theirs = expected(&n, &base, exponent);
                    assert_eq!(ours, theirs[theirs.len() - length..], "{seed} {round} {kind}");
                }
            }
            assert!(!modulus.exceeds(&n));
        }
    }

    /// The largest limbs there are, in the longest number there is: no sum may run over.
    #[test]
    fn sums_never_run_over() {
        let n = vec![0xff; 1024];
        let modulus = Modulus::new(&n).unwrap();
        let mut base = n.clone();
        *base.last_mut().unwrap() = 0xfe;
        assert_eq!(modulus.power(&base, 2).unwrap(), expected(&n, &base, 2));
        assert_eq!(modulus.power(&base, 65_537).unwrap(), expected(&n, &base, 65_537));
        let odd = octets(3, 1024);
        let base: Vec<u8> = odd.iter().map(|octet| octet >> 1).collect();
        assert_eq!(modulus.power(&base, 65_537).unwrap(), expected(&n, &base, 65_537));
    }

    #[test]
    fn refuses_what_has_no_inverse() {
        for n in [&[][..], &[0], &[1], &[2], &[0, 3], &[4, 4]] {
            assert!(Modulus::new(n).is_none(), "{n:?}");
        }
        assert!(Modulus::new(&[3]).is_some());
    }
}
