//! Hiding credentials and removing identity headers, however they are spelled.

use gatekey::upstream::Strip;
use proptest::prelude::*;

use crate::invariants::credential;
use crate::{cases, one_of};

/// A name with every letter in either case and every hyphen as either of the two.
fn respelled(name: &'static str) -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<bool>(), name.len()).prop_map(move |flips| {
        let flip = |(c, flip): (char, bool)| match c {
            '-' if flip => '_',
            _ if flip => c.to_ascii_uppercase(),
            _ => c,
        };
        name.chars().zip(flips).map(flip).collect()
    })
}

fn pair() -> impl Strategy<Value = String> {
    let known = one_of(&[
        "session=tok",
        "session=",
        "session",
        " session = tok",
        "session=\"tok\"",
        "session=\"a",
        "key=k",
        "Session=tok",
        "sessions=1",
        "a=session=x",
        "a=1",
        "b=\"x y\"",
        "",
        " ",
        "=x",
        "=",
        "s%65ssion=1",
        "c==",
        "d=%ff",
        "access_token=t",
        "%61ccess_token=t",
        "access_token",
        "access_token=",
        "t+t=1",
        "Access_Token=1",
        "access%5Ftoken=1&",
        "k%65y=1",
        "%6=1",
        "?",
        "a?access_token=1",
        "#access_token=1",
    ]);
    prop_oneof![6 => known, 1 => "[ -~]{0,6}"]
}

fn joined(separator: &'static str) -> impl Strategy<Value = String> {
    proptest::collection::vec(pair(), 0..6).prop_map(move |pairs| pairs.join(separator))
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn hiding_leaves_the_rest(
        places in one_of(&["b", "c", "q", "h", "e"]), query in joined("&"), first in joined("; "), second in joined(";"),
        authorization in one_of(&["Bearer x", "bearer", "Basic x", "Basic x, Bearer y", "Digest a=\"bearer x\"", "", "BEARER  x y", "Bearerx"]), twice in any::<bool>(),
    ) {
        let again = if twice { format!("authorization: Basic z\ncookie: {second}\nx-token: t\n") } else { String::new() };
        let script = format!("{places} GET /p?{query}\nAuthorization: {authorization}\ncookie: {first}\nx-api-key: k\n{again}x-other: session=tok");
        credential::check(script.as_bytes());
    }

    #[test]
    fn strip_covers_every_spelling(name in respelled("x-auth-user-id"), prefixed in respelled("x-id-anything"), other in "[a-zA-Z0-9_-]{0,16}") {
        let strip = Strip::new(["X-Auth-User-Id"], ["X_Id-"]);
        prop_assert!(strip.covers(name.as_bytes()) && strip.covers(prefixed.as_bytes()));
        let folded = other.to_ascii_lowercase().replace('_', "-");
        prop_assert_eq!(strip.covers(other.as_bytes()), folded == "x-auth-user-id" || folded.starts_with("x-id-"));
        // Hosts that cannot list headers remove every spelling by name; they compare without case.
        prop_assert!(strip.spellings().any(|spelling| spelling.eq_ignore_ascii_case(&name)));
    }
}
