//! Paths: spelling never changes what matches, and what is ambiguous is always refused.

use gatekey::path::{NormalPath, Pattern};
use proptest::prelude::*;

use crate::invariants::path::check;
use crate::{cases, one_of};

/// A segment that needs no escapes and is not made of dots alone.
fn segment() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_~.!$&'()*+,=:@-]{0,6}[a-zA-Z0-9_~-]"
}

fn plain_path() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(segment(), 0..5)
}

/// Pieces of which hostile targets are made.
fn piece() -> impl Strategy<Value = String> {
    let known = one_of(&[
        "/", "//", "/./", "/../", "/..", ".", "..", "...", "%2e", "%2E%2e", "%2f", "%5C", "%00", "%25", "%252e", "%3b",
        "%3F", "%23", "%7f", "%c3%a9", "%c0%af", "%ff", "%", "%4", "%zz", "%20", "%c2%85", ";", "\\", "#", "?", " ",
        "\t", "é", "a", "admin", "*", "{x}", "**", ";a=b",
    ]);
    prop_oneof![4 => known, 1 => segment()]
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn any_target_has_one_meaning_or_none(pieces in proptest::collection::vec(piece(), 0..8), rooted in any::<bool>()) {
        let target = format!("{}{}", if rooted { "/" } else { "" }, pieces.concat());
        check(target.as_bytes());
    }

    #[test]
    fn any_octets_have_one_meaning_or_none(mut target in proptest::collection::vec(any::<u8>(), 0..40)) {
        check(&target);
        target.insert(0, b'/');
        check(&target);
    }

    #[test]
    fn spelling_changes_nothing(
        segments in plain_path(),
        spellings in proptest::collection::vec((any::<prop::sample::Index>(), 0..5_u8), 0..6),
    ) {
        let plain = format!("/{}", segments.join("/"));
        let mut other = plain.clone();
        for (at, how) in spellings {
            // Only outside escapes, so that what was escaped before stays so.
            let free: Vec<usize> = (0..other.len()).filter(|at| other.as_bytes()[at.saturating_sub(2)..=*at].iter().all(|b| *b != b'%')).collect();
            let at = free[at.index(free.len())];
            let octet = other.as_bytes()[at];
            match (octet, how) {
                (b'/', 0) => other.insert(at, '/'),
                (b'/', 1) => other.insert_str(at, "/."),
                (b'/', 2) => other.insert_str(at, "/%2e"),
                (b'/', _) => other.push('/'),
                (_, 0) => other.replace_range(at..=at, &format!("%{octet:02x}")),
                (_, 1..3) => other.replace_range(at..=at, &format!("%{octet:02X}")),
                _ => other.push_str("?a=/../%2f"),
            }
            if other.contains('?') {
                break;
            }
        }
        let (a, b) = (NormalPath::read(plain.as_bytes()), NormalPath::read(other.as_bytes()));
        prop_assert!(a.is_ok(), "{plain}");
        prop_assert_eq!(&a, &b, "{} and {}", plain, other);
        let (a, b) = (a.unwrap(), b.unwrap());
        for pattern in ["/**", "/*", "/{a}/**", "/admin/**", &plain] {
            // A literal may look like a wildcard; then it is no pattern.
            if let Ok(pattern) = Pattern::parse(pattern) {
                prop_assert_eq!(pattern.matches(&a), pattern.matches(&b));
            }
        }
    }

    #[test]
    fn what_is_ambiguous_is_refused(
        segments in plain_path(),
        at in any::<prop::sample::Index>(),
        odd in one_of(&[
            "%2f", "%2F", "%5c", "%5C", "%00", "%25", "%252f", "%3b", "%3B", "%3f", "%3F", "%23", "%0a", "%0D", "%1f", "%7F", ";", "\\", "#",
            " ", "\t", "\r", "\n", "\0", "\u{7f}", "é", "%", "%g0", "%ff", "%c0%af", "%ed%a0%80",
        ]),
    ) {
        let mut target = format!("/{}/", segments.join("/"));
        let at = at.index(target.len()) + 1;
        target.insert_str(at, &odd);
        if !["%"].contains(&odd.as_str()) || !target.as_bytes()[at + 1..].iter().take(2).all(u8::is_ascii_hexdigit) || target.len() < at + 3 {
            prop_assert!(NormalPath::read(target.as_bytes()).is_err(), "{target:?}");
        }
    }
}
