//! Reading and hiding credentials: what is read stands in the request, what is hidden is gone, the rest stays.

use gatekey::credential::{Kinds, Location, Read, read};
use gatekey::edit::Edits;
use gatekey::head::Head;

use super::{naive, script::Script};

/// Takes a script; its first octet picks where credentials are read.
pub fn check(data: &[u8]) {
    let script = Script::read(data);
    let pairs = script.pairs();
    let head = Head { pairs: &pairs, complete: true };
    let places = places(script.policy);
    for (wants_token, wants_key) in [(true, true), (true, false), (false, true), (false, false)] {
        if let Ok(found) = read::read(&places, Kinds { token: wants_token, key: wants_key, password: false }, &head) {
            let texts = [found.token, found.key];
            assert!(wants_token || wants_key || texts.iter().all(Option::is_none), "read what nobody asked for");
            for text in texts.into_iter().flatten() {
                assert!(!text.is_empty(), "an empty credential");
                let stands =
                    |value: &[u8]| naive::contains(value, &text) || naive::contains(&naive::unescape(value), &text);
                assert!(pairs.iter().any(|(_, value)| stands(value)), "read what does not stand there");
            }
        }
    }
    let mut edits = Edits::default();
    edits.hide_credentials(&places, &head);
    check_hidden(&places, &pairs, &edits.apply(&pairs));
}

/// Where credentials are read.
pub fn places(choice: u8) -> Read {
    let header = |name: &str| Location::Header(name.into());
    let cookie = |name: &str| Location::Cookie(name.into());
    let query = |name: &str| Location::Query(name.into());
    match choice {
        b'b' => Read { token: vec![Location::Bearer], key: vec![header("x-api-key"), Location::Bearer], opaque: false },
        b'c' => Read { token: vec![cookie("session"), cookie("s")], key: vec![cookie("key")], opaque: false },
        b'q' => Read { token: vec![query("access_token"), query("t")], key: vec![query("key")], opaque: false },
        b'h' => Read { token: vec![header("x-token")], key: vec![header("x-token")], opaque: false },
        _ => Read {
            token: vec![Location::Bearer, header("x-token"), cookie("session"), query("access_token")],
            key: vec![header("x-api-key"), Location::Bearer, cookie("key"), query("key")],
            opaque: false,
        },
    }
}

/// No place holds a credential any more, and everything else is there byte for byte and in order.
pub fn check_hidden(places: &Read, before: &[(&[u8], &[u8])], after: &[(Vec<u8>, Vec<u8>)]) {
    let after: Vec<(&[u8], &[u8])> = after.iter().map(|(n, v)| (n.as_slice(), v.as_slice())).collect();
    let locations: Vec<&Location> = places.locations().collect();
    let hidden_cookie =
        |name: &[u8]| locations.iter().any(|l| matches!(l, Location::Cookie(n) if n.as_bytes() == name));
    let hidden_query = |name: &[u8]| locations.iter().any(|l| matches!(l, Location::Query(n) if n.as_bytes() == name));
    let hidden_header = |name: &[u8], value: &[u8]| {
        let name = name.to_ascii_lowercase();
        locations.iter().any(|location| match location {
            Location::Header(n) => naive::folded(n.as_bytes()) == naive::folded(&name),
            // Every value of the header goes with a Bearer among them.
            Location::Bearer => {
                name == b"authorization"
                    && (naive::has_bearer(value) || naive::values(before, "authorization").any(naive::has_bearer))
            }
            _ => false,
        })
    };
    let other = |pairs: &[(&[u8], &[u8])]| -> Vec<(Vec<u8>, Vec<u8>)> {
        let other =
            pairs.iter().filter(|(n, v)| !hidden_header(n, v) && !n.eq_ignore_ascii_case(b"cookie") && *n != b":path");
        other.map(|(n, v)| (n.to_vec(), v.to_vec())).collect()
    };
    assert!(after.iter().all(|(name, value)| !hidden_header(name, value)), "a credential header goes upstream");
    assert_eq!(other(&after), other(before), "other headers changed");

    let cookies = naive::cookie_texts(before);
    if cookies.iter().any(|pair| hidden_cookie(naive::cookie_name(pair))) {
        let kept: Vec<_> = cookies.into_iter().filter(|pair| !hidden_cookie(naive::cookie_name(pair))).collect();
        let left = naive::cookie_texts(&after);
        // Without its header, a list of empty pairs is no pair at all.
        let some = |pairs: Vec<Vec<u8>>| pairs.into_iter().filter(|pair| !pair.is_empty()).collect::<Vec<_>>();
        assert_eq!(some(left), some(kept), "other cookies changed");
    } else {
        let raw = |pairs: &[(&[u8], &[u8])]| naive::values(pairs, "cookie").map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(raw(&after), raw(before), "cookies changed without need");
    }

    let path = |pairs: &[(&[u8], &[u8])]| naive::values(pairs, ":path").next().map(<[u8]>::to_vec);
    let parameters = naive::parameters(before);
    if parameters.iter().any(|p| hidden_query(&naive::parameter_name(p))) {
        let kept: Vec<_> = parameters.into_iter().filter(|p| !hidden_query(&naive::parameter_name(p))).collect();
        let mut expected = path(before).unwrap_or_default();
        expected.truncate(expected.iter().position(|b| *b == b'?').unwrap_or(expected.len()));
        let kept = kept.join(b"&".as_slice());
        if !kept.is_empty() {
            expected.push(b'?');
            expected.extend(kept);
        }
        assert_eq!(path(&after), Some(expected), "the rest of the target changed");
    } else {
        assert_eq!(path(&after), path(before), "the target changed without need");
    }
}
