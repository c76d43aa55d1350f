//! Documents that anybody may read: our public keys (RFC 7517 section 5) and what our token endpoint can do (RFC 8414).

use std::borrow::Cow;

use super::signer::Signer;
use crate::document::Document;
use crate::json::Json;
use crate::jwks::source::Uri;

/// Where keys are served unless it is said otherwise.
pub const JWKS_PATH: &str = "/.well-known/jwks.json";
/// Where the metadata of an authorization server stand, before the path of its issuer (RFC 8414 section 3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// The public keys of these signers, each once, under a path; `None` if they have none.
pub fn key_set<'s>(path: &str, signers: impl Iterator<Item = &'s Signer>) -> Option<Document> {
    let mut keys: Vec<Json<'static>> = Vec::new();
    for key in signers.flat_map(Signer::keys).filter_map(|key| key.jwk()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let body = || format!("{}\n", Json::Object(vec![("keys".into(), Json::Array(keys.clone()))]));
    (!keys.is_empty()).then(|| Document { path: String::from(path), body: body() })
}

/// The metadata of an issuer that is an address, whose token endpoint and keys stand under these paths on its host.
/// `None` for an issuer of another form, which has none.
pub fn metadata(issuer: &str, token_path: &str, keys: Option<&Document>) -> Option<Document> {
    let uri = Uri::parse(issuer).ok().filter(|uri| !uri.path.contains('?'))?;
    let origin = format!("{}://{}", uri.scheme(), uri.authority);
    let text = |text: String| Json::Str(Cow::Owned(text));
    let list = |items: &[&'static str]| Json::Array(items.iter().map(|item| Json::Str(Cow::Borrowed(item))).collect());
    let mut members =
        vec![("issuer", text(String::from(issuer))), ("token_endpoint", text(format!("{origin}{token_path}")))];
    members.extend(keys.map(|keys| ("jwks_uri", text(format!("{origin}{}", keys.path)))));
    members.push(("response_types_supported", list(&[])));
    members.push(("grant_types_supported", list(&["client_credentials"])));
    members.push(("token_endpoint_auth_methods_supported", list(&["client_secret_basic", "client_secret_post"])));
    let document = Json::Object(members.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect());
    let path = format!("{WELL_KNOWN}{}", uri.path.trim_end_matches('/'));
    Some(Document { path, body: format!("{document}\n") })
}
