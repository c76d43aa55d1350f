//! Finds routes that no request reaches, because a route before them takes all of theirs, or the filter answers itself.

use super::node::Node;
use crate::path::Pattern;
use crate::policy::Policy;
use crate::route::{HeaderPattern, Route};

/// How many pairs of path patterns are compared at most: a warning must not hold up a start.
const COMPARISONS: usize = 100_000;

/// Warns about routes that are never reached. `routes` are in the order of `nodes` unless there are errors.
pub(super) fn warn_unreached(routes: &[Route], nodes: &[Node<'_>]) {
    let patterns: usize = routes.iter().map(|route| route.paths.len() + 1).sum();
    if routes.len() != nodes.len() || patterns.saturating_mul(patterns) > COMPARISONS {
        return;
    }
    for (index, (route, node)) in routes.iter().zip(nodes).enumerate() {
        let mut earlier = routes.iter().zip(nodes).take(index);
        if let Some((_, first)) = earlier.find(|(earlier, _)| takes_all(earlier, route)) {
            node.warn(format!("is never reached: {} takes every request that it matches", first.path()), None);
        }
    }
}

/// Warns about routes for paths under which the filter serves something itself; `nodes` are those of the policy's routes.
pub(super) fn warn_served(policy: &Policy, nodes: &[Node<'_>]) {
    let asked = |method: &String| ["GET", "HEAD", "OPTIONS"].contains(&method.as_str());
    for (route, node) in policy.routes().iter().zip(nodes) {
        let reads = !route.methods.is_empty() && route.methods.iter().all(asked);
        let takes = |path: &str| {
            policy.token_endpoint.as_ref().is_some_and(|endpoint| endpoint.path == path)
                || (reads && policy.documents.iter().any(|document| document.path == path))
        };
        if !route.paths.is_empty() && route.paths.iter().all(|path| takes(path.text())) {
            node.warn("is never reached: the filter itself answers under this path", None);
        }
    }
}

/// Whether every request that `late` matches is matched by `early`.
fn takes_all(early: &Route, late: &Route) -> bool {
    let subset = |early_is_any: bool, late_is_any: bool, each: bool| early_is_any || (!late_is_any && each);
    subset(
        early.paths.is_empty() || early.paths.iter().any(|path| segments(path) == ["**"]),
        late.paths.is_empty(),
        late.paths.iter().all(|late| early.paths.iter().any(|early| covers(early, late))),
    ) && subset(
        early.methods.is_empty(),
        late.methods.is_empty(),
        late.methods.iter().all(|method| early.methods.contains(method)),
    ) && subset(early.hosts.is_empty(), late.hosts.is_empty(), late.hosts.iter().all(|host| early.hosts.contains(host)))
        && early.headers.iter().all(|early| late.headers.iter().any(|late| narrower(late, early)))
}

fn narrower(late: &HeaderPattern, early: &HeaderPattern) -> bool {
    late.name == early.name && late.one_of.iter().all(|value| early.one_of.contains(value))
}

fn segments(pattern: &Pattern) -> Vec<&str> {
    pattern.text().split('/').filter(|segment| !segment.is_empty()).collect()
}

/// Whether every path that `late` matches is matched by `early`.
fn covers(early: &Pattern, late: &Pattern) -> bool {
    let (early, late) = (segments(early), segments(late));
    let (fixed, open) = match early.split_last() {
        Some((&"**", fixed)) => (fixed, true),
        _ => (early.as_slice(), false),
    };
    let late_fixed = late.strip_suffix(&["**"]).unwrap_or(&late);
    let long_enough = if open {
        late_fixed.len() >= fixed.len()
    } else {
        late.len() == fixed.len() && late_fixed.len() == late.len()
    };
    let wild = |segment: &str| segment == "*" || segment.starts_with('{');
    long_enough && fixed.iter().zip(late_fixed).all(|(early, late)| wild(early) || early == late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_patterns() {
        let covers = |a, b| covers(&Pattern::parse(a).unwrap(), &Pattern::parse(b).unwrap());
        for (early, late) in [
            ("/a/**", "/a"),
            ("/a/**", "/a/b/**"),
            ("/*", "/a"),
            ("/{x}/b", "/*/b"),
            ("/a/", "/a"),
            ("/**", "/"),
            ("/a/**", "/a/**"),
        ] {
            assert!(covers(early, late), "{early} {late}");
        }
        for (early, late) in
            [("/a", "/a/**"), ("/a", "/*"), ("/a/**", "/**"), ("/a/*", "/a"), ("/a/*/**", "/a/**"), ("/b", "/a")]
        {
            assert!(!covers(early, late), "{early} {late}");
        }
    }
}
