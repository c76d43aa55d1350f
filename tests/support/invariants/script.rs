//! Requests as text, so that a fuzzer can mutate a valid one and people can read the corpus.
//!
//! The first octet picks the policy, the rest of the first line is the method and the target, every other
//! line is a header. `${good}` stands for a named credential, `${good!7}` for one whose octet 7 is changed,
//! `%{hex}` for one octet that cannot stand in a line.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::fixture;

thread_local! {
    static NAMED: OnceCell<BTreeMap<&'static str, String>> = const { OnceCell::new() };
}

/// A request read from a script.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Picks the policy.
    pub policy: u8,
    /// Pseudo headers and headers.
    pub pairs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The texts of all credentials, good and bad, that were filled in.
    pub filled: Vec<Vec<u8>>,
}

impl Script {
    /// Reads a script. Every text is one.
    pub fn read(text: &[u8]) -> Self {
        let mut script = Self::default();
        let mut lines = text.split(|b| *b == b'\n');
        let (policy, first) = lines.next().and_then(<[u8]>::split_first).unwrap_or((&b'e', &[]));
        script.policy = *policy;
        let mut words = first.trim_ascii_start().splitn(2, |b| *b == b' ');
        for name in [b":method".as_slice(), b":path"] {
            if let Some(word) = words.next().filter(|word| !word.is_empty()) {
                script.add(name, word);
            }
        }
        for line in lines.filter(|line| !line.is_empty()) {
            let colon = line.iter().skip(1).position(|b| *b == b':').map_or(line.len(), |at| at + 1);
            let (name, value) = line.split_at(colon);
            let value = value.strip_prefix(b":").unwrap_or(value);
            script.add(name, value.strip_prefix(b" ").unwrap_or(value));
        }
        script
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        let value = self.fill(value);
        // Hosts hand every pseudo header over once at most.
        let repeated = name.starts_with(b":") && self.pairs.iter().any(|(n, _)| n == name);
        if !repeated {
            self.pairs.push((name.to_vec(), value));
        }
    }

    fn fill(&mut self, value: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(value.len());
        let mut rest = value;
        while let Some((first, after)) = rest.split_first() {
            let braced = match rest {
                [b'$' | b'%', b'{', inner @ ..] => {
                    inner.iter().position(|b| *b == b'}').map(|end| (&inner[..end], &inner[end + 1..]))
                }
                _ => None,
            };
            let known = braced.and_then(|(name, after)| Some((meaning(*first, name)?, after)));
            if let Some((text, after)) = known {
                filled.extend_from_slice(&text);
                if *first == b'$' {
                    self.filled.push(text);
                }
                rest = after;
            } else {
                filled.push(*first);
                rest = after;
            }
        }
        filled
    }

    /// The pairs as the crate takes them.
    pub fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        self.pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect()
    }
}

fn meaning(kind: u8, name: &[u8]) -> Option<Vec<u8>> {
    let name = str::from_utf8(name).ok()?;
    if kind == b'%' {
        return u8::from_str_radix(name, 16).ok().filter(|b| *b != 0).map(|b| vec![b]);
    }
    let (name, change) = name.split_once('!').map_or((name, None), |(name, at)| (name, Some(at)));
    let text = NAMED.with(|named| named.get_or_init(fixture::named).get(name).cloned())?;
    let mut text = text.into_bytes();
    if let Some(at) = change {
        let at = at.parse::<usize>().ok()? % text.len();
        text[at] = if text[at] == b'A' { b'B' } else { b'A' };
    }
    Some(text)
}
