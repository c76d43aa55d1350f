//! Finds policies under which browsers get nowhere: logins that go round in circles, scripts that are stopped by their
//! own preflights.

use super::node::{Fields, Node};
use crate::credential::Location;
use crate::deny::Code;
use crate::login::Login;
use crate::path::NormalPath;
use crate::policy::{Policy, Routing};
use crate::route::Route;
use crate::rule::Rule;

/// Warns about one of the policies, whose own sections these are. `main` holds all of them: the proxy's route decides
/// under which the login page stands.
pub(super) fn warn(sections: &Fields<'_>, policy: &Policy, main: &Policy) {
    let deny = sections.get("deny").and_then(|node| node.open_fields());
    if let (Some(node), Some(login)) = (deny.and_then(|deny| deny.get("login")), &policy.deny.login) {
        warn_login(&node, login, main);
    }
    if let Some(node) =
        sections.get("cors").filter(|_| !policy.preflight && !policy.routes().iter().any(passes_preflight))
        && !matches!(&policy.routing, Routing::Everything(rule) if is_open(rule, &[]))
    {
        let message = "no preflight passes, without which browsers send no request with a token from another origin";
        node.warn(message, Some("set `preflight: true`, here or at a route"));
    }
}

fn warn_login(node: &Node<'_>, login: &Login, main: &Policy) {
    if !main.read.locations().any(|place| matches!(place, Location::Cookie(_))) {
        node.warn(
            "no cookie is read, and a browser shows nothing else: after its login it is sent there again and again",
            Some("name the cookie in `read`, as in token: [bearer, cookie:session]"),
        );
    }
    let url = node.open_fields().and_then(|fields| fields.scalar("url"));
    if let Some(url) = url.filter(|_| login.url.starts_with('/'))
        && !main.all().any(|policy| lets_in(policy, login))
    {
        let message = "is a path of this host that not every browser may GET, so that some go round in circles";
        url.warn(message, Some("give it a route with `allow: public`"));
    }
}

/// Whether every browser that is sent to the login page of this host gets it.
fn lets_in(policy: &Policy, login: &Login) -> bool {
    let Ok(path) = NormalPath::read(login.url.as_bytes()) else {
        return false;
    };
    let takes = |route: &&Route| {
        let path_fits = route.paths.is_empty() || route.paths.iter().any(|pattern| pattern.matches(&path).is_some());
        path_fits && (route.methods.is_empty() || route.methods.iter().any(|method| method == "GET"))
    };
    match &policy.routing {
        Routing::Everything(rule) => is_open(rule, &login.codes),
        Routing::Table(routes) => {
            // Whether a route of some hosts or headers takes the request cannot be known here; it may.
            let sure = |route: &Route| route.hosts.is_empty() && route.headers.is_empty();
            let decisive = routes.iter().filter(takes).find(|route| sure(route) || is_open(&route.rule, &login.codes));
            decisive.is_some_and(|route| is_open(&route.rule, &login.codes))
        }
    }
}

/// Whether a rule lets browsers pass that were refused with one of these codes.
fn is_open(rule: &Rule, codes: &[Code]) -> bool {
    match rule {
        Rule::Public => true,
        // A credential that does not count is refused there too.
        Rule::Require(requirement) => requirement.optional && codes.iter().all(|code| *code == Code::CredentialMissing),
    }
}

/// Whether a route lets preflights pass, or was made for them.
fn passes_preflight(route: &Route) -> bool {
    let takes_options = route.methods.iter().any(|method| method == "OPTIONS");
    route.preflight || (takes_options && is_open(&route.rule, &[]))
}
