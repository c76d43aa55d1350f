//! Where a list is fetched from, and what happens while it cannot be had.

use crate::jwks::fetch::{Part, Request};
use crate::jwks::source::{Schedule, TIMEOUT, Uri};

/// A list that is fetched, as the policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListSource {
    /// Its name in logs, metrics and commands: `clients`, `revoked`, or `revoked_1` where there are several.
    pub name: String,
    /// The host's name for the servers that are asked.
    pub cluster: String,
    /// Where it stands.
    pub uri: Uri,
    /// When it is asked for, and how long it serves.
    pub schedule: Schedule,
    /// What happens while it cannot be had.
    pub on_outage: OnOutage,
    /// What it holds.
    pub content: Content,
}

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Who no longer counts, in lines.
    Revoked,
    /// Who no longer counts, in JSON.
    RevokedJson,
    /// Whose keys count.
    Clients,
}

/// What happens while a list cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOutage {
    /// The last that was good goes on serving; where none ever was, nobody is revoked.
    Keep,
    /// Once the last that was good is too old, credentials that it could speak about are refused.
    Deny,
}

impl Content {
    /// Whether it says who no longer counts.
    pub const fn revokes(self) -> bool {
        matches!(self, Content::Revoked | Content::RevokedJson)
    }

    /// What servers are asked for.
    const fn accept(self) -> &'static str {
        match self {
            Content::Revoked | Content::Clients => "text/plain, */*;q=0.1",
            Content::RevokedJson => "application/json",
        }
    }
}

impl ListSource {
    pub(super) fn request(&self, etag: Vec<u8>, part: Option<Part>) -> Request {
        Request {
            cluster: self.cluster.clone(),
            uri: self.uri.clone(),
            etag,
            timeout: TIMEOUT,
            accept: self.content.accept(),
            part,
        }
    }
}
