//! Sends a case through a started Envoy and gathers what caller, service, access log and counters saw of it.

use std::collections::BTreeMap;

use super::bootstrap::{DOMAIN, ROUTE};
use super::echo::Echo;
use super::envoy::Envoy;
use super::http::{Client, encode};
use super::{Case, CaseFile, ON_THE_HOST, Outcome};

/// A run of the table: counters are compared from case to case.
pub struct Run<'a> {
    envoy: &'a Envoy,
    echo: &'a Echo,
    counted: BTreeMap<String, u64>,
}

impl<'a> Run<'a> {
    pub fn new(envoy: &'a Envoy, echo: &'a Echo) -> Self {
        Self { envoy, echo, counted: counted(envoy).expect("counters") }
    }

    /// Sends one case on its own connection and gathers what every side saw of it.
    ///
    /// # Errors
    /// Where the sides contradict each other, or one saw nothing.
    pub fn outcome(&mut self, file: &CaseFile, case: &Case) -> Result<Outcome, String> {
        self.echo.take();
        let logged = self.envoy.logged();
        let mut sent = case.request.clone();
        match sent.policy.as_deref().map(|name| (name, name.strip_prefix(ON_THE_HOST))) {
            Some((_, Some(name))) => {
                sent.headers.retain(|(name, _)| name != "host");
                sent.headers.push(("host".into(), format!("{name}{DOMAIN}").into()));
            }
            Some((name, None)) => sent.headers.push((ROUTE.into(), name.into())),
            None => {}
        }
        let request = encode(&sent);
        let mut client = Client::connect(self.envoy.listener(&file.name))?;
        if let Some(address) = case.request.peer.address {
            client.introduce(address)?;
        }
        let answer = client.send(&request, request.starts_with(b"HEAD "))?;
        let mut seen = self.echo.take();
        if seen.len() > 1 {
            return Err(format!("the service got {} requests", seen.len()));
        }
        let counted = counted(self.envoy)?;
        let before = std::mem::replace(&mut self.counted, counted);
        let mut outcome = Outcome {
            status: answer.status,
            upstream: seen.pop().map(|seen| seen.pairs()),
            response: answer.headers,
            body: answer.body,
            ..Outcome::default()
        };
        if case.expect.envoy_status.is_some() {
            return Ok(outcome);
        }
        let labels = moved(&before, &self.counted)?;
        let line = self.envoy.access_of(client.local(), logged)?;
        let of =
            |label: &str| labels.get(label).cloned().ok_or_else(|| format!("the counter has no {label}: {labels:?}"));
        let reason = Some(of("reason")?).filter(|reason| reason != "none");
        let decision = of("result")?;
        let details = line["details"].as_str().unwrap_or_default();
        let told = details.strip_prefix("gatekey{").and_then(|rest| rest.strip_suffix('}'));
        let should_tell = reason.as_deref().filter(|_| decision == "deny");
        if told != should_tell {
            return Err(format!("response code details {details:?} beside the counter {labels:?}"));
        }
        if file.policy.pointer("/upstream/publish").is_some_and(|publish| publish == "auth") {
            let state = (line["auth_result"].as_str(), line["auth_reason"].as_str());
            if state != (Some(decision.as_str()), reason.as_deref()) {
                return Err(format!("filter state {state:?} beside the counter {labels:?}"));
            }
        }
        outcome.decision = Some(decision);
        outcome.reason = reason;
        outcome.route = Some(of("route")?);
        Ok(outcome)
    }
}

/// The request counters of all policies.
pub fn counted(envoy: &Envoy) -> Result<BTreeMap<String, u64>, String> {
    envoy.stats("gatekey_requests_total")
}

/// The labels of the one counter that moved by one.
fn moved(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Result<BTreeMap<String, String>, String> {
    let grown: Vec<_> = after.iter().filter(|(name, count)| before.get(*name) != Some(count)).collect();
    let [(name, count)] = grown[..] else {
        return Err(format!("one counter must move; these did: {grown:?}"));
    };
    if *count != before.get(name).unwrap_or(&0) + 1 {
        return Err(format!("{name} moved from {:?} to {count}", before.get(name)));
    }
    let pair = |part: &str| part.split_once('=').map(|(label, value)| (label.to_string(), value.to_string()));
    Ok(name.split('.').filter_map(pair).collect())
}
