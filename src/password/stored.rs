//! Stored password hashes: read strictly, so that nothing malformed reaches the code that computes with them.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest, Sha1};

use super::same;

/// The costs of bcrypt that are taken: one more doubles the time, which is about 0.1 s in V8 at 10.
pub const BCRYPT_COST: std::ops::RangeInclusive<u32> = 4..=12;
/// The most memory of Argon2, in KiB, and the most passes over it.
pub const ARGON2_MEMORY: u32 = 19_456;
/// The most memory times passes.
pub const ARGON2_WORK: u32 = 2 * ARGON2_MEMORY;
/// The rounds of PBKDF2 that are taken.
pub const PBKDF2_ROUNDS: std::ops::RangeInclusive<u32> = 1_000..=600_000;
/// The octets that a salt may have.
const SALT: std::ops::RangeInclusive<usize> = 8..=64;

/// A stored password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// bcrypt: `$2b$10$...`, also `$2a$` and `$2y$`.
    Bcrypt {
        /// The binary logarithm of the rounds.
        cost: u32,
        /// The salt.
        salt: [u8; 16],
        /// The hash.
        hash: [u8; 23],
    },
    /// Argon2id, version 19 (RFC 9106): `$argon2id$v=19$m=19456,t=2,p=1$...$...`.
    Argon2id {
        /// Memory in KiB, passes, and lanes.
        cost: (u32, u32, u32),
        /// The salt.
        salt: Vec<u8>,
        /// The hash.
        hash: Vec<u8>,
    },
    /// PBKDF2 with HMAC-SHA-256 (RFC 8018): `$pbkdf2-sha256$29000$...$...` or `$pbkdf2-sha256$i=29000,l=32$...$...`.
    Pbkdf2 {
        /// The rounds.
        rounds: u32,
        /// The salt.
        salt: Vec<u8>,
        /// The hash.
        hash: Vec<u8>,
    },
    /// An unsalted SHA-1 of htpasswd: `{SHA}...`.
    Sha1([u8; 20]),
}

/// Why a text is no stored password that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has the form of none.
    Form,
    /// It begins like one, and goes on otherwise.
    Content(&'static str),
    /// It costs more, or less, than may be: what, and the bounds.
    Cost(&'static str, String),
    /// A kind that is not taken, and why.
    Kind(&'static str),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Form => f.write_str("is no hash of a password"),
            Fault::Content(kind) => write!(f, "begins like a hash of {kind}, and is none"),
            Fault::Cost(what, bounds) => write!(f, "has {what} out of bounds: {bounds}"),
            Fault::Kind(why) => f.write_str(why),
        }
    }
}

impl Stored {
    /// Reads a stored password.
    ///
    /// # Errors
    /// Why it is none that is taken. No message holds any of it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > 512 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Fault::Form);
        }
        if let Some(rest) = text.strip_prefix("{SHA}") {
            let digest = STANDARD.decode(rest).ok().and_then(|octets| octets.try_into().ok());
            return digest.map(Self::Sha1).ok_or(Fault::Content("{SHA}"));
        }
        let rest = text.strip_prefix('$').ok_or(Fault::Form)?;
        let (kind, rest) = rest.split_once('$').ok_or(Fault::Form)?;
        match kind {
            "2a" | "2b" | "2y" => bcrypt(rest),
            "2x" => Err(Fault::Kind("is of a bcrypt with a bug ($2x$): hash the password again")),
            "argon2id" => argon2id(rest),
            "argon2i" | "argon2d" => Err(Fault::Kind("is of another Argon2 than argon2id")),
            "pbkdf2-sha256" => pbkdf2(rest),
            "apr1" | "1" => Err(Fault::Kind("is of MD5, which is broken: hash the password again")),
            "5" | "6" => Err(Fault::Kind("is of crypt(3) with SHA-2, which is not taken: hash the password again")),
            _ => Err(Fault::Form),
        }
    }

    /// What tells it from other stored passwords: a salt is not used twice.
    pub fn mark(&self) -> Vec<u8> {
        match self {
            Self::Bcrypt { cost, salt, hash } => [&cost.to_le_bytes()[..], salt, hash].concat(),
            Self::Argon2id { salt, hash, .. } => [salt.as_slice(), hash].concat(),
            Self::Pbkdf2 { rounds, salt, hash } => [&rounds.to_le_bytes()[..], salt, hash].concat(),
            Self::Sha1(hash) => hash.to_vec(),
        }
    }

    /// What kind it is, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bcrypt { .. } => "bcrypt",
            Self::Argon2id { .. } => "argon2id",
            Self::Pbkdf2 { .. } => "PBKDF2-SHA256",
            Self::Sha1(_) => "{SHA}",
        }
    }

    /// How much work it is to check, roughly, in microseconds in V8: to find the one that costs the most.
    pub fn work(&self) -> u64 {
        match self {
            Self::Bcrypt { cost, .. } => 80_u64.checked_shl(*cost).unwrap_or(u64::MAX),
            Self::Argon2id { cost: (memory, passes, _), .. } => u64::from(*memory) * u64::from(*passes),
            Self::Pbkdf2 { rounds, .. } => u64::from(*rounds),
            Self::Sha1(_) => 1,
        }
    }

    /// Checks a password against a kind of hash that cannot be interrupted; against another it is wrong.
    pub(super) fn check_whole(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2id { cost: (memory, passes, lanes), salt, hash } => {
                let mut output = [0; 64];
                let Some((output, _)) = output.split_at_mut_checked(hash.len()) else {
                    return false;
                };
                let params = Params::new(*memory, *passes, *lanes, Some(hash.len()));
                params.is_ok_and(|params| {
                    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                    argon2.hash_password_into(password, salt, output).is_ok() && same(output, hash)
                })
            }
            Self::Sha1(hash) => same(&Sha1::digest(password), hash),
            Self::Bcrypt { .. } | Self::Pbkdf2 { .. } => false,
        }
    }
}

fn bcrypt(rest: &str) -> Result<Stored, Fault> {
    const BAD: Fault = Fault::Content("bcrypt");
    let (cost, rest) = rest.split_once('$').ok_or(BAD)?;
    let cost: u32 = Some(cost).filter(|cost| cost.len() == 2).and_then(|cost| cost.parse().ok()).ok_or(BAD)?;
    // 16 octets in 22 characters, 23 in 31: the bits beyond mean nothing, and some implementations leave them set.
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&alphabet::BCRYPT, config);
    let (salt, hash) =
        Some(rest).filter(|rest| rest.len() == 53).and_then(|rest| rest.split_at_checked(22)).ok_or(BAD)?;
    let salt = engine.decode(salt).ok().and_then(|octets| octets.try_into().ok()).ok_or(BAD)?;
    let hash = engine.decode(hash).ok().and_then(|octets| octets.try_into().ok()).ok_or(BAD)?;
    if !BCRYPT_COST.contains(&cost) {
        return Err(Fault::Cost("a cost", format!("{} to {}", BCRYPT_COST.start(), BCRYPT_COST.end())));
    }
    Ok(Stored::Bcrypt { cost, salt, hash })
}

fn argon2id(rest: &str) -> Result<Stored, Fault> {
    const BAD: Fault = Fault::Content("argon2id");
    let parts: Vec<&str> = rest.split('$').collect();
    let [version, cost, salt, hash] = parts.as_slice() else {
        return Err(BAD);
    };
    if *version != "v=19" {
        return Err(BAD);
    }
    let [memory, passes, lanes] = numbers(cost, ["m", "t", "p"]).ok_or(BAD)?;
    let (salt, hash) = (octets(salt, SALT).ok_or(BAD)?, octets(hash, 16..=64).ok_or(BAD)?);
    let fits = memory <= ARGON2_MEMORY && memory.saturating_mul(passes) <= ARGON2_WORK && lanes <= 4;
    if !fits {
        let bounds = format!("m at most {ARGON2_MEMORY}, m times t at most {ARGON2_WORK}, p at most 4");
        return Err(Fault::Cost("costs", bounds));
    }
    Params::new(memory, passes, lanes, Some(hash.len())).map_err(|_| BAD)?;
    Ok(Stored::Argon2id { cost: (memory, passes, lanes), salt, hash })
}

fn pbkdf2(rest: &str) -> Result<Stored, Fault> {
    const BAD: Fault = Fault::Content("PBKDF2");
    let parts: Vec<&str> = rest.split('$').collect();
    let [cost, salt, hash] = parts.as_slice() else {
        return Err(BAD);
    };
    let (rounds, length) = match plain_number(cost) {
        Some(rounds) => (rounds, 32),
        None => match numbers(cost, ["i", "l"]) {
            Some([rounds, length]) => (rounds, length),
            None => (numbers(cost, ["i"]).map(|[rounds]| rounds).ok_or(BAD)?, 32),
        },
    };
    // passlib writes a dot for the plus.
    let (salt, hash) = (salt.replace('.', "+"), hash.replace('.', "+"));
    let (salt, hash) = (octets(&salt, SALT).ok_or(BAD)?, octets(&hash, 16..=32).ok_or(BAD)?);
    if usize::try_from(length) != Ok(hash.len()) {
        return Err(BAD);
    }
    if !PBKDF2_ROUNDS.contains(&rounds) {
        return Err(Fault::Cost("rounds", format!("{} to {}", PBKDF2_ROUNDS.start(), PBKDF2_ROUNDS.end())));
    }
    Ok(Stored::Pbkdf2 { rounds, salt, hash })
}

/// Base64 without padding, of so many octets.
fn octets(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok().filter(|octets| length.contains(&octets.len()))
}

/// `m=1,t=2` with just these names, in this order.
fn numbers<const N: usize>(text: &str, names: [&str; N]) -> Option<[u32; N]> {
    let parts: Vec<&str> = text.split(',').collect();
    if parts.len() != N {
        return None;
    }
    let mut found = [0; N];
    for ((number, part), name) in found.iter_mut().zip(parts).zip(names) {
        *number = plain_number(part.strip_prefix(name)?.strip_prefix('=')?)?;
    }
    Some(found)
}

/// Digits without a leading zero.
fn plain_number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::super::Work;
    use super::*;

    #[test]
    fn checks_what_others_hashed() {
        // By Python's bcrypt, argon2-cffi and passlib, and by htpasswd.
        for (stored, password) in VECTORS {
            let parsed = Stored::parse(stored).unwrap_or_else(|fault| panic!("{stored}: {fault}"));
            assert!(Work::new(&parsed, password.as_bytes()).finish(), "{stored}");
            for wrong in [format!("{password}x"), String::from("x"), String::new(), password.to_uppercase()] {
                let is_wrong = wrong != *password;
                assert!(!is_wrong || !Work::new(&parsed, wrong.as_bytes()).finish(), "{stored} {wrong}");
            }
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            "secret",
            "$",
            "$2b$",
            "$2b$10$",
            "$2b$3$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$2b$1x$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhW",
            "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWyy",
            "$2b$10$N9qo8uLOickgx2ZMRZoMy!IjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$2b$03$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$2b$13$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$2x$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWé",
            "{SHA}",
            "{SHA}AAAA",
            "{sha}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
            "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g",
            "$apr1$abc$def",
            "$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$m=64,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=16$m=64,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=4,t=1,p=4$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=19457,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=19456,t=3,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=4294967295,t=4294967295,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=2,p=1$c2Fs$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$AAAA",
            "$argon2id$v=19$t=2,m=64,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$pbkdf2-sha256$999$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$pbkdf2-sha256$600001$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$pbkdf2-sha256$+29000$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$pbkdf2-sha256$i=29000,l=64$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$pbkdf2-sha256$29000$c29tZXNhbHQ",
            "$pbkdf2-sha512$29000$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$5$rounds=5000$abc$def",
        ] {
            assert!(Stored::parse(text).is_err(), "{text}");
        }
        assert!(Stored::parse(&"$".repeat(600)).is_err());
    }

    const VECTORS: &[(&str, &str)] = &[
        ("$2b$04$6UZew0fK7qFxcgAw1qrCheXcAiGolKQHa7vyPcujvirKhcp5bQNoK", "correct horse battery staple"),
        ("$2b$04$EvTc7yOXx2LEbpY30C7jCugbsohhezlWCj3DhYGPe18Fiti7izBia", "pässwörd"),
        (
            "$2b$04$3W0QGNkTHmh.vTSKBLFuzO/fj7cQvkTDa4jAQPWYfQaU8Cde7xr3y",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        ("$2b$04$LxC75UKK.PtvHcV5c0JN6uRDbd.e7pLEWnGeGmvr0vhsV.DXRe/FO", ""),
        ("$2a$05$5TnCfgg1HKUh2Jo8p6zhvu2CutQ/nJENzbamAN01doZHqE5xapWG.", "secret"),
        ("$2y$04$NuiqFHQXNWmWJJm.I.b3uOjPtYQxVk3Est1iXjmm.yFHgY1pZzNQC", "secret"),
        ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"),
        ("$argon2id$v=19$m=64,t=2,p=1$5xFr2Xg7reZy8Jj7TUINnA$+hFjs9EuGT1Nn/hifAoUD0xVJMLeZNaIrq3jU0OLVrw", "secret"),
        ("$argon2id$v=19$m=256,t=1,p=4$zzPteawtXu07/+yJVHlDww$HXqc+HfjZba5/7kjg072uA", "pässwörd"),
        ("$pbkdf2-sha256$1000$CiEkZAwhZOxdq1WqlZJSig$3FKjnmCfQ.kI5mdDyCcB/RNZfV1NR/BNbcYF5Xlwk2Y", "secret"),
        ("$pbkdf2-sha256$i=1001,l=20$c29tZS1zYWx0LTE2LW9jdA$gdy2p0cDpcr46Xxv7peAQ3ru2PA", "secret"),
    ];
}
