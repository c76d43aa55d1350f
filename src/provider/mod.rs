//! Services whose key the gateway keeps: callers show keys of their own, and the real one goes on in their place. For those
//! that serve models, which of them a caller may use is looked up in the request.

pub mod model;
pub mod preset;
pub mod refusal;

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::credential::{Kind, Read};
use crate::globs::Globs;
use crate::identity::Identity;
use crate::redact::Secret;
use crate::upstream::is_spelling;
use preset::Preset;

/// The headers that keys of providers go in, whichever it is: what a caller puts there never goes on.
const KEY_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
/// The headers in which a request says who is to pay for it, or is meant: with the gateway's key, that is not the caller's to
/// say.
const PAYER_HEADERS: [&str; 3] = ["openai-organization", "openai-project", "x-goog-user-project"];
/// The query parameter that one of them takes a key in.
pub const KEY_PARAMETER: &str = "key";
/// The query parameters that one of them takes a credential in.
pub const KEY_PARAMETERS: [&str; 3] = [KEY_PARAMETER, "access_token", "api-key"];

/// The headers that go to no provider as a caller sends them; `own` is that of the provider's key.
pub fn hidden_headers(own: &str) -> impl Iterator<Item = &str> {
    KEY_HEADERS.into_iter().chain(PAYER_HEADERS).chain([own])
}

/// A service behind the gateway, and the key that it asks for.
pub struct Provider {
    /// Its name in the policy.
    pub name: String,
    /// What kind of service it is.
    pub preset: Preset,
    /// The clusters that the key goes to; empty on hosts that have none to ask for.
    pub clusters: Globs,
    /// The header that the key goes in, lower-case. `authorization` has the scheme Bearer before it.
    pub header: String,
    /// The key, for callers without one of their own.
    pub secret: Option<Secret>,
    /// The keys of single clients, by their names.
    pub own: BTreeMap<String, Secret>,
    /// The models that anybody may use; `None` for all.
    pub models: Option<Globs>,
    /// How much of a body is read to find the model, in octets.
    pub longest: usize,
    /// Where callers show their credentials on the way to it: where the policy reads them, and where its libraries put keys.
    pub read: Read,
}

impl Provider {
    /// Whether a request that goes to this cluster goes to the provider.
    pub fn is_at(&self, cluster: &Cluster) -> bool {
        self.clusters.is_empty() || cluster.is_one_of(&self.clusters)
    }

    /// The value of the header for these callers; `None` if there is no key for them.
    pub fn value(&self, identities: &[Identity<'_>]) -> Option<Vec<u8>> {
        // A token may call its client what it likes.
        let clients = identities.iter().filter(|identity| identity.kind() == Kind::Key);
        let own = clients.filter_map(Identity::client).find_map(|client| self.own.get(client));
        let secret = own.or(self.secret.as_ref())?;
        let scheme: &[u8] = if self.header == "authorization" { b"Bearer " } else { b"" };
        Some([scheme, secret.expose()].concat())
    }

    /// Reads credentials where the policy does; and keys, if anybody has any, where its callers' libraries put them.
    pub fn read_as(&mut self, policy: &Read, keys: bool) {
        let mut read = policy.clone();
        for place in self.preset.places(&self.header) {
            if keys && !read.key.contains(&place) {
                read.key.push(place);
            }
        }
        self.read = read;
    }

    /// Whether a provider might read a key from a header of this name, in any spelling.
    pub fn takes(&self, name: &[u8]) -> bool {
        hidden_headers(&self.header).any(|header| is_spelling(name, header))
    }
}
