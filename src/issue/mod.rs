//! What the gateway itself signs: tokens for its clients, and tokens for the services behind it.

pub mod claims;
pub mod documents;
pub mod endpoint;
pub mod exchange;
pub mod form;
pub mod mint;
pub mod private;
pub mod signer;
