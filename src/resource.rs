//! Protected resource metadata (RFC 9728): how clients find out which authorization servers to go to.

use crate::head::Head;

/// Where the metadata of a resource stand, before its own path (RFC 9728 section 3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A resource and its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The path under which the metadata are served.
    pub path: String,
    /// Their absolute address, for challenges (RFC 9728 section 5.1).
    pub address: String,
    /// The document.
    pub document: String,
}

impl Resource {
    /// The address and path of the metadata of a resource, whose identifier has this scheme and host, and path.
    pub fn place(origin: &str, path: &str) -> (String, String) {
        let path = format!("{WELL_KNOWN}{}", path.trim_end_matches('/'));
        (format!("{origin}{path}"), path)
    }

    /// Whether a request asks for the metadata.
    pub fn is_asked(&self, head: &Head<'_>) -> bool {
        let method = matches!(head.first(":method"), Some(b"GET" | b"HEAD" | b"OPTIONS"));
        let path = head.first(":path").and_then(|target| target.split(|b| *b == b'?').next());
        method && path == Some(self.path.as_bytes())
    }
}
