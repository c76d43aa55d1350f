//! The signature vectors of Wycheproof, with the verdict that our rules give each.
//!
//! A vector is good for us if it is good at all and made as RFC 7518 asks: its hash, its mask, its salt and its
//! encoding. Everything else must be refused, which includes good signatures made in another way.

use wycheproof::{HashFunction, Mgf, TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gatekey::jose::alg::Alg;

/// Vectors of one key.
pub(crate) struct Group {
    pub(crate) file: String,
    /// How the key is to be used.
    pub(crate) alg: Alg,
    /// PEM text, or an HMAC secret.
    pub(crate) key: Vec<u8>,
    pub(crate) vectors: Vec<Vector>,
}

/// One message and signature.
pub(crate) struct Vector {
    pub(crate) id: usize,
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) verdict: Verdict,
}

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
    /// Wycheproof leaves it open, and so do we.
    Either,
}

/// Every vector that fits an algorithm of ours, or comes close.
pub(crate) fn all() -> Vec<Group> {
    let mut groups = Vec::new();
    pkcs1(&mut groups);
    pss(&mut groups);
    ec(&mut groups);
    ed(&mut groups);
    hmac(&mut groups);
    groups
}

fn pem(der: &[u8]) -> Vec<u8> {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der)).into_bytes()
}

/// The algorithm of a hash among three; the first where there is none, for which all must then be bad.
fn by_hash(hash: HashFunction, algs: [Alg; 3]) -> (Alg, bool) {
    match hash {
        HashFunction::Sha2_256 => (algs[0], true),
        HashFunction::Sha2_384 => (algs[1], true),
        HashFunction::Sha2_512 => (algs[2], true),
        _ => (algs[0], false),
    }
}

fn verdict(result: TestResult, ours: bool) -> Verdict {
    match (result, ours) {
        (_, false) | (TestResult::Invalid, _) => Verdict::Bad,
        (TestResult::Valid, true) => Verdict::Good,
        (TestResult::Acceptable, true) => Verdict::Either,
    }
}

fn pkcs1(groups: &mut Vec<Group>) {
    for name in rsa_pkcs1_verify::TestName::all() {
        let set = rsa_pkcs1_verify::TestSet::load(name).expect("vectors");
        for group in set.test_groups {
            let (alg, ours) = by_hash(group.hash, [Alg::Rs256, Alg::Rs384, Alg::Rs512]);
            let vectors = group.tests.into_iter().map(|test| Vector {
                id: test.tc_id,
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                verdict: match test.flags.as_slice() {
                    // The whole encoded message is compared: a DigestInfo without its NULL is another one.
                    flags if flags.contains(&rsa_pkcs1_verify::TestFlag::MissingNull) => Verdict::Bad,
                    // What is the wrong hash for others may be the right one for us.
                    flags if !ours && flags.contains(&rsa_pkcs1_verify::TestFlag::WrongHash) => Verdict::Either,
                    _ => verdict(test.result, ours),
                },
            });
            groups.push(Group { file: format!("{name:?}"), alg, key: pem(&group.der), vectors: vectors.collect() });
        }
    }
}

fn pss(groups: &mut Vec<Group>) {
    for name in rsa_pss_verify::TestName::all() {
        let set = rsa_pss_verify::TestSet::load(name).expect("vectors");
        for group in set.test_groups {
            let (alg, known) = by_hash(group.hash, [Alg::Ps256, Alg::Ps384, Alg::Ps512]);
            let ours = known
                && group.mgf == Mgf::Mgf1
                && group.mgf_hash == Some(group.hash)
                && group.salt_size == alg.hash_length();
            let vectors = group.tests.into_iter().map(|test| Vector {
                id: test.tc_id,
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                verdict: match test.comment.contains("s_len") && !ours {
                    // What is a wrong salt for others may be the right one for us.
                    true => Verdict::Either,
                    false => verdict(test.result, ours),
                },
            });
            groups.push(Group { file: format!("{name:?}"), alg, key: pem(&group.der), vectors: vectors.collect() });
        }
    }
}

fn ec(groups: &mut Vec<Group>) {
    let curves = [
        ("Secp256r1", Alg::Es256, HashFunction::Sha2_256, 32),
        ("Secp384r1", Alg::Es384, HashFunction::Sha2_384, 48),
        ("Secp521r1", Alg::Es512, HashFunction::Sha2_512, 66),
    ];
    for name in ecdsa::TestName::all() {
        let file = format!("{name:?}");
        let Some((_, alg, hash, length)) = curves.into_iter().find(|(curve, ..)| file.contains(curve)) else {
            continue;
        };
        let set = ecdsa::TestSet::load(name).expect("vectors");
        for group in set.test_groups {
            let raw = file.ends_with("P1363");
            let vectors = group.tests.into_iter().map(|test| {
                let ours = group.hash == hash;
                let bad = Verdict::Bad;
                let (signature, verdict) = match raw {
                    true => (test.sig.to_vec(), verdict(test.result, ours)),
                    // As DER it is no signature for us; as r and s, where it is strict DER, it is.
                    false => match to_raw(&test.sig, length) {
                        Some(raw) => (raw, verdict(test.result, ours)),
                        None => (test.sig.to_vec(), bad),
                    },
                };
                Vector { id: test.tc_id, message: test.msg.to_vec(), signature, verdict }
            });
            groups.push(Group { file: file.clone(), alg, key: pem(&group.der), vectors: vectors.collect() });
        }
    }
}

/// r and s of a strict DER signature, each as long as a coordinate.
fn to_raw(der: &[u8], length: usize) -> Option<Vec<u8>> {
    fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
        let (found, rest) = der.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (size, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81 => rest.split_first().filter(|(size, _)| **size >= 0x80).map(|(s, rest)| (usize::from(*s), rest))?,
            _ => return None,
        };
        (*found == tag && size <= rest.len()).then(|| rest.split_at(size))
    }
    fn number(octets: &[u8], length: usize) -> Option<Vec<u8>> {
        let digits = match octets {
            [0, digits @ ..] if digits.first().is_some_and(|first| *first >= 0x80) => digits,
            [first, ..] if *first < 0x80 => octets,
            _ => return None,
        };
        // Zero is written as one octet, and padded like all.
        (digits.len() <= length).then(|| [vec![0; length - digits.len()], digits.to_vec()].concat())
    }
    let (content, []) = element(der, 0x30)? else { return None };
    let (r, rest) = element(content, 0x02)?;
    let (s, []) = element(rest, 0x02)? else { return None };
    Some([number(r, length)?, number(s, length)?].concat())
}

fn ed(groups: &mut Vec<Group>) {
    for name in eddsa::TestName::all() {
        let file = format!("{name:?}");
        if !file.contains("25519") {
            continue;
        }
        let set = eddsa::TestSet::load(name).expect("vectors");
        for group in set.test_groups {
            let vectors = group.tests.into_iter().map(|test| Vector {
                id: test.tc_id,
                message: test.msg.to_vec(),
                signature: test.sig.to_vec(),
                verdict: verdict(test.result, true),
            });
            groups.push(Group {
                file: file.clone(),
                alg: Alg::EdDsa,
                key: pem(&group.der),
                vectors: vectors.collect(),
            });
        }
    }
}

fn hmac(groups: &mut Vec<Group>) {
    for (name, alg) in [
        (mac::TestName::HmacSha256, Alg::Hs256),
        (mac::TestName::HmacSha384, Alg::Hs384),
        (mac::TestName::HmacSha512, Alg::Hs512),
    ] {
        let file = format!("{name:?}");
        let set = mac::TestSet::load(name).expect("vectors");
        for group in set.test_groups {
            // A code that is cut short is none (RFC 7518 section 3.2).
            let whole = group.tag_size == alg.hash_length() * 8;
            for test in group.tests {
                groups.push(Group {
                    file: file.clone(),
                    alg,
                    key: test.key.to_vec(),
                    vectors: vec![Vector {
                        id: test.tc_id,
                        message: test.msg.to_vec(),
                        signature: test.tag.to_vec(),
                        verdict: verdict(test.result, whole),
                    }],
                });
            }
        }
    }
}
