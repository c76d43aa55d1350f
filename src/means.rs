//! What a decision uses beside the policy and the request head.

use crate::cache::Cache;
use crate::cluster::Destination;
use crate::issue::mint::Mint;
use crate::jose::keyring::Keyring;
use crate::jose::offload::Offload;
use crate::list::lists::Lists;
use crate::password::ledger::Ledger;
use crate::peer::Peer;

/// What a decision uses beside the policy and the request head.
pub struct Means<'m> {
    /// The keys that were fetched.
    pub keyring: &'m Keyring,
    /// The lists that were fetched.
    pub lists: &'m Lists,
    /// Tokens that were verified before.
    pub cache: &'m mut Cache,
    /// Passwords that were checked before.
    pub ledger: &'m mut Ledger,
    /// Whether passwords are checked at once; otherwise the decision says what is to be checked.
    pub at_once: bool,
    /// Somebody who may check signatures faster.
    pub offload: &'m dyn Offload,
    /// The policy that the proxy's route names, where there are policies by name.
    pub chosen: Option<&'m [u8]>,
    /// Who is at the other end of the connection.
    pub peer: &'m dyn Peer,
    /// Where the request goes if it passes.
    pub destination: &'m dyn Destination,
    /// What tokens are made with.
    pub mint: &'m mut Mint,
    /// The body of the request, as far as it has come.
    pub body: Body<'m>,
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'m> {
    /// Some of it has not come yet.
    Awaited,
    /// All of it.
    Whole(&'m [u8]),
    /// It is longer than what is looked at.
    TooLong,
    /// It was waited for long enough.
    Missing,
}
