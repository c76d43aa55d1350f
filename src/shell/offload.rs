//! Signatures checked by the host: Envoy's function `verify_signature`, trusted only after it was tried.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::abi;
use super::known_answers::{KNOWN, MESSAGE};
use crate::jose::alg::{Alg, AlgSet};
use crate::jose::issuer::Issuers;
use crate::jose::offload::Offload;

const FUNCTION: &str = "verify_signature";

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
}

/// Asks the host about one signature. It is good only if the host says so in so many words, and bad only
/// if the host looked at it: a key that the host cannot read is for us to judge.
fn ask(alg: Alg, spki: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let hash = match alg.hash_length() {
        32 => "sha256",
        48 => "sha384",
        _ => "sha512",
    };
    let mut input = Vec::with_capacity(message.len() + signature.len() + spki.len() + 40);
    for (field, octets) in [(1, hash.as_bytes()), (2, spki), (3, signature), (4, message)] {
        write_field(&mut input, field, octets)?;
    }
    let answer = abi::foreign(FUNCTION, &input).ok()?;
    match answer.as_slice() {
        // The field `result`, true. It stands first, and false is not written at all.
        [0x08, 0x01, ..] => Some(true),
        answer => {
            const BAD: &[u8] = b"Failed to verify digest";
            answer.windows(BAD.len()).any(|part| part == BAD).then_some(false)
        }
    }
}

/// Writes a field of a protobuf message that holds octets.
fn write_field(message: &mut Vec<u8>, field: u8, octets: &[u8]) -> Option<()> {
    const LENGTH_DELIMITED: u8 = 2;
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
