//! Keys that sign (RFC 7515 section 5.1): HMAC secrets, P-256, Ed25519 and RSA keys. Every signature follows from key
//! and message alone (RFC 6979, RFC 8032, RFC 8017 section 8.2), since the module has no randomness.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::jose::alg::{Alg, Verifier};
use crate::jose::hmac::HmacKey;
use crate::jose::offload::Offload;
use crate::jose::rsa_private::RsaPrivate;
use crate::json::Json;
use crate::redact::Secret;

/// The type of every token that is signed (RFC 9068 section 2.1).
pub const TYPE: &str = "at+jwt";

/// The keys of one issuer of ours. The first signs; the others are only told of, so that what they signed stays good
/// while keys are exchanged.
pub struct Signer(Vec<SigningKey>);

/// One key.
pub struct SigningKey {
    material: Material,
    kid: Option<String>,
}

enum Material {
    Hmac(Box<HmacKey>),
    P256(Box<p256::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    /// The host signs with it.
    Rsa(Box<RsaPrivate>),
}

impl Signer {
    /// Takes keys; `None` if there are none.
    pub fn new(keys: Vec<SigningKey>) -> Option<Self> {
        if keys.is_empty() { None } else { Some(Self(keys)) }
    }

    /// A token with these claims, in compact form (RFC 7515 section 7.1); `None` if the host had to sign and did not.
    pub fn sign(&self, claims: &str, offload: &dyn Offload) -> Option<String> {
        self.0.first()?.token(claims, offload)
    }

    /// The algorithm of the key that signs.
    pub fn alg(&self) -> Option<Alg> {
        self.0.first().map(SigningKey::alg)
    }

    /// All of the keys.
    pub fn keys(&self) -> &[SigningKey] {
        &self.0
    }
}

impl SigningKey {
    /// Takes an HMAC secret; `None` if the algorithm is none of HMAC's.
    pub fn hmac(alg: Alg, secret: &Secret) -> Option<Self> {
        Some(Self { material: Material::Hmac(Box::new(HmacKey::new(alg, secret)?)), kid: None })
    }

    /// Takes the private number of a P-256 key, in 32 octets; `None` if there is no such key.
    pub fn p256(secret: &[u8]) -> Option<Self> {
        // The library would take a shorter one too.
        let secret: &[u8; 32] = secret.try_into().ok()?;
        let key = p256::ecdsa::SigningKey::from_slice(secret).ok()?;
        Some(Self { material: Material::P256(Box::new(key)), kid: None }.named_by_itself())
    }

    /// Takes the seed of an Ed25519 key, in 32 octets.
    pub fn ed25519(seed: &[u8]) -> Option<Self> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed.try_into().ok()?);
        Some(Self { material: Material::Ed25519(Box::new(key)), kid: None }.named_by_itself())
    }

    /// Takes an RSA key, with which the host signs.
    pub fn rsa(key: RsaPrivate) -> Self {
        Self { material: Material::Rsa(Box::new(key)), kid: None }.named_by_itself()
    }

    /// The same key by another id.
    #[must_use]
    pub fn with_kid(mut self, kid: &str) -> Self {
        self.kid = Some(String::from(kid));
        self
    }

    /// The key's id.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithm that the key signs with.
    pub fn alg(&self) -> Alg {
        match &self.material {
            Material::Hmac(key) => key.alg(),
            Material::P256(_) => Alg::Es256,
            Material::Ed25519(_) => Alg::EdDsa,
            Material::Rsa(_) => Alg::Rs256,
        }
    }

    /// Whether it signs there, alone or with the help of the host.
    pub fn signs_with(&self, offload: &dyn Offload) -> bool {
        match &self.material {
            Material::Rsa(key) => key.is_known_to(offload),
            _ => true,
        }
    }

    /// Octets that nobody can tell who does not have the key.
    pub fn mark(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        match &self.material {
            Material::Hmac(key) => hash.update(key.sign(b"mark")),
            Material::P256(key) => hash.update(Zeroizing::new(key.to_bytes())),
            Material::Ed25519(key) => hash.update(key.as_bytes()),
            Material::Rsa(key) => hash.update(key.pkcs8()),
        }
        hash.finalize().into()
    }

    /// The public half as a JWK (RFC 7517 section 4); `None` for a secret, which has none.
    pub fn jwk(&self) -> Option<Json<'static>> {
        let mut members = self.required()?;
        let more = [("alg", self.alg().name()), ("use", "sig")];
        members.extend(more.map(|(name, value)| (name, String::from(value))));
        members.extend(self.kid.clone().map(|kid| ("kid", kid)));
        Some(object(members))
    }

    /// The members that make the key, in the order that its thumbprint takes them (RFC 7638 section 3.2).
    fn required(&self) -> Option<Vec<(&'static str, String)>> {
        let coded = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        match &self.material {
            Material::Hmac(_) => None,
            Material::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let (x, y) = (coded(point.x()?.as_slice()), coded(point.y()?.as_slice()));
                Some(vec![("crv", "P-256".into()), ("kty", "EC".into()), ("x", x), ("y", y)])
            }
            Material::Ed25519(key) => {
                let x = coded(key.verifying_key().as_bytes());
                Some(vec![("crv", "Ed25519".into()), ("kty", "OKP".into()), ("x", x)])
            }
            Material::Rsa(key) => Some(vec![("e", coded(key.e())), ("kty", "RSA".into()), ("n", coded(key.n()))]),
        }
    }

    /// Takes the thumbprint for an id (RFC 7638): the same key has the same one everywhere.
    fn named_by_itself(mut self) -> Self {
        let print = self.required().map(|members| Sha256::digest(object(members).to_string().as_bytes()));
        self.kid = print.map(|print| URL_SAFE_NO_PAD.encode(print));
        self
    }

    fn token(&self, claims: &str, offload: &dyn Offload) -> Option<String> {
        let mut header = vec![("alg", String::from(self.alg().name())), ("typ", String::from(TYPE))];
        header.extend(self.kid.clone().map(|kid| ("kid", kid)));
        let mut token = URL_SAFE_NO_PAD.encode(object(header).to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.signature(token.as_bytes(), offload)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(token)
    }

    /// The signature of a message, as a JWS has it; `None` if the host had to sign and did not.
    pub fn signature(&self, message: &[u8], offload: &dyn Offload) -> Option<Vec<u8>> {
        Some(match &self.material {
            Material::Hmac(key) => key.sign(message),
            Material::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Material::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Material::Rsa(key) => return offload.sign(key, message),
        })
    }
}

fn object(members: Vec<(&'static str, String)>) -> Json<'static> {
    let member = |(name, value)| (Cow::Borrowed(name), Json::Str(Cow::Owned(value)));
    Json::Object(members.into_iter().map(member).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::offload::NoOffload;

    /// RFC 8037 appendix A: its key, its thumbprint.
    #[test]
    fn names_keys_by_their_thumbprints() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::ed25519(&seed).unwrap();
        assert_eq!(key.kid(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
        assert!(key.jwk().unwrap().to_string().contains("\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""));
        assert_eq!(key.with_kid("a").kid(), Some("a"));
    }

    /// RFC 6979 appendix A.2.5: its key, its signature of `sample`.
    #[test]
    fn signs_without_randomness() {
        let hex = |text: &str| (0..64).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect();
        let secret: Vec<u8> = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let key = SigningKey::p256(&secret).unwrap();
        let r: Vec<u8> = hex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716");
        let signature = key.signature(b"sample", &NoOffload).unwrap();
        // s or its negative: both are right, and only one is low.
        assert_eq!((&signature[..32], signature.len()), (r.as_slice(), 64));
        assert!(SigningKey::p256(&[0; 32]).is_none() && SigningKey::p256(&[1; 31]).is_none());
    }
}
