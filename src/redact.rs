//! Secrets in memory: readable only on purpose, never printable, overwritten when dropped.

use zeroize::Zeroizing;

/// Secret octets. It has no `Debug` and no `Display`, so that it cannot reach a log line by accident.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the octets over.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// The octets, for key set-up only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
