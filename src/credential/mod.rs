//! Credentials: where they stand in a request, and how keys are looked up.

pub mod basic;
pub mod bearer;
pub mod key;
pub mod read;
pub mod user;

/// A kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A token.
    Token,
    /// An API key.
    Key,
    /// A user's password.
    Password,
}

/// Some kinds of credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Tokens.
    pub token: bool,
    /// API keys.
    pub key: bool,
    /// Passwords.
    pub password: bool,
}

impl Kinds {
    /// These and one more.
    #[must_use]
    pub fn with(mut self, kind: Kind) -> Self {
        match kind {
            Kind::Token => self.token = true,
            Kind::Key => self.key = true,
            Kind::Password => self.password = true,
        }
        self
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The word in metrics: `none`, or `jwt`, `key` and `basic`, joined by a plus.
    pub const fn word(self) -> &'static str {
        match (self.token, self.key, self.password) {
            (false, false, false) => "none",
            (true, false, false) => "jwt",
            (false, true, false) => "key",
            (true, true, false) => "jwt+key",
            (false, false, true) => "basic",
            (true, false, true) => "jwt+basic",
            (false, true, true) => "key+basic",
            (true, true, true) => "jwt+key+basic",
        }
    }
}

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
#[derive(Clone, Debug, Default)]
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
