//! One configured instance of the filter: reads its policy, tells what is wrong with it, and makes streams.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::abi;
use super::host::{self, Host};
use super::metrics::{self, Metrics};
use super::stream::Stream;
use crate::policy::{Mode, Policy};
use crate::{VERSION, config};

/// What the streams of one instance share.
pub(super) struct Plugin {
    /// The policy.
    pub(super) policy: Policy,
    /// The host.
    pub(super) host: Box<dyn Host>,
    /// The counters.
    pub(super) metrics: RefCell<Metrics>,
}

/// The root context. Without a policy every request is refused.
#[derive(Default)]
pub(super) struct Root {
    plugin: Option<Rc<Plugin>>,
}

thread_local! {
    /// Digests of configurations that were refused, so that a host that offers them for every request
    /// again does not fill the log.
    static REFUSED: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let text = abi::configuration(size).unwrap_or_default();
        let host = host::detect();
        let loaded = match config::load(&text, &|name| std::env::var(name).ok()) {
            Ok(loaded) => match host.objection(&loaded.policy) {
                None => Some(loaded),
                Some(objection) => {
                    refuse(&text, &[objection]);
                    None
                }
            },
            Err(errors) => {
                refuse(&text, &errors);
                None
            }
        };
        metrics::configured(loaded.is_some());
        let Some(loaded) = loaded else {
            self.plugin = None;
            return false;
        };
        for warning in &loaded.warnings {
            ::log::warn!("config: {warning}");
        }
        let policy = loaded.policy;
        let mode = match policy.mode() {
            Mode::Enforce => "enforce",
            Mode::Report => "report",
        };
        ::log::info!("{VERSION} started: policy {}, mode {mode}, host {}", policy.digest(), host.describe());
        self.plugin = Some(Rc::new(Plugin { policy, host, metrics: RefCell::default() }));
        true
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.plugin.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
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
