//! Signatures checked and made by the host: Envoy's functions `verify_signature`, trusted only after it was tried, and
//! `sign`, whose every signature is checked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::abi;
use super::known_answers::{KNOWN, MESSAGE};
use crate::jose::alg::{Alg, AlgSet};
use crate::jose::issuer::Issuers;
use crate::jose::offload::Offload;
use crate::jose::rsa_private::RsaPrivate;
use crate::policy::Policy;

const VERIFY: &str = "verify_signature";
const SIGN: &str = "sign";

/// A host that checks signatures of some algorithms.
pub(super) struct HostOffload {
    knows: AlgSet,
}

impl HostOffload {
    /// Finds out what the host can do for these issuers: for each algorithm it must find one signature good, and the same
    /// signature bad when the message or the signature is another.
    pub(super) fn probe(issuers: &Issuers) -> Self {
        let mut knows = AlgSet::default();
        for known in KNOWN.iter().filter(|known| issuers.knows(known.alg)) {
            let decode = |text: &str| STANDARD_NO_PAD.decode(text).ok();
            let (Some(spki), Some(signature)) = (decode(known.spki), decode(known.signature)) else {
                continue;
            };
            let mut tampered = signature.clone();
            if let Some(last) = tampered.last_mut() {
                *last ^= 1;
            }
            let other = [MESSAGE, b"!"].concat();
            if ask(known.alg, &spki, MESSAGE, &signature) == Some(true)
                && ask(known.alg, &spki, MESSAGE, &tampered) == Some(false)
                && ask(known.alg, &spki, &other, &signature) == Some(false)
            {
                knows = knows.union([known.alg].into_iter().collect());
            }
        }
        Self { knows }
    }

    /// Why this policy cannot be carried out here, if it cannot.
    pub(super) fn objection(&self, policy: &Policy) -> Option<&'static str> {
        (!policy.signs_with(self)).then_some(
            "sign: this host does not sign with this RSA key, or its numbers do not belong together; \
             use a P-256 or Ed25519 key",
        )
    }

    /// The algorithms that the host checks.
    pub(super) fn algorithms(&self) -> AlgSet {
        self.knows
    }
}

impl Offload for HostOffload {
    fn verify(&self, alg: Alg, spki: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
        if self.knows(alg) { ask(alg, spki, message, signature) } else { None }
    }

    fn knows(&self, alg: Alg) -> bool {
        self.knows.contains(alg)
    }

    fn sign(&self, key: &RsaPrivate, message: &[u8]) -> Option<Vec<u8>> {
        ask_to_sign(key.pkcs8(), message).filter(|signature| key.holds(message, signature, self))
    }
}

/// Asks the host for a signature by RSASSA-PKCS1-v1_5 with SHA-256.
fn ask_to_sign(pkcs8: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let input = Zeroizing::new(fields([(1, b"sha256"), (2, pkcs8), (3, message)])?);
    let answer = abi::foreign(SIGN, &input).ok()?;
    // The fields `result`, true, and `signature`.
    let (length, rest) = read_length(answer.strip_prefix(&[0x08, 0x01, (2 << 3) | LENGTH_DELIMITED])?)?;
    rest.get(..length).map(<[u8]>::to_vec)
}

/// Asks the host about one signature. It is good only if the host says so in so many words, and bad only
/// if the host looked at it: a key that the host cannot read is for us to judge.
fn ask(alg: Alg, spki: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let hash = match alg.hash_length() {
        32 => "sha256",
        48 => "sha384",
        _ => "sha512",
    };
    let input = fields([(1, hash.as_bytes()), (2, spki), (3, signature), (4, message)])?;
    let answer = abi::foreign(VERIFY, &input).ok()?;
    match answer.as_slice() {
        // The field `result`, true. It stands first, and false is not written at all.
        [0x08, 0x01, ..] => Some(true),
        answer => {
            const BAD: &[u8] = b"Failed to verify digest";
            answer.windows(BAD.len()).any(|part| part == BAD).then_some(false)
        }
    }
}

/// The wire type of a field that holds octets.
const LENGTH_DELIMITED: u8 = 2;

/// The length of a field of at most 16,383 octets, and what follows it.
fn read_length(octets: &[u8]) -> Option<(usize, &[u8])> {
    match octets {
        [low @ 0..0x80, rest @ ..] => Some((usize::from(*low), rest)),
        [low, high @ 0..0x80, rest @ ..] => Some((usize::from(*low & 0x7f) | usize::from(*high) << 7, rest)),
        _ => None,
    }
}

/// A protobuf message of these fields. It never grows beyond its first room, so that nothing of it is left elsewhere.
fn fields<const N: usize>(fields: [(u8, &[u8]); N]) -> Option<Vec<u8>> {
    const MOST_BEFORE: usize = 11;
    let mut message = Vec::with_capacity(fields.iter().map(|(_, octets)| octets.len() + MOST_BEFORE).sum());
    for (field, octets) in fields {
        write_field(&mut message, field, octets)?;
    }
    Some(message)
}

/// Writes a field of a protobuf message that holds octets.
fn write_field(message: &mut Vec<u8>, field: u8, octets: &[u8]) -> Option<()> {
    message.push((field << 3) | LENGTH_DELIMITED);
    let mut length = octets.len();
    while length >= 0x80 {
        message.push(u8::try_from(length & 0x7f).ok()? | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).ok()?);
    message.extend_from_slice(octets);
    Some(())
}
