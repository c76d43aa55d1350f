//! Protected resource metadata (RFC 9728): how clients find out which authorization servers to go to.

use crate::document::Document;

/// Where the metadata of a resource stand, before its own path (RFC 9728 section 3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A resource and its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The absolute address of the metadata, for challenges (RFC 9728 section 5.1).
    pub address: String,
    /// The metadata.
    pub document: Document,
}

impl Resource {
    /// The address and path of the metadata of a resource, whose identifier has this scheme and host, and path.
    pub fn place(origin: &str, path: &str) -> (String, String) {
        let path = format!("{WELL_KNOWN}{}", path.trim_end_matches('/'));
        (format!("{origin}{path}"), path)
    }
}
