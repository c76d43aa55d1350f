//! Where the host sends a request: the cluster that its own route leads to, whatever ours are.

use crate::globs::Globs;

/// Somebody who knows where a request goes. It is asked only where that matters, since a host is slow to tell.
pub trait Destination {
    /// The cluster.
    fn cluster(&self) -> Cluster;
}

/// The cluster that a request goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// This one.
    Named(Vec<u8>),
    /// The host does not tell.
    Unknown,
    /// Nobody asks a host: it is taken for the right one.
    Right,
}

impl Destination for Cluster {
    fn cluster(&self) -> Cluster {
        self.clone()
    }
}

impl Cluster {
    /// Whether it is one of these.
    pub fn is_one_of(&self, clusters: &Globs) -> bool {
        match self {
            Cluster::Named(name) => clusters.include(name),
            Cluster::Unknown => false,
            Cluster::Right => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_clusters_by_their_names() {
        let clusters = Globs(vec!["openai".into(), "outbound|443||api.*".into()]);
        let named = |name: &str| Cluster::Named(name.into()).is_one_of(&clusters);
        assert!(named("openai") && named("outbound|443||api.openai.com") && Cluster::Right.is_one_of(&clusters));
        assert!(!named("openai2") && !named("open") && !named("") && !named("outbound|443||") && !named("*"));
        assert!(!Cluster::Unknown.is_one_of(&clusters) && !Cluster::Named(vec![]).is_one_of(&Globs::default()));
    }
}
