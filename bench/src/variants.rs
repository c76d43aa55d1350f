//! What is compared with what: listeners, the requests that each gets, and the answer that must come.

use crate::credentials::Credentials;
use crate::policies::KEY_HEADER;
use crate::signing::Alg;

/// A listener: one HTTP filter before the same direct response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    /// No filter at all.
    None,
    /// A module that does nothing: what no module can cost less than.
    Nothing,
    /// gatekey where everything is public.
    Empty,
    /// gatekey with tokens.
    Token(Alg),
    /// gatekey with API keys.
    Key,
    /// gatekey with API keys that become tokens for the service.
    Exchange,
    /// gatekey with everything.
    Production,
    /// `jwt_authn`.
    NativeToken(Alg),
    /// `jwt_authn` with `jwt_cache_config`.
    NativeTokenCached(Alg),
    /// `api_key_auth`.
    NativeKey,
}

impl Filter {
    /// All that some variant needs, each once.
    pub fn all() -> Vec<Filter> {
        let mut filters: Vec<Filter> = Vec::new();
        for variant in VARIANTS {
            if !filters.contains(&variant.filter) {
                filters.push(variant.filter);
            }
        }
        filters
    }

    /// The name of the listener.
    pub fn name(self) -> String {
        let of = |what: &str, alg: Alg| format!("{what}_{}", alg.name());
        match self {
            Filter::None => "none".into(),
            Filter::Nothing => "nothing".into(),
            Filter::Empty => "empty".into(),
            Filter::Token(alg) => of("token", alg),
            Filter::Key => "key".into(),
            Filter::Exchange => "exchange".into(),
            Filter::Production => "production".into(),
            Filter::NativeToken(alg) => of("native_token", alg),
            Filter::NativeTokenCached(alg) => of("native_token_cached", alg),
            Filter::NativeKey => "native_key".into(),
        }
    }

    /// Whether gatekey runs in it.
    pub const fn is_ours(self) -> bool {
        matches!(self, Filter::Empty | Filter::Token(_) | Filter::Key | Filter::Exchange | Filter::Production)
    }
}

/// The credential that the requests of a variant carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// A good token, never the one before.
    Good,
    /// One good token, always the same.
    Repeated,
    /// A token with a wrong signature.
    Forged,
    /// A token that has expired.
    Expired,
    /// Keys of all clients in turn.
    Key,
    /// Keys of nobody.
    UnknownKey,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// Where its requests go.
    pub filter: Filter,
    /// What they carry.
    pub shown: Shown,
    /// The status that every one of them must get.
    pub status: u16,
    /// What the counter that such a request moves has in its name.
    pub counted: &'static str,
}

/// The variant without filter that gets the same requests.
pub const NO_FILTER_TOKEN: &str = "no filter, token";
/// The same for requests with an API key, which are shorter.
pub const NO_FILTER_KEY: &str = "no filter, key";

/// Every variant, in the order of the table.
pub const VARIANTS: &[Variant] = &[
    row(NO_FILTER_TOKEN, Filter::None, Shown::Good, 200, ""),
    row(NO_FILTER_KEY, Filter::None, Shown::Key, 200, ""),
    row("a module that does nothing", Filter::Nothing, Shown::Good, 200, ""),
    row("gatekey empty", Filter::Empty, Shown::Good, 200, "result=allow.reason=none.credential=none"),
    row("gatekey production, token", Filter::Production, Shown::Good, 200, "result=allow.reason=none.credential=jwt"),
    row("gatekey production, key", Filter::Production, Shown::Key, 200, "result=allow.reason=none.credential=key"),
    row("gatekey HS256", Filter::Token(Alg::Hs256), Shown::Good, 200, "result=allow.reason=none.credential=jwt"),
    row("jwt_authn HS256", Filter::NativeToken(Alg::Hs256), Shown::Good, 200, "jwt_authn.allowed"),
    row(
        "gatekey HS256, same token",
        Filter::Token(Alg::Hs256),
        Shown::Repeated,
        200,
        "result=allow.reason=none.credential=jwt",
    ),
    row("jwt_authn HS256, same token", Filter::NativeToken(Alg::Hs256), Shown::Repeated, 200, "jwt_authn.allowed"),
    row(
        "jwt_authn HS256, same token, cache",
        Filter::NativeTokenCached(Alg::Hs256),
        Shown::Repeated,
        200,
        "jwt_authn.jwt_cache_hit",
    ),
    row(
        "gatekey HS256, forged",
        Filter::Token(Alg::Hs256),
        Shown::Forged,
        401,
        "result=deny.reason=signature_invalid.credential=jwt",
    ),
    row("jwt_authn HS256, forged", Filter::NativeToken(Alg::Hs256), Shown::Forged, 401, "jwt_authn.denied"),
    row(
        "gatekey HS256, expired",
        Filter::Token(Alg::Hs256),
        Shown::Expired,
        401,
        "result=deny.reason=token_expired.credential=jwt",
    ),
    row("jwt_authn HS256, expired", Filter::NativeToken(Alg::Hs256), Shown::Expired, 401, "jwt_authn.denied"),
    row("gatekey RS256", Filter::Token(Alg::Rs256), Shown::Good, 200, "result=allow.reason=none.credential=jwt"),
    row("jwt_authn RS256", Filter::NativeToken(Alg::Rs256), Shown::Good, 200, "jwt_authn.allowed"),
    row(
        "gatekey RS256, same token",
        Filter::Token(Alg::Rs256),
        Shown::Repeated,
        200,
        "result=allow.reason=none.credential=jwt",
    ),
    row(
        "jwt_authn RS256, same token, cache",
        Filter::NativeTokenCached(Alg::Rs256),
        Shown::Repeated,
        200,
        "jwt_authn.jwt_cache_hit",
    ),
    row(
        "gatekey RS256, forged",
        Filter::Token(Alg::Rs256),
        Shown::Forged,
        401,
        "result=deny.reason=signature_invalid.credential=jwt",
    ),
    row("jwt_authn RS256, forged", Filter::NativeToken(Alg::Rs256), Shown::Forged, 401, "jwt_authn.denied"),
    row("gatekey PS256", Filter::Token(Alg::Ps256), Shown::Good, 200, "result=allow.reason=none.credential=jwt"),
    row("jwt_authn PS256", Filter::NativeToken(Alg::Ps256), Shown::Good, 200, "jwt_authn.allowed"),
    row(
        "gatekey PS256, same token",
        Filter::Token(Alg::Ps256),
        Shown::Repeated,
        200,
        "result=allow.reason=none.credential=jwt",
    ),
    row(
        "jwt_authn PS256, same token, cache",
        Filter::NativeTokenCached(Alg::Ps256),
        Shown::Repeated,
        200,
        "jwt_authn.jwt_cache_hit",
    ),
    row(
        "gatekey PS256, forged",
        Filter::Token(Alg::Ps256),
        Shown::Forged,
        401,
        "result=deny.reason=signature_invalid.credential=jwt",
    ),
    row("jwt_authn PS256, forged", Filter::NativeToken(Alg::Ps256), Shown::Forged, 401, "jwt_authn.denied"),
    row("gatekey ES256", Filter::Token(Alg::Es256), Shown::Good, 200, "result=allow.reason=none.credential=jwt"),
    row("jwt_authn ES256", Filter::NativeToken(Alg::Es256), Shown::Good, 200, "jwt_authn.allowed"),
    row(
        "gatekey ES256, same token",
        Filter::Token(Alg::Es256),
        Shown::Repeated,
        200,
        "result=allow.reason=none.credential=jwt",
    ),
    row(
        "jwt_authn ES256, same token, cache",
        Filter::NativeTokenCached(Alg::Es256),
        Shown::Repeated,
        200,
        "jwt_authn.jwt_cache_hit",
    ),
    row(
        "gatekey ES256, forged",
        Filter::Token(Alg::Es256),
        Shown::Forged,
        401,
        "result=deny.reason=signature_invalid.credential=jwt",
    ),
    row("jwt_authn ES256, forged", Filter::NativeToken(Alg::Es256), Shown::Forged, 401, "jwt_authn.denied"),
    row("gatekey EdDSA", Filter::Token(Alg::EdDsa), Shown::Good, 200, "result=allow.reason=none.credential=jwt"),
    row("jwt_authn EdDSA", Filter::NativeToken(Alg::EdDsa), Shown::Good, 200, "jwt_authn.allowed"),
    row(
        "gatekey EdDSA, same token",
        Filter::Token(Alg::EdDsa),
        Shown::Repeated,
        200,
        "result=allow.reason=none.credential=jwt",
    ),
    row(
        "jwt_authn EdDSA, same token, cache",
        Filter::NativeTokenCached(Alg::EdDsa),
        Shown::Repeated,
        200,
        "jwt_authn.jwt_cache_hit",
    ),
    row(
        "gatekey EdDSA, forged",
        Filter::Token(Alg::EdDsa),
        Shown::Forged,
        401,
        "result=deny.reason=signature_invalid.credential=jwt",
    ),
    row("jwt_authn EdDSA, forged", Filter::NativeToken(Alg::EdDsa), Shown::Forged, 401, "jwt_authn.denied"),
    row("gatekey API key", Filter::Key, Shown::Key, 200, "result=allow.reason=none.credential=key"),
    row(
        "gatekey API key, exchanged for a token",
        Filter::Exchange,
        Shown::Key,
        200,
        "result=allow.reason=none.credential=key",
    ),
    row("api_key_auth", Filter::NativeKey, Shown::Key, 200, "api_key_auth.allowed"),
    row(
        "gatekey API key, unknown",
        Filter::Key,
        Shown::UnknownKey,
        401,
        "result=deny.reason=key_invalid.credential=key",
    ),
    row("api_key_auth, unknown", Filter::NativeKey, Shown::UnknownKey, 401, "api_key_auth.unauthorized"),
];

/// Ours, and Envoy's filter that does the same.
pub const PAIRS: &[(&str, &str)] = &[
    ("gatekey HS256", "jwt_authn HS256"),
    ("gatekey HS256, same token", "jwt_authn HS256, same token"),
    ("gatekey HS256, same token", "jwt_authn HS256, same token, cache"),
    ("gatekey HS256, forged", "jwt_authn HS256, forged"),
    ("gatekey HS256, expired", "jwt_authn HS256, expired"),
    ("gatekey RS256", "jwt_authn RS256"),
    ("gatekey RS256, same token", "jwt_authn RS256, same token, cache"),
    ("gatekey RS256, forged", "jwt_authn RS256, forged"),
    ("gatekey PS256", "jwt_authn PS256"),
    ("gatekey PS256, same token", "jwt_authn PS256, same token, cache"),
    ("gatekey PS256, forged", "jwt_authn PS256, forged"),
    ("gatekey ES256", "jwt_authn ES256"),
    ("gatekey ES256, same token", "jwt_authn ES256, same token, cache"),
    ("gatekey ES256, forged", "jwt_authn ES256, forged"),
    ("gatekey EdDSA", "jwt_authn EdDSA"),
    ("gatekey EdDSA, same token", "jwt_authn EdDSA, same token, cache"),
    ("gatekey EdDSA, forged", "jwt_authn EdDSA, forged"),
    ("gatekey API key", "api_key_auth"),
    ("gatekey API key, unknown", "api_key_auth, unknown"),
];

const fn row(name: &'static str, filter: Filter, shown: Shown, status: u16, counted: &'static str) -> Variant {
    Variant { name, filter, shown, status, counted }
}

impl Variant {
    /// The variant without filter that gets the same kind of request.
    pub const fn baseline(self) -> &'static str {
        match self.shown {
            Shown::Key | Shown::UnknownKey => NO_FILTER_KEY,
            _ => NO_FILTER_TOKEN,
        }
    }

    /// The credentials of its requests, to be taken in turn.
    pub fn credentials(self, made: &Credentials) -> &[String] {
        let tokens = match self.filter {
            Filter::Token(alg) | Filter::NativeToken(alg) | Filter::NativeTokenCached(alg) => made.tokens(alg),
            _ => made.tokens(Alg::Hs256),
        };
        match self.shown {
            Shown::Good => &tokens.good,
            Shown::Repeated => tokens.good.get(..1).unwrap_or_default(),
            Shown::Forged => &tokens.forged,
            Shown::Expired => &tokens.expired,
            Shown::Key => &made.keys,
            Shown::UnknownKey => &made.unknown_keys,
        }
    }

    /// A request for this path, up to the credential. It has nine headers, of which the last is the credential.
    pub fn request(self, path: &str) -> Vec<u8> {
        let credential = match self.shown {
            Shown::Key | Shown::UnknownKey => format!("{KEY_HEADER}: "),
            _ => String::from("authorization: Bearer "),
        };
        format!(
            "GET {path} HTTP/1.1\r\n\
             host: orders.example.com\r\n\
             user-agent: gatekey-bench/1.0\r\n\
             accept: application/json\r\n\
             accept-encoding: gzip, deflate, br\r\n\
             accept-language: en-GB,en;q=0.8\r\n\
             cache-control: no-cache\r\n\
             x-forwarded-proto: https\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
             {credential}"
        )
        .into_bytes()
    }

    /// The request headers that the service must get, by the end of their names.
    pub fn identity(self) -> &'static [(&'static str, &'static str)] {
        match (self.filter, self.shown) {
            (_, Shown::Forged | Shown::Expired | Shown::UnknownKey)
            | (Filter::None | Filter::Nothing | Filter::Empty, _) => &[],
            (Filter::Production, Shown::Key) => &[("client", "client-0000"), ("tenant", "acme")],
            (Filter::Production, _) => &[("user", "user-000000"), ("client", "web-frontend"), ("tenant", "acme")],
            (_, Shown::Key) => &[("client", "client-0000")],
            _ => &[("user", "user-000000"), ("tenant", "acme")],
        }
    }
}

/// The variants whose names hold one of these texts, and their baselines; all if there are no texts.
pub fn chosen(only: &[String]) -> Vec<&'static Variant> {
    let named = |variant: &&Variant| only.is_empty() || only.iter().any(|text| variant.name.contains(text.as_str()));
    let wanted: Vec<&Variant> = VARIANTS.iter().filter(named).collect();
    let is_baseline = |variant: &Variant| wanted.iter().any(|other| other.baseline() == variant.name);
    VARIANTS.iter().filter(|variant| named(variant) || is_baseline(variant)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree() {
        let has = |name: &str| VARIANTS.iter().any(|variant| variant.name == name);
        assert!(PAIRS.iter().all(|(ours, native)| has(ours) && has(native)));
        assert!(VARIANTS.iter().all(|variant| has(variant.baseline())));
    }

    #[test]
    fn choosing_takes_the_baseline_along() {
        let names = |only: &[String]| chosen(only).iter().map(|variant| variant.name).collect::<Vec<_>>();
        assert_eq!(names(&["api_key_auth, unknown".into()]), [NO_FILTER_KEY, "api_key_auth, unknown"]);
        assert_eq!(names(&[]).len(), VARIANTS.len());
    }
}
