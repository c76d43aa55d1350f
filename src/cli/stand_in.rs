//! Keys that stand in for those in variables that are not set, so that the rest of a policy can be checked.

use gatekey::json::Json;

use super::policy_file::member;

/// The PEM text for a variable, if an issuer reads its keys from it: a key of the kind that its `algorithms` name first.
pub(super) fn pem(policy: &Json<'_>, variable: &str) -> Option<&'static str> {
    let Json::Object(issuers) = member(policy, "issuers")? else {
        return None;
    };
    let (_, issuer) = issuers.iter().find(|(_, issuer)| {
        member(issuer, "pem").is_some_and(|pem| items(pem).iter().any(|item| names(item, variable)))
    })?;
    let algorithm = member(issuer, "algorithms").and_then(|algorithms| items(algorithms).first()?.as_str());
    Some(match algorithm.unwrap_or("ES256") {
        "ES384" => P384,
        "ES512" => P521,
        "EdDSA" | "Ed25519" => ED25519,
        algorithm if algorithm.starts_with("RS") || algorithm.starts_with("PS") => RSA,
        _ => P256,
    })
}

/// The private key for a variable, if anything is signed with one from it: the example of RFC 8037 appendix A.1, which
/// everybody knows.
pub(super) fn private_key(policy: &Json<'_>, variable: &str) -> Option<&'static str> {
    let found = match policy {
        Json::Object(members) => members.iter().any(|(name, value)| {
            (name == "private_key" && names(value, variable)) || private_key(value, variable).is_some()
        }),
        Json::Array(items) => items.iter().any(|item| private_key(item, variable).is_some()),
        _ => false,
    };
    found.then_some(r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#)
}

/// The elements of a list, or the value that stands for one.
fn items<'j, 'a>(value: &'j Json<'a>) -> &'j [Json<'a>] {
    match value {
        Json::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

fn names(item: &Json<'_>, variable: &str) -> bool {
    member(item, "env").and_then(Json::as_str) == Some(variable)
}

const RSA: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu0s3sPUZPlcfzCjnNZFy\n\
    v6M3kIsBPX9RVb0Twmar6+iABjYbnGTTcBNcnPj3MaLhmYx+eixn8/nukahppAWA\n\
    JAa1w2iC0ydmHgXQzFRn8TfIlBeirG2goXxDwwxQxfZ4r0V8V8Zn7KZQQd8rrs8p\n\
    E7dL8gMfSuugldFqt7JLYo0dRUgY3QFBKcsp3rJlnc9NJ/MyY1w0+yvvMX5X9Kj7\n\
    t0V4XWRZ8/aO13PLz+T8Fm152+EKNJB+/6IE2mSNfRKItURsW6FSL0FAVj0qNob/\n\
    UNfMgM6hbEnUKHQmBkdXZSCYwS84TSXtwh3amSOGhnQy/R7bcvbiARq5/c7m7Ddo\n\
    +QIDAQAB\n\
    -----END PUBLIC KEY-----";
const P256: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/r30aXDtu9B+hNQNgmma6jBtrCoS\n\
    vufNSypEw53Kj5pXOGltiY5uQZmJ1xkxXe+t5ecnHgDcCBcFWO9aCp/Chg==\n\
    -----END PUBLIC KEY-----";
const P384: &str = "-----BEGIN PUBLIC KEY-----\n\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE8fTUb37W0kDLT0JXrz2q+ztQzPMbHIcs\n\
    9lldohlOBnkc4zYs40yuTIKwpsb8Vp+Lbgyi9jRen/qSI46Ue6/t0e8ao132VrXF\n\
    67r71Qwcvn3HOpmodw1orYD6AUSRLu9W\n\
    -----END PUBLIC KEY-----";
const P521: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQB4095zGlxzJY2nMeRXgYxR0N+ceXM\n\
    eTUqViIpgz1IJRkvC3IM/j70DqanTUr11ro+6V9PeS60pmoznoD4ZQoaug8AdhiB\n\
    olk1S/u6EQvQQxI1eBBGuj4XftEVEUBnfY1tWzYaOsJkYUj92P6R40mUjA1PSRiv\n\
    gNC5QhqXuo+ej3KM7PM=\n\
    -----END PUBLIC KEY-----";
const ED25519: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAuu1/NZ/AAuDJUm2DKbgJBoFdU58kl6GZIDNnSzgjOMI=\n\
    -----END PUBLIC KEY-----";
