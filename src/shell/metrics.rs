//! Counters, named so that a host's tag rules can take them apart; each is defined when first needed.

use std::collections::BTreeMap;

use super::abi;
use crate::decision::Decision;

/// The counters of one policy. Their number is bounded by its routes, the reasons and the kinds.
#[derive(Default)]
pub(super) struct Metrics {
    ids: BTreeMap<String, u32>,
}

impl Metrics {
    /// Counts a decision.
    pub(super) fn decided(&mut self, decision: &Decision<'_>) {
        let reason = decision.verdict.reason().map_or("none", |reason| reason.word());
        let route = decision.route.map_or("none", |route| route.label.as_str());
        self.count(format!(
            "gatekey_requests_total.result={}.reason={reason}.credential={}.route={route}",
            decision.verdict.word(),
            decision.shown.word(),
        ));
    }

    /// Counts a configuration that was taken or refused.
    pub(super) fn configured(&mut self, ok: bool) {
        let result = if ok { "ok" } else { "error" };
        self.count(format!("gatekey_config_total.result={result}"));
    }

    // Metrics are told, never asked: a host without them changes nothing.
    fn count(&mut self, name: String) {
        let id = match self.ids.get(&name) {
            Some(id) => *id,
            None => {
                let Ok(id) = abi::define_counter(&name) else {
                    return;
                };
                self.ids.insert(name, id);
                id
            }
        };
        let _ = abi::count(id);
    }
}
