//! RS256/384/512 and PS256/384/512 (RFC 7518 sections 3.3 and 3.5, RFC 8017 section 8): checking only, so that
//! nothing here is secret.

use std::rc::Rc;

use sha2::digest::Output;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use super::alg::{Alg, Family, Verifier};
use super::der;
use super::fault::KeyFault;
use super::montgomery::Modulus;
use super::offload::Offload;

/// The bits that a modulus may have.
const LEAST_BITS: usize = 2048;
const MOST_BITS: usize = 8192;
/// The greatest exponent: larger ones only make checking slow.
const MOST_EXPONENT: u64 = (1 << 33) - 1;

/// An RSA public key, prepared.
pub struct RsaPublic {
    modulus: Modulus,
    /// The modulus as it came.
    n: Box<[u8]>,
    /// The exponent.
    e: u64,
    bits: usize,
    spki: Vec<u8>,
}

impl RsaPublic {
    /// Takes modulus and exponent, big-endian and without leading zeros.
    ///
    /// # Errors
    /// Why the key is none that can be trusted.
    pub fn new(n: &[u8], e: &[u8]) -> Result<Self, KeyFault> {
        if n.first() == Some(&0) || e.first() == Some(&0) {
            return Err(KeyFault::LeadingZero);
        }
        let first_bits = n.first().map_or(0, |first| usize::try_from(8 - first.leading_zeros()).unwrap_or(8));
        let bits = n.len().saturating_sub(1).saturating_mul(8).saturating_add(first_bits);
        if bits < LEAST_BITS {
            return Err(KeyFault::ModulusShort(bits));
        }
        if bits > MOST_BITS {
            return Err(KeyFault::ModulusLong(bits));
        }
        let exponent = exponent(e).filter(|e| (3..=MOST_EXPONENT).contains(e) && e % 2 == 1);
        let exponent = exponent.ok_or(KeyFault::Exponent)?;
        let modulus = Modulus::new(n, bits).ok_or(KeyFault::ModulusEven)?;
        Ok(Self { modulus, n: n.into(), e: exponent, bits, spki: der::rsa_public_key(n, e) })
    }

    /// How many bits the modulus has.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// RSAVP1 (RFC 8017 section 5.2.2) and I2OSP: the encoded message, as long as the modulus.
    fn open(&self, signature: &[u8]) -> Option<Vec<u8>> {
        self.modulus.raise(signature, self.e)
    }

    /// Whether a signature is exactly as long as the modulus, and less.
    fn exceeds(&self, signature: &[u8]) -> bool {
        signature.len() == self.n.len() && signature < &*self.n
    }
}

fn exponent(e: &[u8]) -> Option<u64> {
    if e.len() > 8 {
        return None;
    }
    Some(e.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet)))
}

/// An RSA key for one algorithm.
pub struct RsaKey {
    alg: Alg,
    public: Rc<RsaPublic>,
}

impl RsaKey {
    /// Binds a key to an algorithm; `None` if that is none of RSA's.
    pub fn new(alg: Alg, public: Rc<RsaPublic>) -> Option<Self> {
        matches!(alg.family(), Family::RsaPkcs1 | Family::RsaPss).then_some(Self { alg, public })
    }
}

impl Verifier for RsaKey {
    fn alg(&self) -> Alg {
        self.alg
    }

    fn verify(&self, message: &[u8], signature: &[u8], offload: &dyn Offload) -> bool {
        if !self.public.exceeds(signature) {
            return false;
        }
        if self.alg.family() == Family::RsaPkcs1
            && let Some(answer) = offload.verify(self.alg, &self.public.spki, message, signature)
        {
            return answer;
        }
        let Some(encoded) = self.public.open(signature) else {
            return false;
        };
        let bits = self.public.bits;
        match self.alg {
            Alg::Rs256 => is_pkcs1::<Sha256>(&encoded, message, SHA256_INFO),
            Alg::Rs384 => is_pkcs1::<Sha384>(&encoded, message, SHA384_INFO),
            Alg::Rs512 => is_pkcs1::<Sha512>(&encoded, message, SHA512_INFO),
            Alg::Ps256 => is_pss::<Sha256>(&encoded, message, bits),
            Alg::Ps384 => is_pss::<Sha384>(&encoded, message, bits),
            Alg::Ps512 => is_pss::<Sha512>(&encoded, message, bits),
            _ => false,
        }
    }
}

/// What stands before a hash in a DigestInfo (RFC 8017 section 9.2, note 1).
const SHA256_INFO: &[u8] =
    &[0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
const SHA384_INFO: &[u8] =
    &[0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30];
const SHA512_INFO: &[u8] =
    &[0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40];

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): the one encoded message that there is, compared whole.
fn is_pkcs1<D: Digest>(encoded: &[u8], message: &[u8], info: &[u8]) -> bool {
    let hash = D::digest(message);
    let Some(padding) = encoded.len().checked_sub(3 + info.len() + hash.len()).filter(|padding| *padding >= 8) else {
        return false;
    };
    let mut expected = vec![0x00, 0x01];
    expected.resize(2 + padding, 0xff);
    expected.push(0x00);
    expected.extend_from_slice(info);
    expected.extend_from_slice(&hash);
    expected.ct_eq(encoded).into()
}

/// EMSA-PSS-VERIFY (RFC 8017 section 9.1.2), with MGF1 of the same hash and a salt as long as the hash.
fn is_pss<D: Digest>(encoded: &[u8], message: &[u8], modulus_bits: usize) -> bool {
    pss_hashes::<D>(encoded, message, modulus_bits).is_some_and(|(own, signed)| own.ct_eq(&signed).into())
}

/// The hash that a PSS message should hold, and the one that it holds; `None` if its form is another.
fn pss_hashes<D: Digest>(encoded: &[u8], message: &[u8], modulus_bits: usize) -> Option<(Output<D>, Output<D>)> {
    let length = <D as Digest>::output_size();
    let message_bits = modulus_bits.checked_sub(1)?;
    // Where the bits fill whole octets, the modulus has one more, which must be zero.
    let encoded = if message_bits % 8 == 0 { encoded.strip_prefix(&[0])? } else { encoded };
    let (rest, [0xbc]) = encoded.split_last_chunk::<1>()? else {
        return None;
    };
    let masked_length = rest.len().checked_sub(length)?;
    let (masked, signed) = rest.split_at_checked(masked_length)?;
    // The bits above those that count must be zero, before and so after unmasking.
    let unused = u32::try_from(encoded.len().checked_mul(8)?.checked_sub(message_bits)?).ok()?;
    let kept = u8::MAX.checked_shr(unused)?;
    if masked.first()? & !kept != 0 {
        return None;
    }
    let mut data = masked.to_vec();
    unmask::<D>(&mut data, signed);
    *data.first_mut()? &= kept;
    let (salt_start, salt) = data.split_at_checked(masked_length.checked_sub(length)?)?;
    let (zeros, [0x01]) = salt_start.split_last_chunk::<1>()? else {
        return None;
    };
    if zeros.iter().any(|octet| *octet != 0) {
        return None;
    }
    let hash = D::digest(message);
    let own = D::new().chain_update([0; 8]).chain_update(&hash).chain_update(salt).finalize();
    let mut held = Output::<D>::default();
    held.as_mut_slice().copy_from_slice(signed.get(..length)?);
    Some((own, held))
}

/// MGF1 (RFC 8017 appendix B.2.1), applied.
fn unmask<D: Digest>(data: &mut [u8], seed: &[u8]) {
    for (counter, block) in (0_u32..).zip(data.chunks_mut(<D as Digest>::output_size().max(1))) {
        let mask = D::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize();
        block.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
    }
}
