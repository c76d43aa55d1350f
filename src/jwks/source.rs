//! Where a key set is fetched from, and how long it may serve.

use crate::jose::alg::Alg;

/// How long one request to a key server may take, in milliseconds.
pub const TIMEOUT: i64 = 5_000;

/// A remote key set (RFC 7517 section 5), as the policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The host's name for the servers that are asked.
    pub cluster: String,
    /// What is asked for.
    pub place: Place,
    /// When it is asked for, and how long it serves.
    pub schedule: Schedule,
    /// The algorithms that the policy names for the keys, in its order; `None` leaves it to the keys.
    pub algorithms: Option<Vec<Alg>>,
}

/// How often something is fetched, and how long it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How old it becomes before it is fetched again, in milliseconds.
    pub refresh: i64,
    /// How much longer it serves while that fails, in milliseconds.
    pub keep_stale: i64,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The key set itself.
    Set(Uri),
    /// The issuer's metadata (OpenID Connect Discovery 1.0 section 4), which names the key set.
    Metadata {
        /// The issuer that the metadata must name.
        issuer: String,
        /// Where the metadata stands.
        uri: Uri,
    },
}

/// An absolute http or https URI without query-less surprises: no user, no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// Whether it is https.
    pub https: bool,
    /// Host and port, as in the Host header.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Source {
    /// What tells this source from others where workers meet. Sources that differ in nothing share. Two spellings of
    /// an issuer may have one address for metadata, of which only one is right: they do not share.
    pub fn key(&self) -> String {
        let (kind, uri, issuer) = match &self.place {
            Place::Set(uri) => ("set", uri, ""),
            Place::Metadata { uri, issuer } => ("metadata", uri, issuer.as_str()),
        };
        let algorithms: Vec<&str> = self.algorithms.iter().flatten().map(|alg| alg.name()).collect();
        format!("gatekey/1/{kind}/{}/{}/{} {issuer}", self.cluster, algorithms.join("+"), uri.text())
    }
}

impl Uri {
    /// Reads a URI.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (https, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err("is no https:// or http:// address");
        };
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b);
        if text.len() > 2048 || !text.bytes().all(plain) {
            return Err("has characters that no address has, or is longer than 2048");
        }
        if rest.contains('#') {
            return Err("has a fragment (#), which no server gets to see");
        }
        let (authority, path) =
            rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len())).unwrap_or((rest, ""));
        if authority.is_empty() || authority.starts_with(':') {
            return Err("names no host");
        }
        if authority.contains('@') {
            return Err("has a user in it, which is never sent");
        }
        let path = if path.starts_with('/') { String::from(path) } else { format!("/{path}") };
        Ok(Self { https, authority: authority.to_ascii_lowercase(), path })
    }

    /// The scheme.
    pub const fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The address as text.
    pub fn text(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority, self.path)
    }

    /// The address of an issuer's metadata (OpenID Connect Discovery 1.0 section 4.1).
    ///
    /// # Errors
    /// As [`Uri::parse`], and if the issuer has a query, which the address would be put behind.
    pub fn of_metadata(issuer: &str) -> Result<Self, &'static str> {
        let mut uri = Self::parse(issuer)?;
        if uri.path.contains('?') {
            return Err("has a query, so it has no metadata");
        }
        let base = uri.path.strip_suffix('/').unwrap_or(&uri.path);
        uri.path = format!("{base}/.well-known/openid-configuration");
        Ok(uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        let uri = |text| Uri::parse(text).map(|uri| (uri.https, uri.authority, uri.path));
        assert_eq!(uri("https://ID.test/jwks?x=1"), Ok((true, "id.test".into(), "/jwks?x=1".into())));
        assert_eq!(uri("http://[::1]:8080"), Ok((false, "[::1]:8080".into(), "/".into())));
        assert_eq!(uri("https://id.test?x"), Ok((true, "id.test".into(), "/?x".into())));
        for text in [
            "",
            "id.test",
            "ftp://id.test/",
            "https://",
            "https:///x",
            "https://u@id.test/",
            "https://id.test/#x",
            "https://id.test/ x",
            "https://id.test/\r\n",
            "https://:80/",
        ] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn finds_metadata() {
        let path = |text| Uri::of_metadata(text).map(|uri| uri.path);
        assert_eq!(path("https://id.test").as_deref(), Ok("/.well-known/openid-configuration"));
        assert_eq!(path("https://id.test/").as_deref(), Ok("/.well-known/openid-configuration"));
        assert_eq!(path("https://id.test/realms/a").as_deref(), Ok("/realms/a/.well-known/openid-configuration"));
        assert!(path("https://id.test/?a").is_err());
    }
}
