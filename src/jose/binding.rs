//! Tokens that are bound to their bearer (`cnf`, RFC 7800): to a certificate (RFC 8705 section 3.1), which the peer
//! must have shown, or to something that is not checked here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::deny::Reason;
use crate::json::Json;
use crate::peer::Peer;

/// What an issuer asks of `cnf`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirmation {
    /// A token that is bound must be shown by whom it is bound to; one that is not is anybody's.
    #[default]
    Checked,
    /// Every token must be bound to a certificate.
    Required,
    /// Whoever shows a token may use it.
    Ignored,
}

/// What a token is bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Binding {
    /// Nothing.
    #[default]
    None,
    /// The certificate with this SHA-256 digest.
    Certificate([u8; 32]),
    /// Something else, or more than that; no proof of it is known here.
    Other,
}

impl Binding {
    /// Reads `cnf`. Any member beside `x5t#S256` asks for a proof of its own.
    pub(super) fn read(confirmation: &Json<'_>) -> Self {
        let digest = |text: &str| <[u8; 32]>::try_from(URL_SAFE_NO_PAD.decode(text).ok()?).ok();
        match confirmation {
            Json::Object(members) => match members.as_slice() {
                [(name, Json::Str(text))] if name == "x5t#S256" => digest(text).map_or(Self::Other, Self::Certificate),
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// Whether this peer may show the token.
    ///
    /// # Errors
    /// [`Reason::BindingMismatch`] if not.
    pub(super) fn check(self, asked: Confirmation, peer: &dyn Peer) -> Result<(), Reason> {
        let holds = match (asked, self) {
            (Confirmation::Ignored, _) | (Confirmation::Checked, Self::None) => true,
            (_, Self::Certificate(digest)) => peer.certificate() == Some(digest),
            (_, Self::Other) | (Confirmation::Required, Self::None) => false,
        };
        holds.then_some(()).ok_or(Reason::BindingMismatch)
    }
}
