//! `gatekey mint`: makes test tokens.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatekey::config;
use gatekey::issue::private;
use gatekey::issue::signer::SigningKey;
use gatekey::jose::alg::Alg;
use gatekey::jose::compact;
use gatekey::jose::offload::NoOffload;
use gatekey::json::{self, Json, Limits};
use gatekey::redact::Secret;
use gatekey::time::{Time, parse_duration};

use super::args::Args;
use super::explain::now;
use super::policy_file::{Env, compile, member, read, read_text, text};
use super::{Failure, Outcome};

pub(super) const HELP: &str = "\
usage: gatekey mint --alg HS256 (--secret TEXT | --secret-env NAME | --secret-base64url B64) [OPTIONS]
       gatekey mint --private-key FILE [OPTIONS]
       gatekey mint FILE [--name ISSUER] [OPTIONS]

Prints a token for tests, signed with HS256, HS384 or HS512, or with a private key of P-256 (ES256) or Ed25519 (EdDSA) in
PEM or as a JWK. From a policy FILE it takes the secret, algorithm, iss,
aud and typ of an issuer; options come before what the policy says, and before --claims.

  --claims JSON          claims, as an object
  --issuer X, --subject X, --audience X (repeatable)
                         iss, sub, aud
  --expires-in 1h        exp from now: 30s, 10m, 24h, 7d, -1h for one that has expired, or none;
                         1h by default, unless the claims have exp
  --not-before TIME      nbf, an RFC 3339 time
  --kid K, --type T      members of the header; the type is JWT by default
  --now TIME             make the token as at this RFC 3339 time
  --weak                 allow a secret shorter than the hash (RFC 7518 section 3.2)
  --env NAME=VALUE       a variable that a policy's secret may be in; those of this process count too
";

/// What signs.
enum Key {
    Secret(Alg, Secret),
    Private(Box<SigningKey>),
}

type Members = Vec<(std::borrow::Cow<'static, str>, Json<'static>)>;

/// What signs a token and what it says by default.
struct Source {
    key: Key,
    kid: Option<String>,
    typ: Option<String>,
    claims: Members,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Outcome {
    let now = now(args)?;
    let source = match args.rest(1)?.first() {
        Some(file) => from_policy(file, args)?,
        None => from_options(args)?,
    };
    let key = match source.key {
        Key::Private(key) => *key,
        Key::Secret(alg, secret) => from_secret(alg, &secret, args.flag("weak"))?,
    };
    let typ = args.one("type")?.map(String::from).or(source.typ).unwrap_or_else(|| String::from("JWT"));
    let mut header: Members = vec![("alg".into(), text(key.alg().name())), ("typ".into(), text(typ))];
    if let Some(kid) = args.one("kid")?.map(String::from).or(source.kid) {
        header.push(("kid".into(), text(kid)));
    }
    let claims = claims(args, source.claims, now)?;
    let part = |members: Members| URL_SAFE_NO_PAD.encode(Json::Object(members).to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let Some(signature) = key.signature(signed.as_bytes(), &NoOffload) else {
        return Err(Failure::Input(String::from(
            "gatekey: with an RSA key only a host signs, such as Envoy; mint takes P-256 and Ed25519 keys\n",
        )));
    };
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Ok(writeln!(out, "{signed}.{signature}")?)
}

fn from_secret(alg: Alg, secret: &Secret, weak: bool) -> Result<SigningKey, Failure> {
    let (length, least) = (secret.expose().len(), alg.hash_length());
    if length < least && !weak {
        return Err(Failure::Input(format!(
            "gatekey: the secret is {length} octets; {} needs at least {least} (RFC 7518 section 3.2); --weak takes it anyway\n",
            alg.name(),
        )));
    }
    SigningKey::hmac(alg, secret).ok_or_else(|| Failure::Input(String::from("gatekey: the secret cannot be used\n")))
}

/// The claims: those of the policy, over them those of `--claims`, over them those of options.
fn claims(args: &Args, mut claims: Members, now: Time) -> Result<Members, Failure> {
    if let Some(given) = args.one("claims")? {
        const LIMITS: Limits = Limits { depth: 32, members: 100_000 };
        let value = json::read(given.as_bytes(), LIMITS)
            .map_err(|error| Failure::Usage(format!("--claims is no JSON: {error}")))?;
        let Json::Object(members) = value.into_owned() else {
            return Err(Failure::Usage(String::from("--claims takes a JSON object")));
        };
        for (name, value) in members {
            put(&mut claims, name, value);
        }
    }
    for (option, claim) in [("issuer", "iss"), ("subject", "sub")] {
        if let Some(value) = args.one(option)? {
            put(&mut claims, claim.into(), text(value));
        }
    }
    let mut audiences: Vec<Json<'static>> = args.all("audience").map(text).collect();
    match audiences.len() {
        0 => {}
        1 => put(&mut claims, "aud".into(), audiences.remove(0)),
        _ => put(&mut claims, "aud".into(), Json::Array(audiences)),
    }
    if let Some(time) = args.one("not-before")? {
        let time =
            Time::parse(time).ok_or_else(|| Failure::Usage(String::from("--not-before takes an RFC 3339 time")))?;
        put(&mut claims, "nbf".into(), seconds(time));
    }
    if !claims.iter().any(|(name, _)| name == "iat") {
        put(&mut claims, "iat".into(), seconds(now));
    }
    let has_exp = claims.iter().any(|(name, _)| name == "exp");
    match args.one("expires-in")? {
        Some("none") => claims.retain(|(name, _)| name != "exp"),
        None if has_exp => {}
        duration => {
            let duration = duration.unwrap_or("1h");
            let (sign, length) = duration.strip_prefix('-').map_or((1, duration), |length| (-1, length));
            let millis = parse_duration(length)
                .ok_or_else(|| Failure::Usage(String::from("--expires-in takes 30s, 10m, 24h, 7d or none")))?;
            put(&mut claims, "exp".into(), seconds(now.plus(sign * millis)));
        }
    }
    Ok(claims)
}

fn put(claims: &mut Members, name: std::borrow::Cow<'static, str>, value: Json<'static>) {
    match claims.iter_mut().find(|(other, _)| *other == name) {
        Some((_, old)) => *old = value,
        None => claims.push((name, value)),
    }
}

fn seconds(time: Time) -> Json<'static> {
    Json::Int(i128::from(time.millis().div_euclid(1000)))
}

fn alg(args: &Args) -> Result<Option<Alg>, Failure> {
    let parse = |name: &str| {
        Alg::parse(name)
            .filter(|alg| !alg.is_asymmetric())
            .ok_or_else(|| Failure::Usage(format!("unknown algorithm {name:?}: HS256, HS384 and HS512 are known")))
    };
    args.one("alg")?.map(parse).transpose()
}

fn from_options(args: &Args) -> Result<Source, Failure> {
    if args.one("name")?.is_some() {
        return Err(Failure::Usage(String::from("--name is an issuer of a policy: name the FILE")));
    }
    if let Some(file) = args.one("private-key")? {
        for other in ["alg", "secret", "secret-env", "secret-base64url"] {
            if args.one(other)?.is_some() {
                return Err(Failure::Usage(format!("--{other} does not go with --private-key")));
            }
        }
        let key =
            private::read(&read_text(file)?).map_err(|fault| Failure::Input(format!("gatekey: {file} {fault}\n")))?;
        let kid = key.kid().map(String::from);
        return Ok(Source { key: Key::Private(Box::new(key)), kid, typ: None, claims: Vec::new() });
    }
    let alg = alg(args)?.ok_or_else(|| Failure::Usage(String::from("--alg is missing: HS256, HS384 or HS512")))?;
    let secret = given_secret(args)?;
    let secret = secret.ok_or_else(|| {
        Failure::Usage(String::from("one of --secret, --secret-env and --secret-base64url is needed"))
    })?;
    Ok(Source { key: Key::Secret(alg, secret), kid: None, typ: None, claims: Vec::new() })
}

fn given_secret(args: &Args) -> Result<Option<Secret>, Failure> {
    let given = (args.one("secret")?, args.one("secret-env")?, args.one("secret-base64url")?);
    let octets = match given {
        (None, None, None) => return Ok(None),
        (Some(text), None, None) => text.as_bytes().to_vec(),
        (None, Some(name), None) => {
            let value = Env::new(args)?.get(name, &Json::Null);
            value.ok_or_else(|| Failure::Input(format!("gatekey: {name} is not set\n")))?.into_bytes()
        }
        (None, None, Some(encoded)) => compact::decode(encoded.trim_end_matches('=').as_bytes())
            .ok_or_else(|| Failure::Usage(String::from("--secret-base64url is no base64url")))?,
        _ => {
            return Err(Failure::Usage(String::from("one of --secret, --secret-env and --secret-base64url is enough")));
        }
    };
    Ok(Some(Secret::new(octets)))
}

/// Takes after an issuer of a policy that has no errors.
fn from_policy(file: &str, args: &Args) -> Result<Source, Failure> {
    let env = Env::new(args)?;
    let value = read(file)?;
    compile(&value, &env)?;
    let Some(Json::Object(issuers)) = member(&value, "issuers") else {
        return Err(Failure::Input(String::from("gatekey: the policy has no issuers\n")));
    };
    let names = || issuers.iter().map(|(name, _)| name.as_ref()).collect::<Vec<_>>().join(", ");
    let issuer = match (args.one("name")?, issuers.as_slice()) {
        (None, [(_, only)]) => only,
        (None, _) => return Err(Failure::Usage(format!("--name is missing, one of {}", names()))),
        (Some(name), _) => issuers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, issuer)| issuer)
            .ok_or_else(|| Failure::Usage(format!("the policy has no issuer {name:?}, but {}", names())))?,
    };
    let first = |value: &Json<'_>, name: &str| match member(value, name) {
        Some(Json::Array(items)) => items.first().and_then(|item| item.as_str().map(String::from)),
        Some(value) => value.as_str().map(String::from),
        None => None,
    };
    let jwk = member(issuer, "jwks").and_then(|set| first_jwk(set, args.one("kid").ok().flatten()));
    let own_alg = jwk
        .and_then(|jwk| first(jwk, "alg"))
        .or_else(|| first(issuer, "algorithms"))
        .and_then(|name| Alg::parse(&name));
    let secret = match (given_secret(args)?, jwk, member(issuer, "secret")) {
        (Some(secret), _, _) => secret,
        (None, Some(jwk), _) => {
            let octets = jwk.get("k").and_then(Json::as_str).and_then(|k| compact::decode(k.as_bytes()));
            Secret::new(
                octets
                    .ok_or_else(|| Failure::Input(String::from("gatekey: the key of the policy cannot be used\n")))?,
            )
        }
        (None, None, Some(secret)) => {
            let one = match secret {
                Json::Array(items) => items.first().unwrap_or(secret),
                one => one,
            };
            config::secret(one, &|name| env.get(name, &Json::Null))
                .map_err(|errors| Failure::Input(errors.iter().map(|error| format!("{error}\n")).collect()))?
        }
        (None, None, None) if has_only_public(issuer) => {
            let why = "that issuer's keys are public, and only who holds the private ones signs; mint needs a `secret`";
            return Err(Failure::Input(format!("gatekey: {why}\n")));
        }
        (None, None, None) => return Err(Failure::Input(String::from("gatekey: the policy has no such key\n"))),
    };
    let mut claims: Members = Vec::new();
    for (field, claim) in [("issuer", "iss"), ("audience", "aud")] {
        if let Some(value) = first(issuer, field) {
            claims.push((claim.into(), text(value)));
        }
    }
    Ok(Source {
        key: Key::Secret(alg(args)?.or(own_alg).unwrap_or(Alg::Hs256), secret),
        kid: jwk.and_then(|jwk| first(jwk, "kid")),
        typ: first(issuer, "type"),
        claims,
    })
}

/// The first key of a set that verifies, or the one with this id.
fn first_jwk<'j>(set: &'j Json<'j>, kid: Option<&str>) -> Option<&'j Json<'j>> {
    let Some(Json::Array(keys)) = member(set, "keys") else {
        return None;
    };
    let text = |key: &'j Json<'j>, name: &str| member(key, name).and_then(Json::as_str);
    keys.iter().find(|key| {
        text(key, "kty") == Some("oct")
            && text(key, "use").is_none_or(|usage| usage == "sig")
            && text(key, "alg").is_none_or(|alg| Alg::parse(alg).is_some())
            && (kid.is_none() || text(key, "kid") == kid)
    })
}

/// Whether an issuer has keys, and none of them is a secret.
fn has_only_public(issuer: &Json<'_>) -> bool {
    member(issuer, "pem").is_some() || member(issuer, "jwks").is_some_and(|set| first_jwk(set, None).is_none())
}
