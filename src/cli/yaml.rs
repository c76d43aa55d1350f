//! Reads YAML 1.2 into the same strict values as JSON, without the traps of older YAML.

use gatekey::json::{self, Json, Limits};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};

/// Reads one document.
///
/// `yes`, `no`, `on` and `off` are text, as are numbers with leading zeros or underscores; merge keys, members that
/// stand twice, aliases that multiply, and numbers that JSON has not are errors.
///
/// # Errors
/// A sentence with line and column.
pub(super) fn read(text: &str, limits: Limits) -> Result<Json<'static>, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: limits.members * 2,
            max_events: limits.members * 4,
            max_depth: limits.depth * 2,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        // A snippet may show a secret.
        with_snippet: false,
    };
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        json::read_with(deserializer, limits).map(Json::into_owned)
    })
    .map_err(|error| {
        let told = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        // An unquoted secret that begins with ! reads as a tag.
        match told.split_once("unsupported tag") {
            Some((before, _)) => format!("{before}unsupported tag; quote a text that begins with !"),
            None => told,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(yaml: &str) -> Result<String, String> {
        read(yaml, Limits { depth: 8, members: 100 }).map(|json| json.to_string())
    }

    #[test]
    fn avoids_the_traps() {
        for (yaml, expected) in [
            ("a: no\nb: off\nc: Yes", r#"{"a":"no","b":"off","c":"Yes"}"#),
            ("a: true\nb: ~\nc: null\nd:", r#"{"a":true,"b":null,"c":null,"d":null}"#),
            ("a: 007\nb: 1_000\nc: 12:30", r#"{"a":"007","b":"1_000","c":"12:30"}"#),
            ("a: 1e3\nb: 1.0\nc: 0x10", r#"{"a":1000.0,"b":1.0,"c":16}"#),
            ("a: 2026-12-31T00:00:00Z\nb: 30s", r#"{"a":"2026-12-31T00:00:00Z","b":"30s"}"#),
            ("no: 1\n1: x\ntrue: y", r#"{"no":1,"1":"x","true":"y"}"#),
            ("a: &x [1, 2]\nb: *x", r#"{"a":[1,2],"b":[1,2]}"#),
            ("{\"a\": [1, {}]}", r#"{"a":[1,{}]}"#),
            ("a: |\n  x\n  y\n", r#"{"a":"x\ny\n"}"#),
        ] {
            assert_eq!(text(yaml).as_deref(), Ok(expected), "{yaml}");
        }
    }

    #[test]
    fn refuses() {
        let bomb = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n";
        for yaml in [
            "a: 1\na: 2",
            "a: {b: 1, \"b\": 2}",
            "x: &x {a: 1}\ny:\n  <<: *x",
            "a: .inf",
            "a: !!float .nan",
            "a: 1e999",
            "a: .nan",
            "a: [",
            "a: !foo 1",
            "--- 1\n--- 2",
            "a: *x",
            bomb,
            "[[[[[[[[[1]]]]]]]]]",
            "a:\tb: 1",
        ] {
            assert!(text(yaml).is_err(), "{yaml}: {:?}", text(yaml));
        }
    }
}
