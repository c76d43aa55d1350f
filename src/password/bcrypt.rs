//! bcrypt (Provos and Mazières, 1999), with a key schedule that can stop and go on: the crate computes the cipher,
//! the loop of 2^cost rounds is here.

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;
use blowfish::Blowfish;
use zeroize::Zeroizing;

use super::same;

/// The longest password: what is beyond does not count in bcrypt, and so must not be there.
pub const LONGEST: usize = 72;

/// What is encrypted: `OrpheanBeholderScryDoubt`.
const TEXT: [u32; 6] = [0x4f72_7068, 0x6561_6e42, 0x6568_6f6c, 0x6465_7253, 0x6372_7944, 0x6f75_6274];

/// The hash of a password, as it is stored; `None` if none can stand for it.
pub fn hash(cost: u32, salt: [u8; 16], password: &[u8]) -> Option<String> {
    let mut work = Bcrypt::new(cost, salt, [0; 23], password)?;
    while work.step(1_024).is_none() {}
    let engine = GeneralPurpose::new(&BCRYPT, NO_PAD);
    Some(format!("$2b${cost:02}${}{}", engine.encode(salt), engine.encode(work.output())))
}

/// The check of one password.
pub struct Bcrypt {
    cipher: Blowfish,
    /// The password and a zero octet.
    key: Zeroizing<Vec<u8>>,
    salt: [u8; 16],
    hash: [u8; 23],
    left: u64,
}

impl Bcrypt {
    /// Begins a check; `None` for a password that no hash can stand for: too long, or with a zero octet.
    pub fn new(cost: u32, salt: [u8; 16], hash: [u8; 23], password: &[u8]) -> Option<Self> {
        if password.len() > LONGEST || password.contains(&0) {
            return None;
        }
        let mut key = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
        key.extend_from_slice(password);
        key.push(0);
        key.truncate(LONGEST);
        let mut cipher = Blowfish::bc_init_state();
        cipher.salted_expand_key(&salt, &key);
        Some(Self { cipher, key, salt, hash, left: 1_u64.checked_shl(cost)? })
    }

    /// Does some rounds; the verdict after the last.
    pub fn step(&mut self, rounds: u32) -> Option<bool> {
        let now = self.left.min(u64::from(rounds));
        for _ in 0..now {
            self.cipher.bc_expand_key(&self.key);
            self.cipher.bc_expand_key(&self.salt);
        }
        self.left -= now;
        (self.left == 0).then(|| same(&self.output(), &self.hash))
    }

    /// The text, encrypted 64 times; its last octet is left out.
    fn output(&self) -> [u8; 23] {
        let mut output = [0; 24];
        for (pair, block) in TEXT.as_chunks::<2>().0.iter().zip(output.as_chunks_mut::<8>().0) {
            let mut words = *pair;
            for _ in 0..64 {
                words = self.cipher.bc_encrypt(words);
            }
            let (high, low) = block.split_at_mut(4);
            high.copy_from_slice(&words.first().copied().unwrap_or_default().to_be_bytes());
            low.copy_from_slice(&words.last().copied().unwrap_or_default().to_be_bytes());
        }
        let mut hash = [0; 23];
        hash.copy_from_slice(output.split_at(23).0);
        hash
    }
}
