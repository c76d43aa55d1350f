//! Documents that the filter serves by itself, to anybody.

use crate::head::Head;

/// A document that is served under one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The path.
    pub path: String,
    /// JSON text.
    pub body: String,
}

impl Document {
    /// Whether a request asks for it.
    pub fn is_asked(&self, head: &Head<'_>) -> bool {
        let method = matches!(head.first(":method"), Some(b"GET" | b"HEAD" | b"OPTIONS"));
        method && head.path() == Some(self.path.as_bytes())
    }
}
