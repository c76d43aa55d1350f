//! Public keys as PEM text (RFC 7468): SubjectPublicKeyInfo, PKCS#1, and the key of an X.509 certificate.
//!
//! A certificate is a key with words around it: neither its dates nor who signed it are looked at.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::der::{BIT_STRING, EC_PUBLIC_KEY, INTEGER, OBJECT, RSA_ENCRYPTION, SEQUENCE};
use super::ecdsa::{Curve, EcKey};
use super::ed25519::EdKey;
use super::fault::KeyFault;
use super::material::Public;
use super::rsa::RsaPublic;

/// The longest text, in octets.
const LONGEST: usize = 256 * 1024;

/// Why a text holds no key for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PemFault {
    /// There is no block, one does not end, or the text is too long.
    Form,
    /// A block is no base64, or not the DER that its label promises.
    Content,
    /// A block holds a private key.
    Private,
    /// A block holds something else; its label.
    Label(String),
    /// A key is of a kind that is not known.
    Kind,
    /// A key cannot be trusted.
    Key(KeyFault),
}

impl fmt::Display for PemFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PemFault::Form => f.write_str("is no PEM text: it has no whole -----BEGIN ...----- block"),
            PemFault::Content => f.write_str("has a PEM block that does not hold what its first line says"),
            PemFault::Private => f.write_str("is a private key, which has no place in a policy"),
            PemFault::Label(label) => {
                let label: String = label.chars().take(40).flat_map(char::escape_debug).collect();
                write!(f, "has a PEM block `{label}`; PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE are taken")
            }
            PemFault::Kind => f.write_str("has a key that is neither RSA, P-256, P-384, P-521 nor Ed25519"),
            PemFault::Key(fault) => write!(f, "has a key that cannot be trusted: {fault}"),
        }
    }
}

/// Reads every block of a text; what stands around them is for people.
///
/// # Errors
/// What is wrong with the first that is not taken.
pub fn read(text: &str) -> Result<Vec<Public>, PemFault> {
    if text.len() > LONGEST {
        return Err(PemFault::Form);
    }
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some((block, after)) = Block::first(rest)? {
        rest = after;
        keys.push(match block.label {
            "PUBLIC KEY" => public_key(&block.der()?)?,
            "RSA PUBLIC KEY" => Public::Rsa(rsa_key(&block.der()?)?),
            CERTIFICATE => certificate(&block.der()?)?,
            label if label.ends_with("PRIVATE KEY") => return Err(PemFault::Private),
            label => return Err(PemFault::Label(String::from(label))),
        });
    }
    if keys.is_empty() { Err(PemFault::Form) } else { Ok(keys) }
}

/// The SHA-256 digest of the certificate that a text is, in DER (RFC 8705 section 3.1).
pub fn certificate_digest(text: &[u8]) -> Option<[u8; 32]> {
    let text = str::from_utf8(text).ok().filter(|text| text.len() <= LONGEST)?;
    let (block, _) = Block::first(text).ok()??;
    (block.label == CERTIFICATE).then(|| block.der().ok())?.map(|der| Sha256::digest(der).into())
}

/// The label of certificates.
const CERTIFICATE: &str = "CERTIFICATE";

/// A piece of PEM text between its two lines.
pub(crate) struct Block<'t> {
    /// What it says it is.
    pub(crate) label: &'t str,
    body: &'t str,
}

impl<'t> Block<'t> {
    /// The first block of a text, and what follows it.
    pub(crate) fn first(text: &'t str) -> Result<Option<(Self, &'t str)>, PemFault> {
        let Some((_, after)) = text.split_once("-----BEGIN ") else {
            return Ok(None);
        };
        let (label, after) = after.split_once("-----").ok_or(PemFault::Form)?;
        let (body, rest) = after.split_once(&format!("-----END {label}-----")).ok_or(PemFault::Form)?;
        Ok(Some((Self { label, body }, rest)))
    }

    /// Its base64 without line breaks.
    pub(crate) fn packed(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.body.bytes().filter(|b| !b.is_ascii_whitespace()).collect())
    }

    fn der(&self) -> Result<Vec<u8>, PemFault> {
        STANDARD.decode(self.packed()).map_err(|_| PemFault::Content)
    }
}

/// The version of a certificate, which may be left out.
const VERSION: u8 = 0xa0;

/// id-RSASSA-PSS (RFC 8017 appendix A.2.3).
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
/// id-Ed25519 (RFC 8410 section 3).
pub(crate) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The key of a certificate (RFC 5280 section 4.1).
fn certificate(der: &[u8]) -> Result<Public, PemFault> {
    let mut outer = Der::whole(der)?;
    let mut certificate = Der(outer.take(SEQUENCE)?);
    let mut fields = Der(certificate.take(SEQUENCE)?);
    if fields.0.first() == Some(&VERSION) {
        fields.take(VERSION)?;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    fields.take(INTEGER)?;
    for _ in 0..4 {
        fields.take(SEQUENCE)?;
    }
    key_info(&mut fields)
}

/// A SubjectPublicKeyInfo alone.
fn public_key(der: &[u8]) -> Result<Public, PemFault> {
    let mut outer = Der(der);
    let key = key_info(&mut outer)?;
    outer.end()?;
    Ok(key)
}

/// A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
fn key_info(der: &mut Der<'_>) -> Result<Public, PemFault> {
    let mut info = Der(der.take(SEQUENCE)?);
    let mut algorithm = Der(info.take(SEQUENCE)?);
    let (identifier, bits) = (algorithm.take(OBJECT)?, info.take(BIT_STRING)?);
    info.end()?;
    let key = bits.strip_prefix(&[0]).ok_or(PemFault::Content)?;
    match identifier {
        RSA_ENCRYPTION => rsa_key(key).map(Public::Rsa),
        RSASSA_PSS => rsa_key(key).map(Public::RsaPss),
        EC_PUBLIC_KEY => {
            let identifier = algorithm.take(OBJECT)?;
            let curve = Curve::ALL.iter().find(|curve| curve.identifier() == identifier).ok_or(PemFault::Kind)?;
            EcKey::from_sec1(*curve, key).map(Public::Ec).map_err(PemFault::Key)
        }
        ED25519 => EdKey::new(key).map(Public::Ed).map_err(PemFault::Key),
        _ => Err(PemFault::Kind),
    }
}

/// An RSAPublicKey (RFC 8017 appendix A.1.1).
fn rsa_key(der: &[u8]) -> Result<RsaPublic, PemFault> {
    let mut key = Der(Der::whole(der)?.take(SEQUENCE)?);
    let (n, e) = (key.number()?, key.number()?);
    key.end()?;
    RsaPublic::new(n, e).map_err(PemFault::Key)
}

/// DER (X.690 section 10) that is being read: one way to write everything, and nothing after the end.
pub(crate) struct Der<'d>(pub(crate) &'d [u8]);

impl<'d> Der<'d> {
    /// Octets that are one element and nothing more.
    pub(crate) fn whole(octets: &'d [u8]) -> Result<Self, PemFault> {
        let mut look = Self(octets);
        look.any()?;
        look.end()?;
        Ok(Self(octets))
    }

    /// The content of the next element, which has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Result<&'d [u8], PemFault> {
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(PemFault::Content),
        }
    }

    fn any(&mut self) -> Result<(u8, &'d [u8]), PemFault> {
        self.element().ok_or(PemFault::Content)
    }

    fn element(&mut self) -> Option<(u8, &'d [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            // Lengths beyond 65535 are longer than any text that is read here.
            0x81 => {
                rest.split_first().filter(|(length, _)| **length >= 0x80).map(|(l, rest)| (usize::from(*l), rest))?
            }
            0x82 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                let length = usize::from(u16::from_be_bytes(*length));
                (Some(length).filter(|length| *length >= 0x100)?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// A positive whole number, without the octet that only says so.
    pub(super) fn number(&mut self) -> Result<&'d [u8], PemFault> {
        match self.take(INTEGER)? {
            [0, digits @ ..] if digits.first().is_some_and(|first| *first >= 0x80) => Ok(digits),
            digits @ [1..=0x7f, ..] => Ok(digits),
            _ => Err(PemFault::Content),
        }
    }

    /// There is nothing more.
    pub(super) fn end(&self) -> Result<(), PemFault> {
        if self.0.is_empty() { Ok(()) } else { Err(PemFault::Content) }
    }
}
