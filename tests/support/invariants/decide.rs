//! The whole decision: nobody passes who did not show a credential of ours, and nobody is taken for somebody else.

use std::cell::OnceCell;

use gatekey::explain::{Explanation, explain};
use gatekey::head::Head;
use gatekey::json::Json;
use gatekey::policy::{Mode, Policy};
use serde_json::{Value, json};

use super::fixture::{self, Good, NOW_TIME};
use super::{credential, naive, script::Script};

/// Headers that only the policy may set, or that it strips.
pub const OWNED: [&str; 8] = [
    "x-user",
    "x-client",
    "x-roles",
    "x-auth-method",
    "x-strip-me",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
];

/// The routes of the policies: the label, which is the first segment of the path, the kind of route.
const ROUTES: [&str; 9] = ["open", "pre", "opt", "admin", "t", "both", "keys", "w", "api"];

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

struct World {
    good: Vec<Good>,
    enforce: Policy,
    report: Policy,
    unrouted: Policy,
}

/// The policy, as an object to be changed.
pub fn policy_json() -> Value {
    let digest = |key: &str| {
        let octets = gatekey::credential::key::digest(key.as_bytes());
        format!("sha256:{}", octets.iter().map(|b| format!("{b:02x}")).collect::<String>())
    };
    json!({
        "issuers": {
            "app": {"issuer": "https://app.test/", "audience": "api", "secret": {"value": fixture::APP_SECRET}},
            "partner": {"issuer": "https://partner.test/", "algorithms": ["HS512"], "secret": {"value": fixture::PARTNER_SECRET}},
        },
        "clients": {
            "acme": {"keys": [digest(fixture::ACME_KEY), {"sha256": digest(fixture::OLD_KEY), "expires": "2026-05-31T00:00:00Z"}]},
            "globex": {"key": digest(fixture::GLOBEX_KEY)},
        },
        "read": {"token": ["bearer", "header:x-token", "cookie:session", "query:access_token"], "key": ["header:x-api-key", "bearer", "cookie:key", "query:key"]},
        "routes": [
            {"name": "open", "path": "/open/**", "allow": "public"},
            {"name": "pre", "path": "/pre/**", "allow": "issuers", "preflight": true},
            {"name": "opt", "path": "/opt/**", "allow": {"any": ["issuers", "clients"], "optional": true}},
            {"name": "admin", "path": "/admin/**", "allow": {"any": ["app"], "role": "admin"}},
            {"name": "t", "path": "/t/{tenant}/**", "allow": {"any": ["app"], "claim": {"tenant": "{path.tenant}"}}},
            {"name": "both", "path": "/both/**", "allow": {"all": ["app", "clients"]}},
            {"name": "keys", "path": "/keys/**", "allow": "clients"},
            {"name": "w", "path": "/w/**", "method": ["POST", "PUT"], "host": "*.api.test", "header": {"x-env": "prod"}, "allow": "acme"},
            {"name": "api", "path": "/api/**", "allow": ["issuers", "clients"]},
        ],
        "upstream": {"set": {"X-User": "sub", "X-Client": "client", "X-Roles": "roles", "X-Auth-Method": "method"}, "strip": ["X-Strip-Me"]},
        "revoked": {"jti": ["gone"]},
    })
}

/// Loads a policy that must be right.
pub fn load(policy: &Value) -> Policy {
    let loaded = gatekey::config::load(policy.to_string().as_bytes(), &|_| None);
    loaded.map(|loaded| loaded.policy).map_err(|errors| format!("{errors:?}")).expect("a policy")
}

fn world() -> World {
    let enforce = policy_json();
    let (mut report, mut unrouted) = (enforce.clone(), enforce.clone());
    report["mode"] = json!("report");
    unrouted.as_object_mut().expect("an object").remove("routes");
    World { good: fixture::good(), enforce: load(&enforce), report: load(&report), unrouted: load(&unrouted) }
}

/// Takes a script: `r` reports, `n` has no routes, any other first octet enforces.
pub fn check(data: &[u8]) {
    decide(data);
}

/// As [`check`], and tells the decision.
pub fn decide(data: &[u8]) -> Explanation {
    WORLD.with(|world| {
        let world = world.get_or_init(self::world);
        let script = Script::read(data);
        let policy = match script.policy {
            b'r' => &world.report,
            b'n' => &world.unrouted,
            _ => &world.enforce,
        };
        judge(policy, &world.good, &script)
    })
}

fn judge(policy: &Policy, good: &[Good], script: &Script) -> Explanation {
    let pairs = script.pairs();
    let explanation = explain(policy, &Head { pairs: &pairs, complete: true }, NOW_TIME);
    let reports = policy.mode() == Mode::Report;
    match explanation.decision {
        "allow" => assert!(explanation.reason.is_none() && explanation.reply.is_none()),
        "report" => assert!(reports && explanation.reason.is_some() && explanation.reply.is_none()),
        "deny" => assert!(!reports && explanation.reason.is_some() && explanation.reply.is_some()),
        other => panic!("decision {other}"),
    }
    check_route(policy, &explanation, &pairs);
    let callers = check_callers(policy, &explanation, good, &pairs);
    check_upstream(policy, &explanation, &callers, &pairs);
    check_reply(&explanation, script, &pairs);
    check_unlisted(policy, &explanation, &pairs);
    explanation
}

/// The route is the one that a naive reader finds.
fn check_route(policy: &Policy, explanation: &Explanation, pairs: &[(&[u8], &[u8])]) {
    let Some(route) = explanation.route.as_deref() else {
        assert!(policy.routes().is_empty() || explanation.decision != "allow", "allowed without a route");
        return;
    };
    let target = naive::values(pairs, ":path").next().expect("a path");
    let segments = naive::segments(target);
    assert!(
        !naive::is_ambiguous(target) && segments[0] == route.as_bytes() && ROUTES.contains(&route),
        "not the route of this path"
    );
    if route == "w" {
        let asked = if is_preflight(pairs) { "access-control-request-method" } else { ":method" };
        let method = naive::values(pairs, asked).next().expect("a method");
        assert!(method == b"POST" || method == b"PUT", "not a method of this route");
        assert!(naive::values(pairs, "x-env").all(|value| value == b"prod"), "not the header of this route");
    }
}

fn is_preflight(pairs: &[(&[u8], &[u8])]) -> bool {
    let one =
        |name| naive::values(pairs, name).count() == 1 && naive::values(pairs, name).all(|value| !value.is_empty());
    naive::values(pairs, ":method").next() == Some(b"OPTIONS") && one("origin") && one("access-control-request-method")
}

/// Who the decision says the caller is: each of them stands in the request and may pass here.
fn check_callers<'g>(
    policy: &Policy,
    explanation: &Explanation,
    good: &'g [Good],
    pairs: &[(&[u8], &[u8])],
) -> Vec<&'g Good> {
    let text = |identity: &Json<'_>, name: &str| identity.get(name).and_then(Json::as_str).map(String::from);
    let shows = |caller: &Good| {
        let text = caller.text.as_bytes();
        pairs.iter().any(|(_, value)| naive::contains(value, text) || naive::contains(&naive::unescape(value), text))
    };
    let mut callers = Vec::new();
    if explanation.identity != Json::Null {
        for identity in std::iter::once(&explanation.identity).chain(&explanation.others) {
            let is = |caller: &&Good| {
                text(identity, "method").as_deref() == Some(caller.method)
                    && text(identity, "name").as_deref() == Some(caller.party)
                    && text(identity, "sub").as_deref() == caller.sub
            };
            let caller = good.iter().find(is).expect("somebody we know");
            assert!(shows(caller), "{} did not show a credential", caller.name);
            callers.push(caller);
        }
        assert_eq!(explanation.decision, "allow", "refused, and yet somebody");
    }
    if explanation.decision != "allow" {
        return callers;
    }
    let tenant = || {
        let target = naive::values(pairs, ":path").next().unwrap_or_default();
        naive::segments(target).get(1).cloned().unwrap_or_default()
    };
    let one = |may: &dyn Fn(&Good) -> bool| callers.len() == 1 && may(callers[0]);
    let may_pass = match explanation.route.as_deref() {
        Some("open") => callers.is_empty(),
        Some("pre") => one(&|c| c.method == "jwt") || (callers.is_empty() && is_preflight(pairs)),
        Some("opt") => one(&|_| true) || (callers.is_empty() && shows_nothing(pairs)),
        Some("admin") => one(&|c| c.admin),
        Some("t") => one(&|c| c.party == "app" && c.tenant.is_some_and(|own| own.as_bytes() == tenant())),
        Some("both") => callers.len() == 2 && callers[0].party == "app" && callers[1].method == "key",
        Some("keys") => one(&|c| c.method == "key"),
        Some("w") => one(&|c| c.party == "acme"),
        _ => one(&|_| true),
    };
    assert!(may_pass, "let in where the policy {} does not: {:?}", policy.digest(), explanation.route);
    callers
}

/// Whether no place of the policy holds anything.
fn shows_nothing(pairs: &[(&[u8], &[u8])]) -> bool {
    let empty = |value: &[u8]| value.is_empty() || value == b"\"\"";
    let bearer = |value: &[u8]| naive::has_bearer(value) && value.trim_ascii().len() > b"bearer".len();
    let parameters = naive::parameters(pairs);
    let parameter = |name: &[u8]| {
        parameters.iter().any(|p| {
            naive::parameter_name(p) == name && p.iter().position(|b| *b == b'=').is_some_and(|at| at + 1 < p.len())
        })
    };
    !naive::values(pairs, "authorization").any(bearer)
        && ["x-token", "x-api-key"].iter().all(|name| naive::values(pairs, name).all(empty))
        && ["session", "key"]
            .iter()
            .all(|name| naive::cookies(pairs, name).iter().all(|value| empty(value.trim_ascii())))
        && !parameter(b"access_token")
        && !parameter(b"key")
}

/// The service sees identity headers only with our values, and no credential.
fn check_upstream(policy: &Policy, explanation: &Explanation, callers: &[&Good], pairs: &[(&[u8], &[u8])]) {
    if explanation.reply.is_some() {
        return;
    }
    let upstream = explanation.edits.apply(pairs);
    let first = |field: &dyn Fn(&Good) -> Option<&'static str>| callers.iter().find_map(|caller| field(caller));
    let expected = [
        ("x-user", first(&|c| c.sub)),
        ("x-client", first(&|c| (c.method == "key").then_some(c.party))),
        ("x-auth-method", first(&|c| Some(c.method))),
        (
            "x-roles",
            first(&|c| match c.name {
                "good" => Some("reader"),
                "admin" => Some("admin"),
                _ => None,
            }),
        ),
    ];
    for (name, value) in &upstream {
        let folded = String::from_utf8(naive::folded(name)).unwrap();
        let routed = !policy.routes().is_empty();
        if OWNED.contains(&folded.as_str()) && (routed || !folded.ends_with("-url") && !folded.ends_with("override")) {
            let ours = expected.iter().find(|(name, _)| *name == folded).and_then(|(_, value)| *value);
            assert_eq!(ours.map(str::as_bytes), Some(value.as_slice()), "the service sees a {folded} that is not ours");
            assert_eq!(folded.as_bytes(), name, "another spelling of our header");
        }
        if name.eq_ignore_ascii_case(b"connection") {
            let names = value
                .split(|b| *b == b',')
                .map(|token| String::from_utf8_lossy(token.trim_ascii()).to_ascii_lowercase().replace('_', "-"));
            assert!(
                names.into_iter().all(|token| !expected.iter().any(|(name, _)| *name == token)),
                "Connection drops our header"
            );
        }
    }
    for (name, value) in expected {
        let found = upstream.iter().filter(|(n, _)| n == name.as_bytes()).count();
        assert_eq!(found, usize::from(value.is_some()), "{name} is there {found} times");
    }
    let other = |name: &[u8]| !policy.owns(name) && !name.eq_ignore_ascii_case(b"connection");
    let before: Vec<(&[u8], &[u8])> = pairs.iter().filter(|(name, _)| other(name)).copied().collect();
    let after: Vec<(Vec<u8>, Vec<u8>)> = upstream.into_iter().filter(|(name, _)| other(name)).collect();
    match policy.mode() {
        Mode::Enforce => credential::check_hidden(&credential::places(b'e'), &before, &after),
        // A request that is only watched goes on as it came.
        Mode::Report => assert!(
            before.iter().copied().eq(after.iter().map(|(n, v)| (n.as_slice(), v.as_slice()))),
            "the request was changed"
        ),
    }
}

/// A refused caller is told nothing that stood in the request, but for the request id.
fn check_reply(explanation: &Explanation, script: &Script, pairs: &[(&[u8], &[u8])]) {
    let Some(reply) = &explanation.reply else { return };
    let headers: String = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let text = format!("{headers}\n{}\n{}", reply.body, reply.details);
    assert!(!reply.body.is_empty() && matches!(reply.status, 400 | 401 | 403 | 503), "status {}", reply.status);
    assert!(text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)), "odd octets in {text:?}");
    let id = naive::values(pairs, "x-request-id").next().unwrap_or_default();
    for secret in script.filled.iter().filter(|secret| secret.len() >= 8 && !naive::contains(id, secret)) {
        assert!(!naive::contains(text.as_bytes(), secret), "a credential is echoed");
    }
}

/// A host that cannot list headers comes to the same decision and lets the same headers through.
fn check_unlisted(policy: &Policy, explanation: &Explanation, pairs: &[(&[u8], &[u8])]) {
    let wanted = policy.wanted_headers();
    let seen: Vec<(&[u8], &[u8])> = pairs
        .iter()
        .filter(|(name, _)| name.starts_with(b":") || wanted.iter().any(|w| name.eq_ignore_ascii_case(w.as_bytes())))
        .copied()
        .collect();
    if naive::values(pairs, ":authority").next().is_none() && naive::values(pairs, "host").next().is_some() {
        return; // Such hosts always give the authority.
    }
    // A header that is compared stands in two spellings: that is seen only where headers are listed.
    let respelled = |name: &[u8]| {
        let same = |other: &str| naive::folded(name) == naive::folded(other.as_bytes());
        policy.compared_headers().any(|other| same(other) && !name.eq_ignore_ascii_case(other.as_bytes()))
    };
    if pairs.iter().any(|(name, _)| respelled(name)) {
        return;
    }
    let other = explain(policy, &Head { pairs: &seen, complete: false }, NOW_TIME);
    assert_eq!(
        (other.decision, other.reason, &other.route),
        (explanation.decision, explanation.reason, &explanation.route)
    );
    if explanation.reply.is_none() {
        // Unseen headers go by their spellings in hyphens and underscores; nginx takes no other signs in names.
        let plain = |name: &[u8]| name.iter().all(|b| b.is_ascii_alphanumeric() || b":-_".contains(b));
        let view = |edits: &gatekey::edit::Edits| {
            edits.apply(pairs).into_iter().filter(|(name, _)| plain(name)).collect::<Vec<_>>()
        };
        assert_eq!(view(&other.edits), view(&explanation.edits), "other headers get through");
    }
}
