//! The algorithms that tokens are signed with, and their keys: those of the tests.

use std::convert::Infallible;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit, Mac};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::DecodePrivateKey;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::signature::{RandomizedSigner, SignatureEncoding, Signer as _};
use rsa::traits::PublicKeyParts;
use rsa::{PrivateKey, pkcs1v15, pss};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// An algorithm that is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Alg {
    Hs256,
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

const SECRET: &[u8] = b"an HS256 secret of 48 octets, used by the bench.";
const RSA: &str = include_str!("../../tests/keys/rsa2048.pem");
const P256: &str = include_str!("../../tests/keys/p256.pem");
const ED25519: &str = include_str!("../../tests/keys/ed25519.pem");

impl Alg {
    pub const ALL: [Alg; 5] = [Alg::Hs256, Alg::Rs256, Alg::Ps256, Alg::Es256, Alg::EdDsa];

    /// The name in tokens.
    pub const fn name(self) -> &'static str {
        match self {
            Alg::Hs256 => "HS256",
            Alg::Rs256 => "RS256",
            Alg::Ps256 => "PS256",
            Alg::Es256 => "ES256",
            Alg::EdDsa => "EdDSA",
        }
    }

    /// The key as a JWK, with what verifies.
    pub fn jwk(self, kid: &str) -> Value {
        let text = |octets: &[u8]| BASE64URL.encode(octets);
        let mut jwk = match self {
            Alg::Hs256 => json!({ "kty": "oct", "k": text(SECRET) }),
            Alg::Rs256 | Alg::Ps256 => {
                let key = PrivateKey::from_pkcs8_pem(RSA).expect("a key");
                let (n, e) = (key.n().to_be_bytes_trimmed_vartime(), key.e().to_be_bytes_trimmed_vartime());
                json!({ "kty": "RSA", "n": text(&n), "e": text(&e) })
            }
            Alg::Es256 => {
                let key = p256::SecretKey::from_pkcs8_pem(P256).expect("a key").public_key();
                let point = key.to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) })
            }
            Alg::EdDsa => {
                let key = ed25519_dalek::SigningKey::from_pkcs8_pem(ED25519).expect("a key");
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(key.verifying_key().as_bytes()) })
            }
        };
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(self.name());
        jwk
    }

    /// What signs.
    pub fn signer(self) -> Box<dyn Fn(&[u8]) -> Vec<u8> + Send> {
        match self {
            Alg::Hs256 => {
                let state: Hmac<Sha256> = KeyInit::new_from_slice(SECRET).expect("HMAC takes every key");
                Box::new(move |text| state.clone().chain_update(text).finalize().into_bytes().to_vec())
            }
            Alg::Rs256 => {
                let key = pkcs1v15::SigningKey::<Sha256>::new(PrivateKey::from_pkcs8_pem(RSA).expect("a key"));
                Box::new(move |text| key.sign(text).to_vec())
            }
            Alg::Ps256 => {
                let key = pss::SigningKey::<Sha256>::new(PrivateKey::from_pkcs8_pem(RSA).expect("a key"));
                Box::new(move |text| key.sign_with_rng(&mut Noise(text.to_vec()), text).to_vec())
            }
            Alg::Es256 => {
                let key: p256::ecdsa::SigningKey = p256::SecretKey::from_pkcs8_pem(P256).expect("a key").into();
                Box::new(move |text| {
                    let signature: p256::ecdsa::Signature = key.sign(text);
                    signature.to_vec()
                })
            }
            Alg::EdDsa => {
                let key = ed25519_dalek::SigningKey::from_pkcs8_pem(ED25519).expect("a key");
                Box::new(move |text| key.sign(text).to_bytes().to_vec())
            }
        }
    }
}

/// Salts that follow from the text: nothing here is secret.
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
