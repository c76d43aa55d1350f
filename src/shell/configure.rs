//! Makes an instance of the filter from its configuration, or tells what is wrong with that.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::abi;
use super::host;
use super::metrics;
use super::offload::HostOffload;
use super::plugin::Plugin;
use crate::config;

thread_local! {
    /// Digests of configurations that were refused, so that a host that offers them for every request
    /// again does not fill the log.
    static REFUSED: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

/// Reads the configuration of a root context, of `size` octets.
pub(super) fn load(root: u32, size: usize) -> Option<Plugin> {
    let text = abi::configuration(size).unwrap_or_default();
    let host = host::detect();
    let loaded = config::load(&text, &|name| std::env::var(name).ok()).map_err(|errors| refuse(&text, &errors)).ok();
    let ready = loaded.and_then(|loaded| {
        let offload = HostOffload::probe(loaded.policy.issuers());
        let objection = host.objection(&loaded.policy).or_else(|| offload.objection(&loaded.policy));
        match objection {
            None => Some((loaded, offload)),
            Some(objection) => {
                refuse(&text, &[objection]);
                None
            }
        }
    });
    metrics::configured(ready.is_some());
    let (loaded, offload) = ready?;
    for warning in &loaded.warnings {
        ::log::warn!("config: {warning}");
    }
    Some(Plugin::new(root, loaded.policy, host, offload))
}

/// Tells everything that is wrong with a configuration, once.
fn refuse(text: &[u8], errors: &[impl Display]) {
    const REMEMBERED: usize = 256;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let digest = hasher.finish();
    let is_new = REFUSED.try_with(|refused| {
        let Ok(mut refused) = refused.try_borrow_mut() else {
            return true;
        };
        if refused.len() >= REMEMBERED {
            refused.clear();
        }
        refused.insert(digest)
    });
    if is_new.unwrap_or(true) {
        errors.iter().for_each(|error| ::log::error!("config: {error}"));
    }
}
