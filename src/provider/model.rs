//! Which model a request is for, read as strictly as whoever reads it after us, and which ones a caller may use.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::credential::read::unescape;

/// How much of a body is read to find the model unless it is said otherwise, and at most, in octets.
pub const USUAL_BODY: usize = 1024 * 1024;
/// See [`USUAL_BODY`].
pub const LONGEST_BODY: usize = 16 * 1024 * 1024;
/// The longest name of a model, in octets.
const LONGEST: usize = 256;

/// The model that a JSON body names at its top. `None` if it is no strict JSON object, or the name is none, stands twice,
/// or stands in a second spelling that some readers take for the first, or others stand beside it, to fall back on.
pub fn in_body(body: &[u8]) -> Option<String> {
    let text = str::from_utf8(body).ok()?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let model = Top.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    model.filter(|model| is_name(model))
}

/// The segments of a path after the first of this name, in any case.
fn after<'p>(path: &'p str, name: &str) -> impl Iterator<Item = &'p str> {
    path.split('/').skip_while(move |segment| !segment.eq_ignore_ascii_case(name)).skip(1)
}

/// The model in the segment after the first of this name, up to a colon, in a path in its normal form.
pub fn in_path<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let mut segments = after(path, name);
    let model = segments.next()?;
    let model = model.split(':').next()?;
    // A second one could be the one that counts.
    (is_name(model) && !segments.any(|segment| segment.eq_ignore_ascii_case(name))).then_some(model)
}

/// Whether a path names a model in one of the ways of servers that take it from there, too.
pub fn stands_in(path: &str) -> bool {
    let acts_on_one = after(path, "models").next().is_some_and(|segment| segment.contains(':'));
    names(path, "engines") || names(path, "deployments") || acts_on_one
}

/// Whether something follows a segment of this name in a path.
pub fn names(path: &str, name: &str) -> bool {
    after(path, name).any(|segment| !segment.is_empty())
}

/// Whether this is the name of one model. Some servers take several, parted by commas, or put the name into an address.
fn is_name(model: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !b",?#%\\".contains(&b);
    (1..=LONGEST).contains(&model.len()) && model.bytes().all(plain) && !model.contains("..")
}

/// Whether a member names models: the one, in the words of some servers, or those that are tried after it. A reader in C
/// ends a name at NUL, and some compare names with two signs beyond ASCII folded into it (Unicode, CaseFolding).
fn names_models(name: &str) -> bool {
    let name = name.split('\0').next().unwrap_or_default();
    let fold = |sign| match sign {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        sign => sign.to_ascii_lowercase(),
    };
    let name: String = name.chars().map(fold).collect();
    MODELS.contains(&name.as_str()) || name.contains("fallback")
}

/// The members in which servers look for models.
const MODELS: [&str; 8] =
    ["model", "models", "model_id", "model_list", "model_name", "engine", "deployment", "deployment_id"];

/// Whether a query parameter of this name, as it is written, could be taken for the model.
pub fn is_parameter(name: &[u8]) -> bool {
    let name = unescape(name);
    MODELS.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

/// Whether a content type is JSON in UTF-8, in which alone the body is read here.
pub fn is_json(content_type: &[u8]) -> bool {
    let mut parts = content_type.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    // One type and no more: what is after a space or comma, some read as another one (RFC 9110 section 8.3.1).
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let plain = kind.split(|b| *b == b'/').count() == 2 && kind.iter().all(|b| *b == b'/' || token(b));
    let fits = |part: &[u8]| {
        let part = part.to_ascii_lowercase();
        !part.starts_with(b"charset")
            || matches!(part.as_slice(), b"charset=utf-8" | b"charset=\"utf-8\"" | b"charset=utf8")
    };
    plain && (kind == b"application/json" || kind.ends_with(b"+json")) && parts.all(fits)
}

/// The top of a body, of which only the model is kept.
struct Top;

impl<'de> DeserializeSeed<'de> for Top {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut model = None;
        while let Some(name) = map.next_key_seed(Name)? {
            if name == "model" && model.is_none() {
                model = Some(map.next_value::<Text>()?.0);
            } else if names_models(&name) {
                return Err(A::Error::custom("the model is named twice, or others are beside it"));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(model)
    }
}

/// The name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(String::from(text)))
    }
}

struct Text(String);

impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Name.deserialize(deserializer).map(|text| Self(text.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_model_in_a_body() {
        for (body, model) in [
            (
                r#"{"model":"gpt-4o","messages":[{"role":"user","content":"{\"model\":\"x\"}"}],"stream":true}"#,
                Some("gpt-4o"),
            ),
            (r#" {"a":{"model":"x"},"mod\u0065l":"b"} "#, Some("b")),
            (r#"{"model":"a","model":"b"}"#, None),
            (r#"{"model":"a","Model":"b"}"#, None),
            (r#"{"MODEL":"b","model":"a"}"#, None),
            (r#"{"model":"a","mod\u0065l":"b"}"#, None),
            (r#"{"Model":"a"}"#, None),
            (r#"{"model":"a","models":["b"]}"#, None),
            (r#"{"model":["a"]}"#, None),
            (r#"{"model":null}"#, None),
            (r#"{"model":""}"#, None),
            (r#"{"model":"a b"}"#, None),
            (r#"{"model":"a\u0000"}"#, None),
            (r#"{"messages":[]}"#, None),
            (r#"[{"model":"a"}]"#, None),
            (r#"{"model":"a"} {"model":"b"}"#, None),
            (r#"{"model":"a""#, None),
            (r#"{"model":"a",}"#, None),
            (r#"{"model":"a","x":01}"#, None),
            ("\u{feff}{\"model\":\"a\"}", None),
            ("", None),
        ] {
            assert_eq!(in_body(body.as_bytes()).as_deref(), model, "{body}");
        }
        assert_eq!(in_body(b"{\"model\":\"a\",\"x\":\"\xff\"}"), None);
        // What is passed by may be as deep as it likes.
        let deep = format!("{{\"model\":\"a\",\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(in_body(deep.as_bytes()).as_deref(), Some("a"));
    }

    #[test]
    fn finds_the_model_in_a_path() {
        for (path, after, model) in [
            ("/v1beta/models/gemini-2.5-pro:generateContent", "models", Some("gemini-2.5-pro")),
            ("/v1beta/models/gemini-2.5-pro", "models", Some("gemini-2.5-pro")),
            ("/openai/deployments/gpt4/chat/completions", "deployments", Some("gpt4")),
            ("/v1beta/models", "models", None),
            ("/v1beta/models/:x", "models", None),
            ("/v1beta/tunedModels/x:generateContent", "models", None),
            ("/models/a/models/b:x", "models", None),
        ] {
            assert_eq!(in_path(path, after), model, "{path}");
        }
    }
}
