//! Tokens: one changed octet, and a token is nobody's.

use proptest::prelude::*;

use crate::invariants::compact;
use crate::invariants::fixture::good;
use crate::{cases, one_of};

fn accepted(token: &[u8]) -> bool {
    compact::accepts(token, &compact::issuers()).is_ok()
}

#[test]
fn every_changed_octet_is_refused() {
    let issuers = compact::issuers();
    let accepted = |token: &[u8]| compact::accepts(token, &issuers).is_ok();
    for name in ["good", "partner"] {
        let token = good().into_iter().find(|good| good.name == name).unwrap().text.into_bytes();
        assert!(accepted(&token), "{name}");
        for at in 0..token.len() {
            let mut other = token.clone();
            for bit in 0..8 {
                other[at] = token[at] ^ (1 << bit);
                assert!(!accepted(&other), "{name}: bit {bit} of octet {at}");
            }
            for octet in *b"A-_Zz9.=+/ \n\0%" {
                other[at] = octet;
                assert!(octet == token[at] || !accepted(&other), "{name}: {octet:#x} for octet {at}");
                let mut longer = token.clone();
                longer.insert(at, octet);
                assert!(!accepted(&longer), "{name}: {octet:#x} before octet {at}");
            }
            let mut shorter = token.clone();
            shorter.remove(at);
            assert!(!accepted(&shorter), "{name}: without octet {at}");
            assert!(!accepted(&token[..at]) && !accepted(&token[at + 1..]), "{name}: cut at octet {at}");
        }
        for end in [b"=".as_slice(), b"A", b".", b".e30", b"\n", b" "] {
            assert!(!accepted(&[token.as_slice(), end].concat()), "{name}: {end:?} at the end");
        }
    }
}

/// The last characters of header, claims and signature have bits that carry nothing: they must be zero.
#[test]
fn every_token_has_one_spelling() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let token = good().swap_remove(0).text.into_bytes();
    let last = *token.last().unwrap();
    let spellings = ALPHABET.iter().filter(|c| {
        let mut other = token.clone();
        *other.last_mut().unwrap() = **c;
        accepted(&other)
    });
    assert_eq!(spellings.collect::<Vec<_>>(), [&last]);
}

fn header() -> impl Strategy<Value = String> {
    let member = one_of(&[
        r#""alg":"HS256""#,
        r#""alg":"HS256""#,
        r#""alg":"HS512""#,
        r#""alg":"none""#,
        r#""alg":null"#,
        r#""kid":"a""#,
        r#""kid":7"#,
        r#""typ":"JWT""#,
        r#""typ":"dpop+jwt""#,
        r#""crit":[]"#,
        r#""b64":true"#,
        r#""zip":"DEF""#,
        r#""enc":"A""#,
        r#""cty":"jwt""#,
        r#""jku":"x""#,
        r#""x":{"y":[1]}"#,
        "",
    ]);
    proptest::collection::vec(member, 1..4).prop_map(|members| format!("{{{}}}", members.join(",")))
}

fn claims() -> impl Strategy<Value = String> {
    let member = one_of(&[
        r#""iss":"https://app.test/""#,
        r#""iss":"https://partner.test/""#,
        r#""iss":["https://app.test/"]"#,
        r#""aud":"api""#,
        r#""aud":["api","x"]"#,
        r#""aud":["api",1]"#,
        r#""aud":"api x""#,
        r#""exp":4102444800"#,
        r#""exp":4102444800.5"#,
        r#""exp":"4102444800""#,
        r#""exp":1"#,
        r#""exp":-1"#,
        r#""exp":1e300"#,
        r#""exp":9007199254740993"#,
        r#""nbf":1"#,
        r#""nbf":4102444800"#,
        r#""iat":4102444800"#,
        r#""iat":null"#,
        r#""cnf":null"#,
        r#""sub":"x""#,
        r#""sub":1"#,
        r#""jti":[]"#,
        r#""x":[[[[]]]]"#,
        r#""Exp":1"#,
    ]);
    proptest::collection::vec(member, 0..6).prop_map(|members| {
        // Mostly a good token, so that one bad member decides.
        format!(
            r#"{{"iss":"https://app.test/","aud":"api","exp":4102444800{}{}}}"#,
            if members.is_empty() { "" } else { "," },
            members.join(",")
        )
    })
}

fn any_claims() -> impl Strategy<Value = String> {
    prop_oneof![
        claims(),
        claims().prop_map(|text| text.replacen(r#""iss":"https://app.test/","aud":"api","exp":4102444800,"#, "", 1))
    ]
}

proptest! {
    #![proptest_config(cases(384))]

    #[test]
    fn signed_tokens_say_what_they_must(header in header(), claims in any_claims()) {
        compact::check(format!("{header}\n{claims}").as_bytes());
    }

    #[test]
    fn no_other_text_is_a_token(text in "[eE]?[A-Za-z0-9_.=-]{0,80}", octets in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(!accepted(text.as_bytes()));
        prop_assert!(!accepted(&octets));
    }

    #[test]
    fn spliced_tokens_are_refused(a in 0..3_usize, b in 0..3_usize, at in any::<prop::sample::Index>(), from in any::<prop::sample::Index>()) {
        let good = good();
        let (a, b) = (good[a].text.as_bytes(), good[b].text.as_bytes());
        let spliced = [&a[..at.index(a.len())], &b[from.index(b.len())..]].concat();
        let whole = spliced == a || spliced == b;
        prop_assert_eq!(accepted(&spliced), whole);
    }
}
