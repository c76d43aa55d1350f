//! Powers modulo an odd number, in Montgomery form (P. L. Montgomery, Modular multiplication without trial
//! division, 1985), for numbers that are public: the time that it takes depends on them.
//!
//! A number is written in digits of 27 bits, least significant first. A column of a product then sums at
//! most 2 * 304 products of two digits, for 8192 bits, which is below 2^64: nothing is carried inside a sum.
//! With L digits, R = 2^(27 L) is more than four times the modulus. So the Montgomery product of two numbers
//! below twice the modulus is again below twice the modulus, and only the last result is reduced.

use super::columns::{Columns, Digit, Four};

/// The bits of a digit.
const DIGIT: u32 = 27;
const MASK: u32 = (1 << DIGIT) - 1;
/// Zero digits before and behind each number, so that four digits can be read across either end.
const PAD: usize = 4;

/// An odd modulus and what is computed once for it.
pub(super) struct Modulus {
    /// The digits of a number without those around it: a multiple of four.
    length: usize,
    /// The modulus.
    digits: Box<[u32]>,
    fours: Box<[Four]>,
    /// What the lowest digit of the modulus times this is: -1 modulo 2^27.
    inverse: u32,
    /// R^2, which takes a number into Montgomery form.
    square: Box<[Four]>,
}

/// Room for one multiplication: its first factor in both shapes, its quotients, and its product.
struct Scratch {
    factor: Box<[Digit]>,
    fours: Box<[Four]>,
    quotients: Box<[Digit]>,
    product: Box<[u32]>,
}

impl Modulus {
    /// Takes an odd number of exactly so many bits, big-endian. `None` if it is even, or has more digits.
    pub(super) fn new(octets: &[u8], bits: usize) -> Option<Self> {
        let wide = usize::try_from(DIGIT).ok()?;
        let length = bits.checked_add(2)?.div_ceil(wide).checked_next_multiple_of(4)?;
        let digits = read(octets, length)?;
        let lowest = *digits.get(PAD)?;
        if lowest & 1 == 0 {
            return None;
        }
        // Newton's iteration: each step doubles the bits that are right, of which three are to begin with.
        let inverse =
            (0..4).fold(lowest, |inverse, _| inverse.wrapping_mul(2_u32.wrapping_sub(lowest.wrapping_mul(inverse))));
        let fours = fours(&digits);
        let mut new = Self { length, square: fours.clone(), fours, digits, inverse: inverse.wrapping_neg() & MASK };

        // The highest power of two below the modulus, doubled until it is R.
        let top = bits.checked_sub(1)?;
        let mut power = vec![0; new.digits.len()].into_boxed_slice();
        *power.get_mut(PAD.checked_add(top.checked_div(wide)?)?)? = 1 << top.checked_rem(wide)?;
        let exponent = length.checked_mul(wide)?;
        for _ in top..exponent {
            new.double(&mut power);
        }
        // R is 1 in Montgomery form, and R^2 is 2 to the power of its bits in Montgomery form.
        let mut scratch = new.scratch();
        for bit in (0..=exponent.checked_ilog2()?).rev() {
            new.square(&mut power, &mut scratch)?;
            new.reduce(&mut power);
            if exponent.checked_shr(bit)? & 1 == 1 {
                new.double(&mut power);
            }
        }
        new.square = self::fours(&power);
        Some(new)
    }

    /// A number below the modulus to the power of an odd exponent above 1; big-endian, and as long as it came.
    pub(super) fn raise(&self, octets: &[u8], exponent: u64) -> Option<Vec<u8>> {
        let mut power = read(octets, self.length)?;
        let plain = fours(&power);
        let scratch = &mut self.scratch();
        self.multiply(&mut power, &self.square, scratch)?;
        let base = fours(&power);
        // From the second highest bit down. The lowest bit is set: to multiply there by the number as it
        // stands, not in Montgomery form, leaves Montgomery form on the way.
        for bit in (1..exponent.checked_ilog2()?).rev() {
            self.square(&mut power, scratch)?;
            if exponent.checked_shr(bit)? & 1 == 1 {
                self.multiply(&mut power, &base, scratch)?;
            }
        }
        self.square(&mut power, scratch)?;
        self.multiply(&mut power, &plain, scratch)?;
        self.reduce(&mut power);
        write(&power, octets.len())
    }

    fn scratch(&self) -> Scratch {
        Scratch {
            factor: vec![Digit::new(0); self.length].into(),
            fours: self.fours.clone(),
            quotients: vec![Digit::new(0); self.length].into(),
            product: vec![0; self.digits.len()].into(),
        }
    }

    /// Makes `a` the Montgomery product of `a` and `b`.
    fn multiply(&self, a: &mut Box<[u32]>, b: &[Four], scratch: &mut Scratch) -> Option<()> {
        let Scratch { factor, quotients, product, .. } = scratch;
        spread(a.get(PAD..)?, factor);
        self.montgomery(quotients, product, |column| {
            let mut columns = Columns::new([0; 4]);
            let first = column.saturating_sub(self.length);
            let end = column.checked_add(4)?.min(self.length);
            columns.add_products(factor.get(first..end)?, opposite(b, column, first, end)?);
            Some(columns)
        })?;
        std::mem::swap(a, product);
        Some(())
    }

    /// Makes `a` the Montgomery product of `a` and itself: each product of two different digits is computed
    /// once, and counted twice.
    fn square(&self, a: &mut Box<[u32]>, scratch: &mut Scratch) -> Option<()> {
        let Scratch { factor, fours, quotients, product } = scratch;
        let digits = a.get(PAD..)?;
        spread(digits, factor);
        align(a, fours);
        self.montgomery(quotients, product, |column| {
            let first = column.saturating_sub(self.length);
            // Below this digit, each has its opposite above it in all four columns.
            let middle = column.checked_div(2)?;
            let mut columns = Columns::new([0; 4]);
            columns.add_products(factor.get(first..middle)?, opposite(fours, column, first, middle)?);
            columns.double();
            let [w, x, y, z] = digits.get(middle..)?.first_chunk::<4>()?.map(u64::from);
            let [s, t, u, v] = columns.sums();
            Some(Columns::new([
                s.wrapping_add(w.wrapping_mul(w)),
                t.wrapping_add(w.wrapping_mul(x) << 1),
                u.wrapping_add(w.wrapping_mul(y) << 1).wrapping_add(x.wrapping_mul(x)),
                v.wrapping_add(w.wrapping_mul(z).wrapping_add(x.wrapping_mul(y)) << 1),
            ]))
        })?;
        std::mem::swap(a, product);
        Some(())
    }

    /// Divides a product by R: adds the multiple of the modulus that makes its lower half zero, and keeps the
    /// upper half. `products` sums four columns of the product, from this one up.
    #[inline]
    fn montgomery(
        &self,
        quotients: &mut [Digit],
        product: &mut [u32],
        products: impl Fn(usize) -> Option<Columns>,
    ) -> Option<()> {
        let lowest = self.digits.get(PAD..)?.first_chunk::<4>()?.map(u64::from);
        let mut carry = 0_u64;
        for column in (0..self.length).step_by(4) {
            let mut columns = products(column)?;
            columns.add_products(quotients.get(..column)?, opposite(&self.fours, column, 0, column)?);
            let found = quotients.get_mut(column..)?.first_chunk_mut::<4>()?;
            (*found, carry) = self.quotients(columns.sums(), carry, lowest);
        }
        let out = product.get_mut(PAD..)?.get_mut(..self.length)?.as_chunks_mut::<4>().0;
        for (column, out) in (self.length..).step_by(4).zip(out) {
            let mut columns = products(column)?;
            let first = column.checked_sub(self.length)?;
            columns.add_products(quotients.get(first..)?, opposite(&self.fours, column, first, self.length)?);
            for (digit, sum) in out.iter_mut().zip(columns.sums()) {
                let sum = sum.wrapping_add(carry);
                (*digit, carry) = (low(sum), sum >> DIGIT);
            }
        }
        Some(())
    }

    /// The four digits of the multiple that make four columns zero, and what the columns then carry.
    /// `lowest` are the lowest digits of the modulus.
    #[inline]
    fn quotients(&self, sums: [u64; 4], mut carry: u64, lowest: [u64; 4]) -> ([Digit; 4], u64) {
        let [n0, n1, n2, n3] = lowest;
        let [s0, s1, s2, s3] = sums;
        let mut digit = |sum: u64, inner: u64| {
            let sum = sum.wrapping_add(inner).wrapping_add(carry);
            let quotient = u64::from(low(sum).wrapping_mul(self.inverse) & MASK);
            carry = sum.wrapping_add(quotient.wrapping_mul(n0)) >> DIGIT;
            quotient
        };
        let q0 = digit(s0, 0);
        let q1 = digit(s1, q0.wrapping_mul(n1));
        let q2 = digit(s2, q0.wrapping_mul(n2).wrapping_add(q1.wrapping_mul(n1)));
        let q3 = digit(s3, q0.wrapping_mul(n3).wrapping_add(q1.wrapping_mul(n2)).wrapping_add(q2.wrapping_mul(n1)));
        ([q0, q1, q2, q3].map(|quotient| Digit::new(low(quotient))), carry)
    }

    /// Doubles a number below the modulus, and reduces it.
    fn double(&self, number: &mut [u32]) {
        let mut carry = 0;
        for digit in number.iter_mut() {
            let doubled = (*digit << 1) | carry;
            (*digit, carry) = (doubled & MASK, doubled >> DIGIT);
        }
        self.reduce(number);
    }

    /// Takes the modulus off a number below twice the modulus, unless it is below the modulus.
    fn reduce(&self, number: &mut [u32]) {
        if number.iter().rev().lt(self.digits.iter().rev()) {
            return;
        }
        let mut borrow = 0;
        for (digit, taken) in number.iter_mut().zip(&self.digits) {
            let difference = digit.wrapping_sub(*taken).wrapping_sub(borrow);
            (*digit, borrow) = (difference & MASK, difference >> 31);
        }
    }
}

/// The digits that meet those from `first` to `end` of another number in four columns from this one up.
#[inline]
fn opposite(number: &[Four], column: usize, first: usize, end: usize) -> Option<&[Four]> {
    let behind = column.checked_add(PAD)?.checked_add(1)?;
    number.get(behind.checked_sub(end)?..behind.checked_sub(first)?)
}

/// A number as a factor whose digits are taken one by one.
fn spread(digits: &[u32], out: &mut [Digit]) {
    out.iter_mut().zip(digits).for_each(|(out, digit)| *out = Digit::new(*digit));
}

/// A number, with the zeros around it, as a factor whose digits are taken by four, from each on.
fn align(number: &[u32], out: &mut [Four]) {
    out.iter_mut().zip(number.array_windows()).for_each(|(out, four)| *out = Four::new(*four));
}

/// The same in new memory.
fn fours(number: &[u32]) -> Box<[Four]> {
    number.array_windows().map(|four| Four::new(*four)).collect()
}

/// The lowest digit.
fn low(sum: u64) -> u32 {
    u32::try_from(sum & u64::from(MASK)).unwrap_or_default()
}

/// The digits of a big-endian number, and zeros around them. `None` if it has more digits.
fn read(octets: &[u8], length: usize) -> Option<Box<[u32]>> {
    let mut out = vec![0_u32; length.checked_add(PAD)?.checked_add(PAD)?].into_boxed_slice();
    let mut digits = out.get_mut(PAD..)?.get_mut(..length)?.iter_mut();
    let (mut held, mut bits) = (0_u64, 0);
    for octet in octets.iter().rev() {
        held |= u64::from(*octet).checked_shl(bits)?;
        bits = bits.checked_add(8)?;
        if bits >= DIGIT {
            *digits.next()? = low(held);
            held >>= DIGIT;
            bits = bits.checked_sub(DIGIT)?;
        }
    }
    match digits.next() {
        Some(digit) => *digit = low(held),
        None if held == 0 => {}
        None => return None,
    }
    Some(out)
}

/// A number in so many big-endian octets, which are enough for it.
fn write(number: &[u32], length: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; length];
    let mut digits = number.get(PAD..)?.iter();
    let (mut held, mut bits) = (0_u64, 0_u32);
    for octet in out.iter_mut().rev() {
        if bits < 8 {
            held |= u64::from(*digits.next()?).checked_shl(bits)?;
            bits = bits.checked_add(DIGIT)?;
        }
        *octet = u8::try_from(held & 0xff).ok()?;
        held >>= 8;
        bits = bits.checked_sub(8)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
    use crypto_bigint::{BoxedUint, Odd};

    use sha2::{Digest, Sha256};

    use super::*;

    /// Numbers that look random, and are the same in every run.
    struct Draws(u64);

    impl Draws {
        fn octets(&mut self, length: usize) -> Vec<u8> {
            self.0 += 1;
            let blocks = (0..length.div_ceil(32)).flat_map(|block| Sha256::digest(format!("{} {block}", self.0)));
            blocks.take(length).collect()
        }

        fn next(&mut self) -> u64 {
            self.octets(8).into_iter().fold(0, |number, octet| (number << 8) | u64::from(octet))
        }

        fn below(&mut self, limit: usize) -> usize {
            usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
        }
    }

    /// What another library makes of it.
    fn expected(n: &[u8], base: &[u8], exponent: u64) -> Vec<u8> {
        let number = |octets: &[u8]| BoxedUint::from_be_slice_vartime(octets);
        let params = BoxedMontyParams::new_vartime(Odd::new(number(n)).unwrap());
        let power = BoxedMontyForm::new(number(base), &params).pow_bounded_exp(&BoxedUint::from(exponent), 33);
        let octets = power.retrieve().to_be_bytes();
        octets[octets.len() - n.len()..].to_vec()
    }

    /// Octets of which many are all ones or all zeros, so that digits are and carries run far.
    fn extreme(length: usize, draws: &mut Draws) -> Vec<u8> {
        let mut out = draws.octets(length);
        for _ in 0..draws.below(4) {
            let (from, to) = (draws.below(length), draws.below(length));
            let fill = [0, 0xff, 0x80, 1][draws.below(4)];
            out[from.min(to)..from.max(to)].fill(fill);
        }
        out
    }

    /// A number of so many bits, odd, and one below it.
    fn case(bits: usize, draws: &mut Draws) -> (Vec<u8>, Vec<u8>) {
        let length = bits.div_ceil(8);
        let unused = length * 8 - bits;
        let mut n = extreme(length, draws);
        n[0] = (n[0] & (0xff >> unused)) | (0x80 >> unused);
        n[length - 1] |= 1;
        let base = match draws.below(8) {
            0 => [&n[..length - 1], &[n[length - 1] - 1]].concat(),
            1 => [&vec![0; length - 1], &draws.octets(1)[..]].concat(),
            _ => extreme(length, draws),
        };
        if base < n { (n, base) } else { (n, vec![0xff >> unused >> 1; length]) }
    }

    fn compare(bits: usize, exponent: u64, draws: &mut Draws) {
        let (n, base) = case(bits, draws);
        let modulus = Modulus::new(&n, bits).unwrap();
        assert_eq!(modulus.raise(&base, exponent), Some(expected(&n, &base, exponent)), "{n:?} {base:?} {exponent}");
    }

    #[test]
    fn powers_are_those_of_another_library() {
        let draws = &mut Draws(27_000_000);
        for round in 0..300 {
            let bits = 2048 + draws.below(if round % 8 == 0 { 2049 } else { 64 });
            let exponent = [3, 65537, 17, (1 << 33) - 1, draws.next() >> 31 | 3][draws.below(5)];
            compare(bits, exponent, draws);
        }
        for bits in [8191, 8192] {
            compare(bits, 65537, draws);
        }
    }

    /// Every length from one digit up, and so each way in which a number fills its last digits.
    #[test]
    fn powers_of_short_numbers_too() {
        let draws = &mut Draws(28_000_000);
        for bits in 16..500 {
            compare(bits, 65537, draws);
            compare(bits, draws.next() >> 31 | 3, draws);
        }
    }

    #[test]
    fn sums_of_the_greatest_digits_do_not_overflow() {
        for bits in [2048, 2049, 4096, 8192] {
            let mut n = vec![0xff; usize::div_ceil(bits, 8)];
            n[0] >>= (8 - bits % 8) % 8;
            let base = [&n[..n.len() - 1], &[0xfe]].concat();
            let modulus = Modulus::new(&n, bits).unwrap();
            // It is -1, and stays it to any odd power.
            assert_eq!(modulus.raise(&base, 65537), Some(base.clone()));
            assert_eq!(modulus.raise(&base, 3), Some(base));
        }
    }

    #[test]
    fn numbers_are_read_and_written() {
        let draws = &mut Draws(29_000_000);
        for length in 1..300 {
            let octets = extreme(length, draws);
            let digits = read(&octets, (8 * length).div_ceil(27)).unwrap();
            assert_eq!(write(&digits, length), Some(octets));
        }
        assert_eq!(read(&[8, 0, 0, 0], 1), None);
        assert!(read(&[7, 0, 0, 0], 1).is_some());
        assert!(Modulus::new(&[0xfe; 256], 2048).is_none());
        assert!(Modulus::new(&[], 0).is_none());
    }
}
