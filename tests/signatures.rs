//! Every algorithm: a good signature is taken, and with any one octet of it changed, in any way, it is not; and
//! RSA agrees with another library on every signature that it is shown.

mod support;

use gatekey::jose::alg::{Alg, Family, Verifier};
use gatekey::jose::jwk::{self, Material};
use gatekey::jose::keyset::Key;
use gatekey::jose::offload::NoOffload;
use gatekey::json::{Limits, read};
use proptest::prelude::*;
use rsa::pkcs8::DecodePublicKey;
use rsa::signature::Verifier as _;
use rsa::{PublicKey, pkcs1v15, pss};
use sha2::{Sha256, Sha384, Sha512};
use support::{keys, say};

/// The key of tests/keys that goes with an asymmetric algorithm.
fn key_of(alg: Alg) -> &'static str {
    match alg {
        Alg::Es256 => "p256",
        Alg::Es384 => "p384",
        Alg::Es512 => "p521",
        Alg::EdDsa => "ed25519",
        _ => "rsa2048",
    }
}

fn verifier(name: &str, alg: Alg) -> Key {
    let text = keys::jwk(name).to_string();
    let json = read(text.as_bytes(), Limits { depth: 2, members: 9 }).expect("JSON");
    let Ok(jwk::Jwk { material: Material::Public(public), .. }) = jwk::read(&json) else { panic!("{name} is no key") };
    public.bind(None, &[alg]).pop().unwrap_or_else(|| panic!("{name} does not go with {}", alg.name()))
}

fn takes(key: &dyn Verifier, message: &[u8], signature: &[u8]) -> bool {
    key.verify(message, signature, &NoOffload)
}

#[test]
fn every_octet_counts() {
    let message = b"header.payload";
    for alg in Alg::ALL.iter().copied().filter(|alg| alg.is_asymmetric()) {
        let key = verifier(key_of(alg), alg);
        let key = key.verifier.as_ref();
        let good = keys::sign(key_of(alg), alg.name(), message);
        assert!(takes(key, message, &good), "{}", alg.name());
        let mut flips = 0;
        for at in 0..good.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut other = good.clone();
                other[at] ^= change;
                assert!(!takes(key, message, &other), "{}: octet {at} may change", alg.name());
                flips += 1;
            }
        }
        for other in [
            &good[..good.len() - 1],
            &good[1..],
            &[],
            &[good.as_slice(), b"\0"].concat(),
            &[b"\0", good.as_slice()].concat(),
        ] {
            assert!(!takes(key, message, other), "{}: {} octets", alg.name(), other.len());
        }
        assert!(!takes(key, b"header.payloae", &good));
        // The same signature under every other algorithm of the key, and of every other key.
        for other in Alg::ALL.iter().copied().filter(|other| other.is_asymmetric() && *other != alg) {
            assert!(
                !takes(verifier(key_of(other), other).verifier.as_ref(), message, &good),
                "{} as {}",
                alg.name(),
                other.name()
            );
        }
        say(&format!("SIGNATURES {}: {flips} changed octets refused", alg.name()));
    }
}

fn other_library(alg: Alg, message: &[u8], signature: &[u8], key: &PublicKey) -> bool {
    macro_rules! pkcs1 {
        ($hash:ty) => {
            pkcs1v15::Signature::try_from(signature)
                .is_ok_and(|s| pkcs1v15::VerifyingKey::<$hash>::new(key.clone()).verify(message, &s).is_ok())
        };
    }
    macro_rules! pss {
        ($hash:ty) => {
            pss::Signature::try_from(signature)
                .is_ok_and(|s| pss::VerifyingKey::<$hash>::new(key.clone()).verify(message, &s).is_ok())
        };
    }
    match alg {
        Alg::Rs256 => pkcs1!(Sha256),
        Alg::Rs384 => pkcs1!(Sha384),
        Alg::Rs512 => pkcs1!(Sha512),
        Alg::Ps256 => pss!(Sha256),
        Alg::Ps384 => pss!(Sha384),
        _ => pss!(Sha512),
    }
}

/// Signatures, good, changed, of other algorithms, and made up.
fn signature(message: &[u8], alg: Alg, kind: u8, at: usize, octet: u8) -> Vec<u8> {
    let mut signature = match kind {
        0..=5 => keys::sign("rsa2048", alg.name(), message),
        6 => keys::sign("rsa2048", "PS256", message),
        7 => keys::sign("rsa2048_other", alg.name(), message),
        8 => vec![octet; 256],
        _ => keys::sign("rsa3072", alg.name(), message),
    };
    match kind {
        1 => {
            let at = at % signature.len();
            signature[at] = octet;
        }
        2 => signature.truncate(at % 257),
        3 => signature.insert(at % 257, octet),
        _ => {}
    }
    signature
}

#[test]
fn rsa_agrees_with_another_library() {
    let rsa: Vec<Alg> =
        Alg::ALL.iter().copied().filter(|alg| matches!(alg.family(), Family::RsaPkcs1 | Family::RsaPss)).collect();
    let other = PublicKey::from_public_key_pem(&keys::pem("rsa2048")).expect("a key");
    let ours: Vec<Key> = rsa.iter().map(|alg| verifier("rsa2048", *alg)).collect();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(600);
    let counts = std::cell::Cell::new((0, 0));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let strategy = (0..rsa.len(), proptest::collection::vec(any::<u8>(), 0..64), 0_u8..10, any::<usize>(), any::<u8>());
    runner
        .run(&strategy, |(index, message, kind, at, octet)| {
            let signature = signature(&message, rsa[index], kind, at, octet);
            for (alg, key) in rsa.iter().zip(&ours) {
                let taken = takes(key.verifier.as_ref(), &message, &signature);
                prop_assert_eq!(taken, other_library(*alg, &message, &signature, &other), "{}", alg.name());
                let (all, good) = counts.get();
                counts.set((all + 1, good + usize::from(taken)));
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (all, good) = counts.get();
    say(&format!("SIGNATURES RSA: {all} verdicts the same as another library's, {good} of them good"));
    assert!(good > all / 20, "{good} of {all} are good: too few to tell anything");
}
