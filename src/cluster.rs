//! Where the host sends a request: the cluster that its own route leads to, whatever ours are.

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

/// Clusters by their names; `outbound|443|*` stands for all that begin so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clusters(pub Vec<String>);

impl Clusters {
    /// Whether a cluster is one of these.
    pub fn include(&self, cluster: &Cluster) -> bool {
        let is = |name: &[u8], pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start.as_bytes()),
            None => name == pattern.as_bytes(),
        };
        match cluster {
            Cluster::Named(name) => self.0.iter().any(|pattern| is(name, pattern)),
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
        let clusters = Clusters(vec!["openai".into(), "outbound|443||api.*".into()]);
        let named = |name: &str| clusters.include(&Cluster::Named(name.into()));
        assert!(named("openai") && named("outbound|443||api.openai.com") && clusters.include(&Cluster::Right));
        assert!(!named("openai2") && !named("open") && !named("") && !named("outbound|443||") && !named("*"));
        assert!(!clusters.include(&Cluster::Unknown) && !Clusters::default().include(&Cluster::Named(vec![])));
    }
}
