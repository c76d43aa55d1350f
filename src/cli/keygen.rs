//! `gatekey keygen`: makes API keys.
//!
//! A key is `PREFIX_BODY` and a checksum, without anything between the last two: the body is 256 random bits as
//! 43 digits of base 62 (0-9, A-Z, a-z), the checksum the CRC-32 (IEEE 802.3) of everything before it as 6 such digits.
//! Scanners for leaked secrets find such keys by their prefix and know from the checksum that they are real.

use std::io::Write;

use gatekey::json::Json;

use super::args::Args;
use super::hash::line;
use super::policy_file::text;
use super::{Failure, Outcome};

pub(super) const HELP: &str = "\
usage: gatekey keygen [--prefix PREFIX] [--name CLIENT] [--json]

Makes an API key of 256 random bits, and the line for the policy, which holds only its SHA-256 digest. The key itself
is shown this once.

The key is PREFIX, `_`, 43 random digits of base 62 (0-9, A-Z, a-z), and 6 such digits that are the CRC-32 (IEEE) of
everything before them, by which scanners for leaked secrets know it.

  --prefix PREFIX        what the key begins with, gk_live by default; letters, digits and _
  --name CLIENT          print the lines of the policy for a client of this name, too
  --json                 print one JSON object
";

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is just more than 2^256.
const BODY: usize = 43;
/// 62^6 is just more than 2^32.
const CHECKSUM: usize = 6;

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Outcome {
    args.rest(0)?;
    let prefix = args.one("prefix")?.unwrap_or("gk_live");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if prefix.is_empty() || prefix.len() > 32 || !prefix.bytes().all(plain) {
        return Err(Failure::Usage(String::from("a prefix is 1 to 32 letters, digits and _")));
    }
    let name = args.one("name")?;
    if name.is_some_and(|name| !(1..=64).contains(&name.len()) || !name.bytes().all(|b| plain(b) || b == b'-')) {
        return Err(Failure::Usage(String::from("a name is 1 to 64 letters, digits, _ and -")));
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| Failure::Input(format!("gatekey: no randomness: {error}\n")))?;
    let key = key(prefix, &random);
    let digest = line(&key);
    if args.flag("json") {
        let mut members = vec![("key".into(), text(key)), ("sha256".into(), text(digest))];
        if let Some(name) = name {
            members.push(("client".into(), text(name)));
        }
        return Ok(writeln!(out, "{}", Json::Object(members))?);
    }
    writeln!(out, "key: {key}\nsha256: {digest}")?;
    if let Some(name) = name {
        writeln!(out, "\nclients:\n  {name}: {digest}")?;
    }
    Ok(())
}

fn key(prefix: &str, random: &[u8; 32]) -> String {
    let mut key = format!("{prefix}_{}", base62(random, BODY));
    key.push_str(&base62(&crc32(key.as_bytes()).to_be_bytes(), CHECKSUM));
    key
}

/// Whether a key has the form of those made here, but not their checksum.
pub(super) fn has_bad_checksum(key: &str) -> bool {
    let made_here = key
        .rsplit_once('_')
        .is_some_and(|(_, digits)| digits.len() == BODY + CHECKSUM && digits.bytes().all(|b| DIGITS.contains(&b)));
    let split = key.split_at_checked(key.len().saturating_sub(CHECKSUM));
    made_here && split.is_some_and(|(text, sum)| base62(&crc32(text.as_bytes()).to_be_bytes(), CHECKSUM) != sum)
}

/// A big-endian number in base 62, with leading zeros.
fn base62(number: &[u8], digits: usize) -> String {
    let mut number = number.to_vec();
    let mut text = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut rest = 0_u32;
        for octet in &mut number {
            let value = rest * 256 + u32::from(*octet);
            *octet = (value / 62) as u8;
            rest = value % 62;
        }
        text.push(char::from(DIGITS[rest as usize]));
    }
    text.iter().rev().collect()
}

/// CRC-32 as in Ethernet, gzip and PNG.
fn crc32(octets: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !octets.iter().fold(!0, |crc, octet| (0..8).fold(crc ^ u32::from(*octet), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_known_sums_and_digits() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(base62(&[0xff; 4], 6), "4gfFC3");
        assert_eq!(base62(&[0], 3), "000");
        assert_eq!(base62(&[0xff; 32], BODY).len(), BODY);
    }

    #[test]
    fn knows_its_own_keys() {
        let key = key("gk_live", &[7; 32]);
        assert_eq!(key.len(), 8 + BODY + CHECKSUM);
        assert!(
            !has_bad_checksum(&key) && has_bad_checksum(&key.replace("gk", "gl")) && !has_bad_checksum("another_key")
        );
    }
}
