//! Counters, named so that a host's tag rules can take them apart; each is defined when first needed.

use std::collections::BTreeMap;

use super::abi;
use crate::cache::Counts;
use crate::decision::Decision;
use crate::deny::Reason;
use crate::jose::introspection;
use crate::jose::issuer::Issuers;
use crate::jwks::fetch::Outcome;
use crate::list;

/// The counters of one policy. Their number is bounded by its routes, the reasons and the kinds.
#[derive(Default)]
pub(super) struct Metrics {
    ids: BTreeMap<Tags, u32>,
    /// The gauges of key sets, by the index of the issuer.
    ages: BTreeMap<usize, u32>,
    /// The gauges of lists, by their index: entries and age.
    lists: BTreeMap<usize, [Option<u32>; 2]>,
}

/// What tells the counters of decisions apart: policy, result, reason, credential and route.
type Tags = (usize, &'static str, Option<usize>, &'static str, Option<usize>);

impl Metrics {
    /// Counts a decision.
    pub(super) fn decided(&mut self, decision: &Decision<'_>) {
        let (result, reason) = (decision.verdict.word(), decision.verdict.reason());
        let shown = decision.shown.word();
        let tags =
            (decision.policy.index, result, reason.map(Reason::index), shown, decision.route.map(|route| route.index));
        let id = match self.ids.get(&tags) {
            Some(id) => *id,
            None => {
                let reason = reason.map_or("none", Reason::word);
                let route = decision.route.map_or("none", |route| route.label.as_str());
                let policy = decision.policy.label().map(|name| format!(".policy={name}")).unwrap_or_default();
                let name = format!(
                    "gatekey_requests_total{policy}.result={result}.reason={reason}.credential={shown}.route={route}"
                );
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

impl Metrics {
    /// Counts a fetch of an issuer's keys.
    pub(super) fn fetched(&mut self, issuers: &Issuers, issuer: usize, outcome: Outcome) {
        let Some(issuer) = issuers.get(issuer) else {
            return;
        };
        let name = format!("gatekey_key_fetches_total.issuer={}.outcome={}", issuer.name, outcome.word());
        if let Ok(id) = abi::define_counter(&name) {
            let _ = abi::count(id);
        }
    }

    /// Counts a question about a token.
    pub(super) fn introspected(&mut self, issuers: &Issuers, issuer: usize, outcome: introspection::Outcome) {
        let Some(issuer) = issuers.get(issuer) else {
            return;
        };
        let name = format!("gatekey_introspections_total.issuer={}.outcome={}", issuer.name, outcome.word());
        if let Ok(id) = abi::define_counter(&name) {
            let _ = abi::count(id);
        }
    }

    /// Tells how many seconds ago an issuer's keys were confirmed; nothing where there are none.
    pub(super) fn keys_age(&mut self, issuers: &Issuers, index: usize, age: Option<i64>) {
        let (Some(issuer), Some(age)) = (issuers.get(index), age.and_then(|age| u64::try_from(age / 1000).ok())) else {
            return;
        };
        let id = match self.ages.get(&index) {
            Some(id) => *id,
            None => {
                let Ok(id) = abi::define_gauge(&format!("gatekey_keys_age_seconds.issuer={}", issuer.name)) else {
                    return;
                };
                self.ages.insert(index, id);
                id
            }
        };
        let _ = abi::record(id, age);
    }

    /// Counts a fetch of a list.
    pub(super) fn list_fetched(&mut self, list: &str, outcome: list::life::Outcome) {
        let name = format!("gatekey_list_fetches_total.list={list}.outcome={}", outcome.word());
        if let Ok(id) = abi::define_counter(&name) {
            let _ = abi::count(id);
        }
    }

    /// Tells how many entries a list has, and how many seconds ago it was confirmed.
    pub(super) fn list_state(&mut self, list: &str, index: usize, entries: usize, age: i64) {
        let ids = self.lists.entry(index).or_insert_with(|| {
            let gauge = |what| abi::define_gauge(&format!("gatekey_list_{what}.list={list}")).ok();
            [gauge("entries"), gauge("age_seconds")]
        });
        let values = [u64::try_from(entries).ok(), u64::try_from(age / 1000).ok()];
        for (id, value) in ids.iter().zip(values) {
            if let (Some(id), Some(value)) = (id, value) {
                let _ = abi::record(*id, value);
            }
        }
    }

    /// Counts what was asked of the cache since the last time.
    pub(super) fn cached(&mut self, counts: Counts) {
        for (result, number) in [("hit", counts.hits), ("miss", counts.misses)] {
            if number > 0
                && let Ok(number) = i64::try_from(number)
                && let Ok(id) = abi::define_counter(&format!("gatekey_token_cache_total.result={result}"))
            {
                let _ = abi::count_many(id, number);
            }
        }
    }
}

/// Counts a configuration that was taken or refused.
pub(super) fn configured(ok: bool) {
    let result = if ok { "ok" } else { "error" };
    if let Ok(id) = abi::define_counter(&format!("gatekey_config_total.result={result}")) {
        let _ = abi::count(id);
    }
}
