//! Keys: whatever a document or a PEM text holds, what is taken of it is public, of algorithms that were asked for,
//! and not more than a set may have.

use gatekey::jose::alg::{Alg, Family};
use gatekey::jose::document::{self, MAX_KEYS};
use gatekey::jose::keyset::MAX_CANDIDATES;
use gatekey::jose::offload::NoOffload;
use gatekey::jose::{jwk, pem};
use gatekey::json::{Limits, read};
use serde_json::Value;

/// Takes a key set, a key, or PEM text.
pub fn check(data: &[u8]) {
    for named in [None, Some(&[Alg::Es256][..]), Some(&[Alg::Ps384, Alg::Rs256, Alg::EdDsa][..])] {
        if let Ok(keys) = document::read(data, named) {
            let listed: Value = serde_json::from_slice(data).expect("another reader takes it too");
            let listed = listed["keys"].as_array().expect("keys are a list").len();
            assert!((1..=MAX_KEYS).contains(&listed), "{listed} keys");
            for alg in Alg::ALL.iter().copied() {
                let found: Vec<_> = keys.candidates(None, alg).collect();
                assert!(found.len() <= MAX_CANDIDATES, "{} candidates", found.len());
                assert!(found.is_empty() || alg.is_asymmetric(), "a secret is taken from a document");
                assert!(found.is_empty() || named.is_none_or(|named| named.contains(&alg)), "{}", alg.name());
                for key in found {
                    // No key takes what nobody signed.
                    for signature in
                        [&b""[..], &[0; 64], &[0; 96], &[0; 132], &[0; 256], data.get(..256).unwrap_or(data)]
                    {
                        assert!(!key.verify(b"message", signature, &NoOffload), "{} takes anything", alg.name());
                    }
                }
            }
        }
    }
    if let Ok(json) = read(data, Limits { depth: 8, members: 1_000 })
        && let Ok(jwk) = jwk::read(&json)
    {
        let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
        let is_secret = matches!(jwk.material, jwk::Material::Secret(_));
        assert!(is_secret || private.into_iter().all(|name| json.get(name).is_none()), "a private key is taken");
        assert!(jwk.kid.is_none_or(|kid| kid.len() <= jwk::MAX_KID));
        if let jwk::Material::Public(public) = jwk.material {
            let algorithms = public.algorithms(jwk.alg, None);
            let families: std::collections::BTreeSet<_> =
                algorithms.iter().map(|alg| format!("{:?}", alg.family())).collect();
            assert!(families.len() <= 1 && algorithms.iter().all(|alg| alg.family() != Family::Hmac), "{algorithms:?}");
        }
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(keys) = pem::read(text)
    {
        assert!(!keys.is_empty() && keys.len() <= text.matches("-----BEGIN ").count());
        assert!(
            !text.contains("PRIVATE KEY-----\n")
                || text.matches("-----BEGIN ").count() > keys.len()
                || !text.contains("-----BEGIN PRIVATE")
        );
    }
}
