//! Counters, named so that a host's tag rules can take them apart; each is defined when first needed.

use std::collections::BTreeMap;

use super::abi;
use crate::decision::Decision;
use crate::deny::Reason;

/// The counters of one policy. Their number is bounded by its routes, the reasons and the kinds.
#[derive(Default)]
pub(super) struct Metrics {
    ids: BTreeMap<Tags, u32>,
}

/// What tells the counters of decisions apart: result, reason, credential and route.
type Tags = (&'static str, Option<usize>, &'static str, Option<usize>);

impl Metrics {
    /// Counts a decision.
    pub(super) fn decided(&mut self, decision: &Decision<'_>) {
        let (result, reason) = (decision.verdict.word(), decision.verdict.reason());
        let shown = decision.shown.word();
        let tags = (result, reason.map(Reason::index), shown, decision.route.map(|route| route.index));
        let id = match self.ids.get(&tags) {
            Some(id) => *id,
            None => {
                let reason = reason.map_or("none", Reason::word);
                let route = decision.route.map_or("none", |route| route.label.as_str());
                let name =
                    format!("gatekey_requests_total.result={result}.reason={reason}.credential={shown}.route={route}");
                let Ok(id) = abi::define_counter(&name) else {
                    return;
                };
                self.ids.insert(tags, id);
                id
            }
        };
        // Metrics are told, never asked: a host without them changes nothing.
        let _ = abi::count(id);
    }
}

/// Counts a configuration that was taken or refused.
pub(super) fn configured(ok: bool) {
    let result = if ok { "ok" } else { "error" };
    if let Ok(id) = abi::define_counter(&format!("gatekey_config_total.result={result}")) {
        let _ = abi::count(id);
    }
}
