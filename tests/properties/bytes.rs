//! The two readers of raw octets: the host's header map and JSON.

use gatekey::head::{parse_map, write_map};
use gatekey::json::{self, Json, Limits};
use proptest::prelude::*;
use serde_json::Value;

use crate::invariants::head_map;
use crate::{cases, one_of};

const LIMITS: Limits = Limits { depth: 32, members: 2048 };

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from)
    ];
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, ".{0,8}".prop_map(Value::from)];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(".{0,4}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Whether both are the same value. Whole numbers are exact; the last bit of others is left to the reader of digits.
fn same(ours: &Json<'_>, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(a), Value::Bool(b)) => a == b,
        (Json::Int(a), Value::Number(b)) => b.as_i128() == Some(*a),
        (Json::Float(a), Value::Number(b)) => b.as_f64().is_some_and(|b| a.to_bits().abs_diff(b.to_bits()) <= 2),
        (Json::Str(a), Value::String(b)) => a == b,
        (Json::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name.as_ref()).is_some_and(|b| same(a, b)))
        }
        _ => false,
    }
}

/// Both readers take the text for the same value, or both refuse it; only duplicates are ours alone to refuse.
fn agree(text: &[u8]) -> Result<(), TestCaseError> {
    match (json::read(text, LIMITS), serde_json::from_slice::<Value>(text)) {
        (Ok(ours), Ok(theirs)) => prop_assert!(same(&ours, &theirs), "{ours} and {theirs}"),
        (Err(error), Ok(_)) => {
            prop_assert!(error.to_string().contains("stands twice"), "{error} in {:?}", String::from_utf8_lossy(text))
        }
        (Ok(_), Err(error)) => prop_assert!(false, "accepted, though {error}: {:?}", String::from_utf8_lossy(text)),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn any_octets_are_a_map_or_none(octets in proptest::collection::vec(any::<u8>(), 0..64), small in proptest::collection::vec(0..4_u8, 0..64)) {
        head_map::check(&octets);
        head_map::check(&small);
    }

    #[test]
    fn maps_are_read_as_written(pairs in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..9), proptest::collection::vec(any::<u8>(), 0..9)), 0..6), at in any::<prop::sample::Index>(), octet: u8) {
        let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let mut map = write_map(&pairs).unwrap();
        let read = parse_map(&map);
        prop_assert_eq!(read.as_deref(), Some(pairs.as_slice()));
        let at = at.index(map.len());
        map[at] = octet;
        head_map::check(&map);
        head_map::check(&map[..at]);
    }

    #[test]
    fn json_is_read_alike(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let ours = json::read(text.as_bytes(), LIMITS);
        prop_assert!(ours.is_ok(), "{text}");
        let ours = ours.unwrap();
        prop_assert!(same(&ours, &value), "{text}");
        let written = ours.to_string();
        prop_assert!(same(&ours, &serde_json::from_str(&written).unwrap()), "{written}");
    }

    #[test]
    fn broken_json_is_refused_alike(value in value(), at in any::<prop::sample::Index>(), octet: u8, known in one_of(&[
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0061", "\\ud800", "0", "-", "+", ".", "e", "E9", "1e999", "null", "NaN", " ", "\n", "\u{b}", "\u{feff}", "/", "//", "'", "\0", "\u{1}",
    ])) {
        let text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len() + 1);
        agree(&text[..at])?;
        agree(&[&text[..at], known.as_bytes(), &text[at..]].concat())?;
        agree(&[&text[..at], &[octet], &text[at..]].concat())?;
        agree(&[&text[..at], &[octet], &text[(at + 1).min(text.len())..]].concat())?;
    }

    #[test]
    fn duplicates_are_refused(name in "[a-z]{1,3}", before in value(), after in value(), depth in 0..4_usize) {
        let escaped: String = name.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
        for second in [&name, &escaped] {
            let object = format!("{{\"{name}\":{before},\"{second}\":{after}}}");
            let text = format!("{}{object}{}", "[".repeat(depth), "]".repeat(depth));
            prop_assert!(json::read(text.as_bytes(), LIMITS).is_err(), "{text}");
        }
    }
}
