//! What hosts do beside requests: data that VMs share, calls to other servers, ticks, and streams that wait.

use gatekey::peer::Known;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use p256::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::{PrivateKey, PublicKey};
use sha2::{Sha256, Sha384, Sha512};
use wasmtime::{Caller, Linker, Result};

use super::calls::{Out, enter, finish};
use super::memory::{decode, read, write_u32};
use super::state::{Answer, BAD_ARGUMENT, Host, INTERNAL, NOT_FOUND, OK, Pairs, Phase, Reply, UNIMPLEMENTED};

/// A value was replaced meanwhile.
const CAS_MISMATCH: u32 = 8;

/// Values and their marks, by name.
pub type Values = BTreeMap<Vec<u8>, (Vec<u8>, u32)>;

/// Data that the VMs of one process share.
#[derive(Clone, Default)]
pub struct Shared(pub Rc<RefCell<Values>>);

/// A call that the module made.
#[derive(Clone, Debug)]
pub struct HttpCall {
    /// Its number.
    pub token: u32,
    /// Where to.
    pub cluster: String,
    /// The head of the request.
    pub headers: Pairs,
    /// Its body.
    pub body: Vec<u8>,
    /// In milliseconds.
    pub timeout: u32,
    /// The context that it belongs to.
    pub context: u32,
}

impl HttpCall {
    /// A header of the request.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(n, _)| n == name.as_bytes())?;
        Some(String::from_utf8_lossy(&found.1).into_owned())
    }
}

/// A stream that is not the one at hand.
#[derive(Clone, Default)]
pub struct Parked {
    /// See [`Host`].
    pub headers: Pairs,
    pub target: Vec<u8>,
    pub args: Option<Vec<u8>>,
    pub peer: Known,
    pub policy: Option<String>,
    pub states: BTreeMap<String, Vec<u8>>,
    pub reply: Option<Reply>,
    pub resumed: bool,
}

/// What a host does beside requests.
#[derive(Default)]
pub struct Background {
    /// The context whose callback runs.
    pub current: u32,
    /// The stream whose state is at hand, or the root that runs.
    pub active: u32,
    /// Every other stream.
    pub parked: BTreeMap<u32, Parked>,
    /// Whether the stream at hand was resumed.
    pub resumed: bool,
    /// Contexts that live.
    pub contexts: Vec<u32>,
    /// What VMs share.
    pub shared: Shared,
    /// The clusters that there are.
    pub clusters: Vec<String>,
    /// Calls that were not answered yet.
    pub calls: Vec<HttpCall>,
    /// All calls made.
    pub made: u32,
    /// The answer that is handed over.
    pub response: Option<(Pairs, Vec<u8>)>,
    /// Tick periods in milliseconds, by root.
    pub ticks: BTreeMap<u32, u32>,
    /// Gauges.
    pub gauges: BTreeMap<u32, u64>,
    /// How `verify_signature` answers.
    pub verifier: Verification,
    /// How `sign` answers.
    pub signer: Signing,
}

/// How `verify_signature` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// As it should.
    #[default]
    Right,
    /// There is no such function.
    Absent,
    /// Every signature is good.
    AlwaysGood,
    /// Every signature is bad.
    AlwaysBad,
}

/// How `sign` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// As it should.
    #[default]
    Right,
    /// There is no such function.
    Absent,
    /// It says that it cannot.
    Failing,
    /// With a signature that one octet is wrong in.
    Faulty,
    /// With half of an answer.
    Cut,
}

impl Host {
    /// Makes another context's state the one at hand.
    pub fn switch(&mut self, to: u32) {
        let old = self.background.active;
        if old == to {
            return;
        }
        let parked = Parked {
            headers: std::mem::take(&mut self.headers),
            target: std::mem::take(&mut self.target),
            args: self.args.take(),
            peer: std::mem::take(&mut self.peer),
            policy: self.policy.take(),
            states: std::mem::take(&mut self.states),
            reply: self.reply.take(),
            resumed: std::mem::take(&mut self.background.resumed),
        };
        self.background.parked.insert(old, parked);
        let Parked { headers, target, args, peer, policy, states, reply, resumed } =
            self.background.parked.remove(&to).unwrap_or_default();
        (self.headers, self.target, self.args, self.states) = (headers, target, args, states);
        (self.peer, self.policy) = (peer, policy);
        (self.reply, self.background.resumed, self.background.active) = (reply, resumed, to);
    }
}

/// Links the calls of this file.
pub fn link(linker: &mut Linker<Host>) -> Result<()> {
    link_streams(linker)?;
    link_shared(linker)?;
    link_http(linker)?;
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |mut c: Caller<'_, Host>, at: u32, len: u32, input: u32, input_len: u32, data: u32, size: u32| -> Result<u32> {
            let (name, out) = ("proxy_call_foreign_function", Some(Out(data, size)));
            if let Some(status) = enter(&mut c, name, out)? {
                return Ok(status);
            }
            let function = read(&mut c, at, len)?;
            let input = read(&mut c, input, input_len)?;
            let host = c.data();
            let signer = host.background.signer;
            let answer = match (host.abilities.full_life(), function.as_slice(), host.background.verifier) {
                (true, b"sign", _) if signer != Signing::Absent => sign(&input, signer),
                (false, ..) => Answer::Status(UNIMPLEMENTED),
                (true, b"verify_signature", Verification::Right) => verify_signature(&input),
                (true, b"verify_signature", Verification::AlwaysGood) => Answer::Bytes(vec![0x08, 0x01]),
                (true, b"verify_signature", Verification::AlwaysBad) => {
                    failed("Failed to verify digest. Error code: 0")
                }
                _ => Answer::Status(NOT_FOUND),
            };
            finish(&mut c, name, answer, out)
        },
    )?;
    Ok(())
}

fn link_streams(linker: &mut Linker<Host>) -> Result<()> {
    const E: &str = "env";
    linker.func_wrap(
        E,
        "proxy_set_tick_period_milliseconds",
        |mut c: Caller<'_, Host>, period: u32| -> Result<u32> {
            if let Some(status) = enter(&mut c, "proxy_set_tick_period_milliseconds", None)? {
                return Ok(status);
            }
            let host = c.data_mut();
            if !host.abilities.full_life() {
                return Ok(UNIMPLEMENTED);
            }
            host.background.ticks.insert(host.background.active, period);
            Ok(OK)
        },
    )?;
    linker.func_wrap(E, "proxy_set_effective_context", |mut c: Caller<'_, Host>, id: u32| -> Result<u32> {
        if let Some(status) = enter(&mut c, "proxy_set_effective_context", None)? {
            return Ok(status);
        }
        let host = c.data_mut();
        if !host.abilities.full_life() {
            return Ok(UNIMPLEMENTED);
        }
        if !host.background.contexts.contains(&id) {
            return Ok(BAD_ARGUMENT);
        }
        host.switch(id);
        Ok(OK)
    })?;
    linker.func_wrap(E, "proxy_continue_stream", |mut c: Caller<'_, Host>, kind: u32| -> Result<u32> {
        if let Some(status) = enter(&mut c, "proxy_continue_stream", None)? {
            return Ok(status);
        }
        if kind != 0 {
            return Ok(BAD_ARGUMENT);
        }
        c.data_mut().background.resumed = true;
        Ok(OK)
    })?;
    linker.func_wrap(E, "proxy_record_metric", |mut c: Caller<'_, Host>, id: u32, value: u64| -> Result<u32> {
        if let Some(status) = enter(&mut c, "proxy_record_metric", None)? {
            return Ok(status);
        }
        c.data_mut().background.gauges.insert(id, value);
        Ok(OK)
    })?;
    Ok(())
}

fn link_shared(linker: &mut Linker<Host>) -> Result<()> {
    const E: &str = "env";
    linker.func_wrap(
        E,
        "proxy_get_shared_data",
        |mut c: Caller<'_, Host>, at: u32, len: u32, data: u32, size: u32, mark: u32| -> Result<u32> {
            let (name, out) = ("proxy_get_shared_data", Some(Out(data, size)));
            if let Some(status) = enter(&mut c, name, out)? {
                return Ok(status);
            }
            let key = read(&mut c, at, len)?;
            if !c.data().abilities.full_life() {
                return Ok(UNIMPLEMENTED);
            }
            let found = c.data().background.shared.0.borrow().get(&key).cloned();
            match found {
                Some((value, cas)) => {
                    write_u32(&mut c, mark, cas)?;
                    finish(&mut c, name, Answer::Bytes(value), out)
                }
                None => Ok(NOT_FOUND),
            }
        },
    )?;
    linker.func_wrap(
        E,
        "proxy_set_shared_data",
        |mut c: Caller<'_, Host>, at: u32, len: u32, value: u32, value_len: u32, mark: u32| -> Result<u32> {
            if let Some(status) = enter(&mut c, "proxy_set_shared_data", None)? {
                return Ok(status);
            }
            let key = read(&mut c, at, len)?;
            let value = read(&mut c, value, value_len)?;
            if !c.data().abilities.full_life() {
                return Ok(UNIMPLEMENTED);
            }
            let mut shared = c.data().background.shared.0.borrow_mut();
            // A value that is not there is stored whatever the mark.
            let next = match shared.get(&key) {
                Some((_, current)) if mark != 0 && mark != *current => return Ok(CAS_MISMATCH),
                Some((_, current)) => current + 1,
                None => 1,
            };
            shared.insert(key, (value, next));
            Ok(OK)
        },
    )?;
    Ok(())
}

fn link_http(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut c: Caller<'_, Host>,
         cluster: u32,
         cluster_len: u32,
         headers: u32,
         headers_len: u32,
         body: u32,
         body_len: u32,
         trailers: u32,
         trailers_len: u32,
         timeout: u32,
         token_at: u32|
         -> Result<u32> {
            if let Some(status) = enter(&mut c, "proxy_http_call", None)? {
                return Ok(status);
            }
            let cluster = String::from_utf8(read(&mut c, cluster, cluster_len)?)?;
            let headers = decode(&read(&mut c, headers, headers_len)?)?;
            let body = read(&mut c, body, body_len)?;
            let trailers = decode(&read(&mut c, trailers, trailers_len)?)?;
            let host = c.data_mut();
            let full = host.abilities.full_life();
            let has = |name: &str| headers.iter().any(|(n, _)| n == name.as_bytes());
            let whole = [":method", ":scheme", ":path", ":authority"].into_iter().all(has);
            if !whole || !trailers.is_empty() {
                host.wrongs.push(format!("a call without a whole head: {headers:?}"));
            }
            if full && !host.background.clusters.contains(&cluster) {
                return Ok(BAD_ARGUMENT);
            }
            if !full {
                if host.phase != Phase::Request {
                    return Ok(BAD_ARGUMENT);
                }
                let active = host.background.active;
                if host.background.calls.iter().any(|call| call.context == active) {
                    return Ok(INTERNAL);
                }
                if host.reply.is_some() {
                    host.wrongs
                        .push("a call after a response: APISIX drops the response and lets the request pass".into());
                }
            }
            host.background.made += 1;
            let (token, context) = (host.background.made, host.background.active);
            host.background.calls.push(HttpCall { token, cluster, headers, body, timeout, context });
            write_u32(&mut c, token_at, token)?;
            Ok(OK)
        },
    )?;
    Ok(())
}

fn failed(why: &str) -> Answer {
    let length = u8::try_from(why.len()).expect("short");
    Answer::Bytes([&[0x12, length], why.as_bytes()].concat())
}

/// Envoy's function, by libraries that the module does not use for it.
fn verify_signature(input: &[u8]) -> Answer {
    let fields = protobuf(input);
    let field = |number: u8| fields.iter().find(|(n, _)| *n == number).map(|(_, octets)| octets.as_slice());
    let (Some(hash), Some(key), Some(signature)) = (field(1), field(2), field(3)) else {
        return Answer::Status(BAD_ARGUMENT);
    };
    let text = field(4).unwrap_or_default();
    let good = if let Ok(key) = PublicKey::from_public_key_der(key) {
        let Ok(signature) = Signature::try_from(signature) else {
            return failed("Failed to verify digest. Error code: 0");
        };
        match hash {
            b"sha256" => VerifyingKey::<Sha256>::new(key).verify(text, &signature).is_ok(),
            b"sha384" => VerifyingKey::<Sha384>::new(key).verify(text, &signature).is_ok(),
            b"sha512" => VerifyingKey::<Sha512>::new(key).verify(text, &signature).is_ok(),
            _ => return failed("that hash is not supported."),
        }
    } else {
        macro_rules! ecdsa {
            ($curve:ident) => {
                $curve::ecdsa::VerifyingKey::from_public_key_der(key).ok().map(|key| {
                    $curve::ecdsa::DerSignature::try_from(signature).is_ok_and(|s| key.verify(text, &s).is_ok())
                })
            };
        }
        let Some(good) = ecdsa!(p256).or_else(|| ecdsa!(p384)).or_else(|| ecdsa!(p521)) else {
            return failed("Failed to initialize digest verify.");
        };
        good
    };
    if good { Answer::Bytes(vec![0x08, 0x01]) } else { failed("Failed to verify digest. Error code: 0") }
}

/// Envoy's function for RSA keys.
fn sign(input: &[u8], how: Signing) -> Answer {
    let fields = protobuf(input);
    let field = |number: u8| fields.iter().find(|(n, _)| *n == number).map(|(_, octets)| octets.as_slice());
    let (Some(b"sha256"), Some(key), Some(text)) = (field(1), field(2), field(3)) else {
        return Answer::Status(BAD_ARGUMENT);
    };
    let Some(key) = PrivateKey::from_pkcs8_der(key).ok().filter(|_| how != Signing::Failing) else {
        return failed("Failed to parse private key.");
    };
    let mut signature = SigningKey::<Sha256>::new(key).sign(text).to_vec();
    if how == Signing::Faulty {
        signature[100] ^= 1;
    }
    let length = signature.len();
    let mut answer = vec![0x08, 0x01, 0x12];
    answer.extend([u8::try_from(length & 0x7f).expect("seven bits") | 0x80, u8::try_from(length >> 7).expect("short")]);
    answer.append(&mut signature);
    if how == Signing::Cut {
        answer.truncate(100);
    }
    Answer::Bytes(answer)
}

/// The fields of a message that hold octets.
fn protobuf(mut input: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut fields = Vec::new();
    while let Some((key, rest)) = input.split_first() {
        let (mut length, mut shift, mut rest) = (0_usize, 0, rest);
        while let Some((octet, after)) = rest.split_first() {
            length |= usize::from(octet & 0x7f) << shift;
            shift += 7;
            rest = after;
            if octet & 0x80 == 0 {
                break;
            }
        }
        let (octets, after) = rest.split_at(length.min(rest.len()));
        fields.push((key >> 3, octets.to_vec()));
        input = after;
    }
    fields
}
