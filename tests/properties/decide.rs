//! Whole decisions over hostile requests: nobody gets in, nobody is taken for somebody else, nothing panics.

use proptest::prelude::*;

use crate::invariants::decide::{OWNED, decide};
use crate::{cases, one_of};

/// Values that are credentials of nobody, whole or in pieces.
fn worthless() -> BoxedStrategy<String> {
    one_of(&[
        "",
        " ",
        "${good!9}",
        "${good!200}",
        "${unclaimed}",
        "${unclaimed}.",
        "${unclaimed}.AA",
        "${unclaimed}..${sig}",
        ".${sig}",
        "${sig}",
        "${expired}",
        "${early}",
        "${endless}",
        "${aud}",
        "${iss}",
        "${bound}",
        "${revoked}",
        "${twice}",
        "${control}",
        "${cross}",
        "${forged}",
        "${none}",
        "${unsigned}",
        "${oldkey}",
        "${nokey}",
        "${key!3}",
        "e30.e30.AA",
        "eyJhbGciOiJub25lIn0.e30.",
        "%{ff}%{fe}",
        "a%{00}b",
        "%{0d}%{0a}x",
        "Basic eDp5",
        "null",
        "undefined",
        "true",
        "{{sub}}",
    ])
    .boxed()
}

fn good() -> impl Strategy<Value = String> {
    one_of(&["${good}", "${admin}", "${partner}", "${key}", "${key2}"])
}

fn policy() -> impl Strategy<Value = String> {
    one_of(&["e", "e", "r", "n"])
}

fn method() -> impl Strategy<Value = String> {
    one_of(&["GET", "POST", "PUT", "OPTIONS", "get", "CONNECT", "G%{ff}T"])
}

fn protected() -> impl Strategy<Value = String> {
    one_of(&[
        "/pre/x",
        "/admin/x",
        "/admin",
        "//admin/",
        "/open/../admin/x",
        "/open/%2e%2e/admin",
        "/open/..%2fadmin",
        "/t/acme/x",
        "/both/x",
        "/keys/x",
        "/w/x",
        "/api/x",
        "/",
        "",
        "/unknown",
        "/OPEN/x",
        "/open;/x",
        "/opena",
        "*",
        "http://a/open/x",
        "/api/x#/open/x",
        "/api/\\..\\open",
    ])
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![3 => protected(), 1 => one_of(&["/open/x", "/open", "/opt/x", "/opt", "/%6fpen/x", "/pre/../open"])]
}

/// A header that may carry a credential, or something else that could matter.
fn header(value: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let scheme = one_of(&[
        "Bearer ",
        "bearer  ",
        "BEARER ",
        "Bearer",
        "Bearer\t",
        "Bearer: ",
        "Bearer=",
        "Bearer Bearer ",
        "Basic ",
        "Basic x, Bearer ",
        "Bearer ,",
        "ApiKey ",
        "",
        " ",
    ]);
    let owned = proptest::sample::select(OWNED.as_slice());
    prop_oneof![
        4 => (scheme, value.clone(), one_of(&["", "", "", ",", ", ", " x", "%{09}"])).prop_map(|(s, v, end)| format!("authorization: {s}{v}{end}")),
        1 => (value.clone(), value.clone()).prop_map(|(a, b)| format!("Authorization: Bearer {a}, Bearer {b}")),
        2 => (one_of(&["x-token", "X-TOKEN", "x_token", "x-api-key", "X-Api-Key", "x_api_key", "x-other"]), value.clone()).prop_map(|(n, v)| format!("{n}: {v}")),
        2 => (one_of(&["session", " session ", "key", "Session", "other"]), value.clone()).prop_map(|(n, v)| format!("cookie: a=1;{n}={v}; b")),
        2 => (owned, any::<u8>(), value.clone()).prop_map(|(name, bits, v)| format!("{}: {v}", respelled(name, bits))),
        1 => one_of(&["connection: X-User, x_roles, close", "connection: authorization", "x-forwarded-uri: /open/x", "x-original-url: /open/x", "x-http-method-override: GET"]),
        1 => one_of(&["origin: https://web.test", "origin: ", "access-control-request-method: POST", "access-control-request-method: "]),
        1 => one_of(&[":authority: eu.api.test", ":authority: EU.API.TEST.:443", ":authority: api.test", "x-env: prod", "x-env: dev", "content-type: application/grpc+proto", "x-request-id: a\"b"]),
    ]
}

fn respelled(name: &str, bits: u8) -> String {
    let spelled = name.chars().enumerate().map(|(at, c)| match c {
        '-' if bits >> (at % 7) & 1 == 1 => '_',
        _ if bits >> (at % 5) & 1 == 1 => c.to_ascii_uppercase(),
        _ => c,
    });
    spelled.collect()
}

fn query(value: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let parameter = (one_of(&["access_token", "%61ccess_token", "key", "k%65y", "token", "Access_Token"]), value)
        .prop_map(|(n, v)| format!("{n}={v}"));
    proptest::collection::vec(parameter, 0..2)
        .prop_map(|p| if p.is_empty() { String::new() } else { format!("?a=1&{}&z", p.join("&")) })
}

proptest! {
    #![proptest_config(cases(768))]

    #[test]
    fn nobody_gets_in_without_a_credential(
        policy in policy(), method in method(), path in protected(), query in query(worthless()), headers in proptest::collection::vec(header(worthless()), 0..5),
    ) {
        let script = format!("{policy} {method} {path}{query}\n{}", headers.join("\n"));
        let explanation = decide(script.as_bytes());
        let preflight = method == "OPTIONS" && explanation.route.as_deref() == Some("pre");
        prop_assert!(explanation.decision != "allow" || preflight, "{script}");
        prop_assert_eq!(&explanation.identity, &gatekey::json::Json::Null);
    }

    #[test]
    fn hostile_requests_keep_every_invariant(
        policy in policy(), method in method(), path in any_path(), query in query(prop_oneof![worthless(), good()].boxed()),
        headers in proptest::collection::vec(header(prop_oneof![worthless(), good()].boxed()), 0..6),
    ) {
        decide(format!("{policy} {method} {path}{query}\n{}", headers.join("\n")).as_bytes());
    }

    #[test]
    fn good_requests_pass_among_spoofed_headers(
        policy in policy(), credential in good(), key_header in any::<bool>(), names in proptest::collection::vec((proptest::sample::select(OWNED.as_slice()), any::<u8>()), 0..5),
    ) {
        let is_key = credential.contains("key");
        let shown = if is_key && key_header { format!("x-api-key: {credential}") } else { format!("authorization: Bearer {credential}") };
        let spoofed: String = names.iter().map(|(name, bits)| format!("{}: root\n", respelled(name, *bits))).collect();
        let explanation = decide(format!("{policy} GET /api/x\n{spoofed}{shown}\n{spoofed}").as_bytes());
        prop_assert_eq!(explanation.decision, "allow");
    }

    #[test]
    fn any_octets_keep_every_invariant(octets in proptest::collection::vec(any::<u8>(), 0..120)) {
        decide(&octets);
    }
}
