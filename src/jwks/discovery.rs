//! An issuer's metadata (OpenID Connect Discovery 1.0 section 4.3, RFC 8414 section 3.3): only the address of its keys.

use super::source::Uri;
use crate::json::{self, Json, Limits};

const LIMITS: Limits = Limits { depth: 8, members: 4_096 };

/// The address of the key set that an issuer's metadata names. `None` if the document is none, names
/// another issuer, or sends us to another server: only the one that the policy names is asked.
pub(super) fn jwks_uri(document: &[u8], issuer: &str, metadata: &Uri) -> Option<Uri> {
    let document = json::read(document, LIMITS).ok()?;
    if document.get("issuer").and_then(Json::as_str) != Some(issuer) {
        return None;
    }
    let uri = Uri::parse(document.get("jwks_uri")?.as_str()?).ok()?;
    (uri.authority == metadata.authority && uri.https == metadata.https).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_only_the_issuer_itself() {
        let metadata = Uri::of_metadata("https://id.test/a").unwrap();
        let read = |text: &str| jwks_uri(text.as_bytes(), "https://id.test/a", &metadata).map(|uri| uri.path);
        let good = r#"{"issuer":"https://id.test/a","jwks_uri":"https://id.test/keys"}"#;
        assert_eq!(read(good).as_deref(), Some("/keys"));
        for (from, to) in [
            ("/a\"", "/a/\""),
            ("/a\"", "/b\""),
            ("\"https://id.test/a\"", "1"),
            ("https://id.test/keys", "https://elsewhere.test/keys"),
            ("https://id.test/keys", "http://id.test/keys"),
            ("https://id.test/keys", "/keys"),
            ("jwks_uri", "jwks"),
            ("}", ""),
        ] {
            assert!(good.contains(from));
            assert_eq!(read(&good.replacen(from, to, 1)), None, "{from} -> {to}");
        }
    }
}
