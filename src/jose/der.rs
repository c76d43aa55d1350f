//! Writes the little DER (X.690) that hosts ask for: keys and ECDSA signatures.

use zeroize::Zeroizing;

/// Tags of elements.
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
pub(crate) const OBJECT: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// rsaEncryption (RFC 8017 appendix A.1).
pub(crate) const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// id-ecPublicKey (RFC 5480 section 2.1.1).
pub(crate) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// A SubjectPublicKeyInfo of an RSA key (RFC 8017 appendix A.1.1), from big-endian numbers.
pub(super) fn rsa_public_key(n: &[u8], e: &[u8]) -> Vec<u8> {
    let key = element(SEQUENCE, &[integer(n), integer(e)].concat());
    element(SEQUENCE, &[rsa_algorithm(), bit_string(&key)].concat())
}

/// A PrivateKeyInfo (RFC 5958 section 2) around an RSAPrivateKey.
pub(super) fn rsa_private_key(key: &[u8]) -> Vec<u8> {
    let key = Zeroizing::new(element(OCTET_STRING, key));
    let content = Zeroizing::new([integer(&[]).as_slice(), &rsa_algorithm(), &key].concat());
    element(SEQUENCE, &content)
}

/// The AlgorithmIdentifier of RSA keys (RFC 8017 appendix A.1).
fn rsa_algorithm() -> Vec<u8> {
    element(SEQUENCE, &[element(OBJECT, RSA_ENCRYPTION), element(NULL, &[])].concat())
}

/// A SubjectPublicKeyInfo of an elliptic curve key (RFC 5480 section 2), from the identifier of the curve
/// and an uncompressed point.
pub(super) fn ec_public_key(curve: &[u8], point: &[u8]) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[element(OBJECT, EC_PUBLIC_KEY), element(OBJECT, curve)].concat());
    element(SEQUENCE, &[algorithm, bit_string(point)].concat())
}

/// An ECDSA signature (RFC 3279 section 2.2.3), from big-endian numbers.
pub(super) fn ecdsa_signature(r: &[u8], s: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[integer(r), integer(s)].concat())
}

/// A positive whole number, as short as it can be written.
pub(super) fn integer(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let digits = octets.get(zeros..).unwrap_or_default();
    // The first bit is the sign, and zero has a digit too.
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, digits].concat())
}

fn bit_string(octets: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], octets].concat())
}

/// An element: tag, length, content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|octet| **octet == 0).count();
    let digits = length.get(zeros..).unwrap_or_default();
    let mut octets = vec![tag];
    match (u8::try_from(content.len()), u8::try_from(digits.len())) {
        (Ok(short), _) if short < 0x80 => octets.push(short),
        (_, Ok(count)) => {
            octets.push(0x80 | count);
            octets.extend_from_slice(digits);
        }
        // No number has 128 octets.
        (_, Err(_)) => {}
    }
    octets.extend_from_slice(content);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_as_short_as_can_be() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(element(4, &[7; 200])[..4], [4, 0x81, 200, 7]);
        assert_eq!(element(4, &[7; 300])[..5], [4, 0x82, 1, 44, 7]);
        assert_eq!(ecdsa_signature(&[1], &[0xff]), [0x30, 7, 2, 1, 1, 2, 2, 0, 0xff]);
    }
}
