//! Before anything is measured: does each variant do what its name says?

use crate::Outcome;
use crate::credentials::Credentials;
use crate::envoy::Envoy;
use crate::load::Connection;
use crate::variants::Variant;

/// Asks each variant, and looks at the status, at the one counter that names the decision, and at the
/// headers that the service would get.
pub fn variants(envoy: &Envoy, variants: &[&'static Variant], made: &Credentials) -> Outcome<()> {
    variants.iter().try_for_each(|variant| {
        verify(envoy, **variant, made).map_err(|why| format!("{} does not work: {why}", variant.name).into())
    })
}

fn verify(envoy: &Envoy, variant: Variant, made: &Credentials) -> Outcome<()> {
    let mut connection = Connection::open(envoy.listener(variant.filter)?)?;
    let credential = variant.credentials(made).first().ok_or("no credential")?;
    let request = [&variant.request("/orders/seen"), credential.as_bytes(), b"\r\n\r\n"].concat();
    // Asked twice, so that a cache has seen the token.
    connection.ask(&request)?;
    let before = envoy.counters()?;
    let answer = connection.ask(&request)?;
    if answer.status != variant.status {
        return Err(format!("it answers {} in place of {}: {}", answer.status, variant.status, answer.text()).into());
    }
    for (name, expected) in variant.identity() {
        let seen = answer.header(&format!("x-seen-{name}"));
        if seen.as_deref() != Some(*expected) {
            return Err(format!("the service would see x-{name}: {seen:?} in place of {expected}").into());
        }
    }
    let after = envoy.counters()?;
    let moved: Vec<&String> =
        after.iter().filter(|(name, now)| before.get(*name).unwrap_or(&0) < *now).map(|(name, _)| name).collect();
    if variant.counted.is_empty() {
        return if moved.is_empty() { Ok(()) } else { Err(format!("a filter ran: {moved:?}").into()) };
    }
    let counted =
        |name: &&String| name.contains(variant.counted) && (!variant.filter.is_ours() || name.contains("gatekey"));
    if moved.iter().any(counted) {
        Ok(())
    } else {
        Err(format!("no counter with {} moved, but {moved:?}", variant.counted).into())
    }
}

/// How many requests gatekey has decided.
pub fn decided(envoy: &Envoy) -> Outcome<u64> {
    let counters = envoy.counters()?;
    Ok(counters.iter().filter(|(name, _)| name.contains("gatekey_requests_total")).map(|(_, count)| count).sum())
}
