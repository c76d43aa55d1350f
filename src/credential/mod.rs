//! Credentials: where they stand in a request, and how keys are looked up.

pub mod bearer;
pub mod key;
pub mod read;

/// A place in a request where a credential may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `Authorization: Bearer` (RFC 6750 section 2.1).
    Bearer,
    /// A header of this lower-case name, whole.
    Header(String),
    /// A cookie of this name (RFC 6265 section 4.2).
    Cookie(String),
    /// A query parameter of this name (RFC 6750 section 2.3).
    Query(String),
}

/// Where a policy looks. A kind that the policy has nobody for is looked for nowhere.
#[derive(Debug, Default)]
pub struct Read {
    /// Places of tokens.
    pub token: Vec<Location>,
    /// Places of keys.
    pub key: Vec<Location>,
    /// Whether a token may have any shape, since somebody is asked about it.
    pub opaque: bool,
}

impl Read {
    /// Every place once, those of tokens first.
    pub fn locations(&self) -> impl Iterator<Item = &Location> {
        let more = self.key.iter().filter(|location| !self.token.contains(location));
        self.token.iter().chain(more)
    }
}
