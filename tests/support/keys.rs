//! The private keys of tests/keys: what signs test tokens, and the public sides as policies write them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::{RandomizedSigner, Signer};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::signature::SignatureEncoding;
use rsa::traits::PublicKeyParts;
use rsa::{PrivateKey, pkcs1v15, pss};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// A private key.
#[derive(Clone)]
pub enum Private {
    Rsa(Box<PrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

/// The text of a file of tests/keys.
pub fn text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The key in `NAME.pem`; read once, since RSA keys take long to check.
pub fn private(name: &str) -> Private {
    static READ: OnceLock<Mutex<BTreeMap<String, Private>>> = OnceLock::new();
    let mut read = READ.get_or_init(Mutex::default).lock().unwrap_or_else(|error| panic!("{error}"));
    read.entry(name.to_owned()).or_insert_with(|| parse(name)).clone()
}

fn parse(name: &str) -> Private {
    let pem = text(&format!("{name}.pem"));
    if let Ok(key) = PrivateKey::from_pkcs8_pem(&pem) {
        return Private::Rsa(Box::new(key));
    }
    if let Ok(key) = p256::SecretKey::from_pkcs8_pem(&pem) {
        return Private::P256(key.into());
    }
    if let Ok(key) = p384::SecretKey::from_pkcs8_pem(&pem) {
        return Private::P384(key.into());
    }
    if let Ok(key) = p521::SecretKey::from_pkcs8_pem(&pem) {
        return Private::P521(key.into());
    }
    let key = ed25519_dalek::SigningKey::from_pkcs8_pem(&pem);
    Private::Ed25519(key.unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// Signs as an algorithm asks; the key need not be one that fits: an ECDSA or Ed25519 key signs in its own way.
pub fn sign(name: &str, alg: &str, message: &[u8]) -> Vec<u8> {
    match private(name) {
        Private::Rsa(key) => sign_rsa(*key, alg, message),
        Private::P256(key) => Signer::<p256::ecdsa::Signature>::sign(&key, message).to_vec(),
        Private::P384(key) => Signer::<p384::ecdsa::Signature>::sign(&key, message).to_vec(),
        Private::P521(key) => Signer::<p521::ecdsa::Signature>::sign(&key, message).to_vec(),
        Private::Ed25519(key) => Signer::<ed25519_dalek::Signature>::sign(&key, message).to_bytes().to_vec(),
    }
}

fn sign_rsa(key: PrivateKey, alg: &str, message: &[u8]) -> Vec<u8> {
    let mut noise = Noise(message.to_vec());
    match alg {
        "RS384" => pkcs1v15::SigningKey::<Sha384>::new(key).sign(message).to_vec(),
        "RS512" => pkcs1v15::SigningKey::<Sha512>::new(key).sign(message).to_vec(),
        "PS256" => pss::SigningKey::<Sha256>::new(key).sign_with_rng(&mut noise, message).to_vec(),
        "PS384" => pss::SigningKey::<Sha384>::new(key).sign_with_rng(&mut noise, message).to_vec(),
        "PS512" => pss::SigningKey::<Sha512>::new(key).sign_with_rng(&mut noise, message).to_vec(),
        _ => pkcs1v15::SigningKey::<Sha256>::new(key).sign(message).to_vec(),
    }
}

/// Every algorithm with a public key, and a key for it.
pub const ASYMMETRIC: [(&str, &str); 10] = [
    ("RS256", "rsa2048"),
    ("RS384", "rsa2048"),
    ("RS512", "rsa2048"),
    ("PS256", "rsa2048"),
    ("PS384", "rsa2048"),
    ("PS512", "rsa2048"),
    ("ES256", "p256"),
    ("ES384", "p384"),
    ("ES512", "p521"),
    ("EdDSA", "ed25519"),
];

/// The public side as a JWK, without any member that could be left out.
pub fn jwk(name: &str) -> Value {
    let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let ec = |crv: &str, point: &[u8]| {
        let (x, y) = point[1..].split_at((point.len() - 1) / 2);
        json!({ "kty": "EC", "crv": crv, "x": text(x), "y": text(y) })
    };
    match private(name) {
        Private::Rsa(key) => {
            let (n, e) = (key.n().to_be_bytes_trimmed_vartime(), key.e().to_be_bytes_trimmed_vartime());
            json!({ "kty": "RSA", "n": text(&n), "e": text(&e) })
        }
        Private::P256(key) => ec("P-256", key.verifying_key().to_sec1_point(false).as_bytes()),
        Private::P384(key) => ec("P-384", key.verifying_key().to_sec1_point(false).as_bytes()),
        Private::P521(key) => ec("P-521", key.verifying_key().to_sec1_point(false).as_bytes()),
        Private::Ed25519(key) => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(key.verifying_key().as_bytes()) }),
    }
}

/// The public side as PEM text.
pub fn pem(name: &str) -> String {
    match private(name) {
        Private::Rsa(key) => key.to_public_key().to_public_key_pem(LineEnding::LF),
        Private::P256(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
        Private::P384(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
        Private::P521(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
        Private::Ed25519(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
    }
    .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Salts that are the same every time: test tokens need no secrecy.
struct Noise(Vec<u8>);

impl TryRng for Noise {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut octets = [0; 4];
        self.try_fill_bytes(&mut octets).map(|()| u32::from_le_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut octets = [0; 8];
        self.try_fill_bytes(&mut octets).map(|()| u64::from_le_bytes(octets))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        for chunk in octets.chunks_mut(32) {
            self.0 = Sha256::digest(&self.0).to_vec();
            chunk.copy_from_slice(&self.0[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Noise {}

/// The certificates of tests/keys.
const CERTIFICATES: [&str; 2] = ["p256.crt", "rsa2048.crt"];

/// The SHA-256 digest of a certificate of tests/keys.
pub fn certificate(name: &str) -> [u8; 32] {
    gatekey::jose::pem::certificate_digest(text(name).as_bytes()).expect("a certificate")
}

/// All of them, in PEM.
pub fn certificates() -> String {
    CERTIFICATES.into_iter().map(text).collect()
}

/// The certificate of tests/keys with this digest, in PEM.
pub fn certificate_text(digest: [u8; 32]) -> Option<String> {
    CERTIFICATES.into_iter().find(|name| certificate(name) == digest).map(text)
}
