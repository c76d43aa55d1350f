//! Strict JSON: RFC 8259 to the letter, no duplicate members, bounded depth and size, text borrowed where it can be.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value. Text without escapes is borrowed from the input.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number written without fraction or exponent, exact.
    Int(i128),
    /// Any other finite number.
    Float(f64),
    /// Text.
    Str(Cow<'a, str>),
    /// A list.
    Array(Vec<Json<'a>>),
    /// Members in the order written; no name stands twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// The largest whole number below which no two share a double. A [`Json::Float`] beyond it may have been rounded.
pub const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// How much structure a reader is willing to build.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nested lists and objects, the outermost counted as one.
    pub depth: usize,
    /// Members and elements in the whole text.
    pub members: usize,
}

/// Reads one JSON text and nothing after it.
///
/// # Errors
/// Everything RFC 8259 does not allow, a member name that stands twice in one object, and whatever
/// passes `limits`. The error names a line and a column, and a member name where one repeats; never a value.
pub fn read<'a>(text: &'a [u8], limits: Limits) -> Result<Json<'a>, serde_json::Error> {
    // Checked as a whole, which is quicker than text by text.
    let text = str::from_utf8(text).map_err(serde_json::Error::custom)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = read_with(&mut deserializer, limits)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads a value from any serde format, under the same rules as [`read`].
///
/// # Errors
/// As the format reports them, and the ones that [`read`] adds.
pub fn read_with<'a, D: Deserializer<'a>>(deserializer: D, limits: Limits) -> Result<Json<'a>, D::Error> {
    let members = Cell::new(limits.members);
    Seed { depth: limits.depth, members: &members }.deserialize(deserializer)
}

impl<'a> Json<'a> {
    /// The member called `name`, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text, if this is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Str(text) => Some(text),
            _ => None,
        }
    }

    /// What the value takes in memory, roughly, in octets.
    pub fn weight(&self) -> usize {
        let inner = match self {
            Json::Null | Json::Bool(_) | Json::Int(_) | Json::Float(_) => 0,
            Json::Str(text) => text.len(),
            Json::Array(items) => items.iter().fold(0, |sum: usize, item| sum.saturating_add(item.weight())),
            Json::Object(members) => members.iter().fold(0, |sum: usize, (name, value)| {
                sum.saturating_add(size_of::<Cow<'_, str>>()).saturating_add(name.len()).saturating_add(value.weight())
            }),
        };
        inner.saturating_add(size_of::<Self>())
    }

    /// The same value, borrowing nothing.
    pub fn into_owned(self) -> Json<'static> {
        match self {
            Json::Null => Json::Null,
            Json::Bool(b) => Json::Bool(b),
            Json::Int(i) => Json::Int(i),
            Json::Float(f) => Json::Float(f),
            Json::Str(s) => Json::Str(Cow::Owned(s.into_owned())),
            Json::Array(items) => Json::Array(items.into_iter().map(Json::into_owned).collect()),
            Json::Object(members) => Json::Object(
                members.into_iter().map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned())).collect(),
            ),
        }
    }
}

/// Compact JSON text.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(b) => write!(f, "{b}"),
            Json::Int(i) => write!(f, "{i}"),
            Json::Float(number) => write_float(*number, f),
            Json::Str(text) => write_text(text, f),
            Json::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Json::Object(members) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write_text(name, f)?;
                    write!(f, ":{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

fn write_float(number: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = serde_json::to_string(&number).map_err(|_| fmt::Error)?;
    f.write_str(&text)
}

/// Writes `text` as a JSON string, quotes included.
pub fn write_text(text: &str, f: &mut impl fmt::Write) -> fmt::Result {
    let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
    f.write_str(&quoted)
}

#[derive(Clone, Copy)]
struct Seed<'l> {
    depth: usize,
    members: &'l Cell<usize>,
}

impl Seed<'_> {
    fn enter<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom("nested too deeply")),
        }
    }

    fn count<E: Error>(self) -> Result<(), E> {
        match self.members.get().checked_sub(1) {
            Some(left) => {
                self.members.set(left);
                Ok(())
            }
            None => Err(E::custom("too many members")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Int(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Int(i128::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Str(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Str(Cow::Owned(String::from(value))))
    }

    fn visit_string<E>(self, value: String) -> Result<Json<'de>, E> {
        Ok(Json::Str(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let inner = self.enter()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            self.count()?;
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let inner = self.enter()?;
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::with_capacity(FEW);
        while let Some(name) = access.next_key_seed(Name)? {
            self.count()?;
            members.push((name, access.next_value_seed(inner)?));
        }
        match repeated(&members) {
            Some(name) => Err(A::Error::custom(format_args!("member `{}` stands twice", name.escape_debug()))),
            None => Ok(Json::Object(members)),
        }
    }
}

/// How many members objects mostly have.
const FEW: usize = 16;

/// The first name that stands twice. In long objects names are looked up, so that hostile ones cost no square.
fn repeated<'m>(members: &'m [(Cow<'_, str>, Json<'_>)]) -> Option<&'m str> {
    if members.len() <= FEW {
        return members
            .iter()
            .enumerate()
            .find(|(index, (name, _))| members.iter().take(*index).any(|(n, _)| n == name))
            .map(|(_, (name, _))| name.as_ref());
    }
    let mut names = BTreeSet::new();
    members.iter().map(|(name, _)| name.as_ref()).find(|name| !names.insert(*name))
}

/// A member name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(String::from(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { depth: 4, members: 50 };

    fn refused(text: &str) {
        assert!(read(text.as_bytes(), LIMITS).is_err(), "{text}");
    }

    #[test]
    fn accepts_what_the_rfc_allows() {
        let text = r#" {"a":[1,-2,1.5,true,null,"xA"],"b":{"c":9007199254740993}} "#;
        let value = read(text.as_bytes(), LIMITS).unwrap();
        assert_eq!(format!("{value}"), r#"{"a":[1,-2,1.5,true,null,"xA"],"b":{"c":9007199254740993}}"#);
    }

    #[test]
    fn refuses_what_it_does_not() {
        for text in [
            "",
            "{",
            "{} x",
            "[1,]",
            "{'a':1}",
            "{a:1}",
            "[01]",
            "[+1]",
            "[NaN]",
            "[1e999]",
            "\u{feff}{}",
            "[\"\u{1}\"]",
            r#"["\ud800"]"#,
            "[1] // x",
            "[0x1]",
            "[[[[[1]]]]]",
        ] {
            refused(text);
        }
        assert!(read(b"[\"\xff\"]", LIMITS).is_err());
        assert!(read(b"[\"\xc0\xaf\"]", LIMITS).is_err());
    }

    #[test]
    fn refuses_duplicates_however_spelled() {
        refused(r#"{"a":1,"a":2}"#);
        refused(r#"{"a":1,"\u0061":2}"#);
        refused(r#"{"x":{"a":1,"b":1,"a":2}}"#);
        let many: Vec<String> = (0..20).map(|i| format!("\"k{i}\":1")).collect();
        let text = format!("{{{}}}", many.join(","));
        assert!(read(text.as_bytes(), LIMITS).is_ok());
        refused(&format!("{{{},\"k3\":1}}", many.join(",")));
    }

    #[test]
    fn refuses_more_members_than_allowed() {
        let text = format!("[{}]", vec!["1"; 51].join(","));
        refused(&text);
    }
}
