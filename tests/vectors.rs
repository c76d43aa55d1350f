//! Tokens that others made: those of three libraries (`interop/vectors`), and the example of RFC 7515.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatekey::explain::{Explanation, explain};
use gatekey::head::Head;
use gatekey::jose::alg::{Alg, Verifier};
use gatekey::jose::compact::Compact;
use gatekey::jose::hmac::HmacKey;
use gatekey::jose::offload::NoOffload;
use gatekey::policy::Policy;
use gatekey::redact::Secret;
use gatekey::time::Time;
use serde_json::{Value, json};

fn interop(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop").join(name)
}

fn load(policy: &[u8]) -> Policy {
    let loaded = gatekey::config::load(policy, &|_| None);
    loaded.map(|loaded| loaded.policy).map_err(|errors| format!("{errors:?}")).expect("a policy")
}

fn show(policy: &Policy, token: &str) -> Explanation {
    let authorization = format!("Bearer {token}");
    let pairs: [(&[u8], &[u8]); 3] =
        [(b":method", b"GET"), (b":path", b"/"), (b"authorization", authorization.as_bytes())];
    let now = Time::parse("2026-06-01T00:00:00Z").expect("a time");
    explain(policy, &Head { pairs: &pairs, complete: true }, now)
}

#[test]
fn tokens_of_other_libraries() {
    let policy = load(&fs::read(interop("policy.json")).expect("the policy"));
    let mut files: Vec<PathBuf> =
        fs::read_dir(interop("vectors")).expect("vectors").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let vectors: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
        let tokens = vectors["tokens"].as_array().expect("a list");
        assert!(tokens.len() >= 15, "{} has {} tokens", file.display(), tokens.len());
        for vector in tokens {
            let explanation = show(&policy, vector["token"].as_str().expect("a token"));
            let said = json!({"decision": explanation.decision, "reason": explanation.reason});
            if said["decision"] != vector["decision"] || said["reason"] != vector["reason"] {
                wrong.push(format!("{}, {}: {said}, not {}", vectors["library"], vector["name"], vector["reason"]));
            }
            let nobody = explanation.identity.get("name").is_none();
            assert_eq!(nobody, explanation.decision == "deny", "{vector}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// RFC 7515 appendix A.1: HS256 with a 64-octet key. The token expired in 2011.
#[test]
fn example_of_rfc_7515() {
    const KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const HEADER: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
    const PAYLOAD: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let octets = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let key = HmacKey::new(Alg::Hs256, &Secret::new(octets(KEY))).expect("a key");

    let token = format!("{HEADER}.{PAYLOAD}.{SIGNATURE}");
    let parts = Compact::split(token.as_bytes()).expect("three parts");
    assert!(key.verify(parts.signed, &octets(SIGNATURE), &NoOffload));

    let policy = json!({"issuers": {"joe": {"issuer": "joe", "jwks": {"keys": [{"kty": "oct", "k": KEY}]}}}});
    let policy = load(policy.to_string().as_bytes());
    assert_eq!(show(&policy, &token).reason, Some("token_expired"));

    // The same token with another `exp`, white space and all, is good.
    let claims = String::from_utf8(octets(PAYLOAD)).expect("text").replace("1300819380", "4102444800");
    let signed = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    let explanation = show(&policy, &format!("{signed}.{signature}"));
    assert_eq!((explanation.decision, explanation.reason), ("allow", None));
    assert!(explanation.identity.get("claims").and_then(|claims| claims.get("http://example.com/is_root")).is_some());

    // And with the signature of the expired one it is forged.
    assert_eq!(show(&policy, &format!("{signed}.{SIGNATURE}")).reason, Some("signature_invalid"));
}
