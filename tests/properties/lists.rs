//! Fetched lists under servers that do anything, and documents that hold anything.

use proptest::prelude::*;

use crate::cases;
use crate::invariants::lists;

/// Documents that are nearly right.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let digest = "0123456789abcdef".repeat(4);
    let line = prop_oneof![
        Just("jti a".to_owned()),
        Just("sub \"a b\" https://a.test/".to_owned()),
        Just("issued_before 2026-01-01T00:00:00Z *".to_owned()),
        Just("issued_before 2026-01-01T00:00:00Z * x".to_owned()),
        Just("key 0123456789abcdef".to_owned()),
        Just("set a {\"roles\":[\"x\"]}".to_owned()),
        Just(format!("key {digest} acme")),
        Just(format!("key {digest} acme a - 2026-01-01T00:00:00Z")),
        Just("# x".to_owned()),
        ".{0,40}",
    ];
    let head = prop_oneof![Just("gatekey-revoked 1"), Just("gatekey-clients 1"), Just("gatekey-revoked 2")];
    (head, proptest::collection::vec(line, 0..6), 0_usize..7, any::<bool>()).prop_map(|(head, lines, count, end)| {
        let end = if end { "\n" } else { "" };
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        format!("{head} {count}\n{lines}end{end}").into_bytes()
    })
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn what_serves_is_whole(script in proptest::collection::vec(any::<u8>(), 0..400)) {
        lists::check(&script);
    }

    /// Events as they come in practice: asked, answered, worked with, again and again.
    #[test]
    fn what_serves_is_whole_after_many_loads(
        rounds in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 0..60),
    ) {
        let round = |(answer, time, change): (u8, u8, u8)| {
            let mut events = vec![2, 0, 3, answer, 4, 255];
            if change > 220 {
                events.extend([1, 0]);
            }
            if answer % 7 == 0 {
                events.extend([0, time]);
            }
            events
        };
        let script: Vec<u8> = rounds.into_iter().flat_map(round).collect();
        lists::check(&script);
    }
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn documents_are_whole_or_refused(text in lines()) {
        lists::documents(&text);
    }

    #[test]
    fn no_octets_make_a_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        lists::documents(&text);
    }
}
