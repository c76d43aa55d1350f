//! The wire form of `google.protobuf.Struct`: what Envoy hands over when a policy stands in its own YAML.
//!
//! Envoy passes the message as protobuf encodes it. Decoding it here lets people write their policy in
//! place, without quoting JSON into a text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::LIMITS;
use super::value::whole_numbers;
use crate::json::Json;

/// Reads an encoded Struct into the JSON object that it stands for. `None` if it is no such message, names
/// a member twice, or passes the limits of a policy.
pub(super) fn read(message: &[u8]) -> Option<Json<'_>> {
    let mut members = LIMITS.members;
    structure(message, LIMITS.depth, &mut members)
}

/// `message Struct { map<string, Value> fields = 1; }`
fn structure<'a>(message: &'a [u8], depth: usize, left: &mut usize) -> Option<Json<'a>> {
    let depth = depth.checked_sub(1)?;
    // Protobuf writes a map in no order of its own; sorted, the same policy reads the same.
    let mut members: BTreeMap<Cow<'a, str>, Json<'a>> = BTreeMap::new();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        let Field::Octets(1, entry) = field else {
            return None;
        };
        *left = left.checked_sub(1)?;
        let (mut name, mut member) = ("", Json::Null);
        let mut parts = Fields(entry);
        while let Some(part) = parts.next()? {
            match part {
                Field::Octets(1, text) => name = str::from_utf8(text).ok()?,
                Field::Octets(2, message) => member = value(message, depth, left)?,
                _ => return None,
            }
        }
        if members.insert(Cow::Borrowed(name), member).is_some() {
            return None;
        }
    }
    Some(Json::Object(members.into_iter().collect()))
}

/// `message Value { oneof kind { null = 1; number = 2; string = 3; bool = 4; struct = 5; list = 6; } }`
fn value<'a>(message: &'a [u8], depth: usize, left: &mut usize) -> Option<Json<'a>> {
    let mut found = Json::Null;
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        found = match field {
            Field::Number(1, 0) => Json::Null,
            Field::Double(2, number) => self::number(number)?,
            Field::Octets(3, text) => Json::Str(Cow::Borrowed(str::from_utf8(text).ok()?)),
            Field::Number(4, flag) => Json::Bool(flag != 0),
            Field::Octets(5, message) => structure(message, depth, left)?,
            Field::Octets(6, message) => list(message, depth, left)?,
            _ => return None,
        };
    }
    Some(found)
}

/// `message ListValue { repeated Value values = 1; }`
fn list<'a>(message: &'a [u8], depth: usize, left: &mut usize) -> Option<Json<'a>> {
    let depth = depth.checked_sub(1)?;
    let mut items = Vec::new();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        let Field::Octets(1, message) = field else {
            return None;
        };
        *left = left.checked_sub(1)?;
        items.push(value(message, depth, left)?);
    }
    Some(Json::Array(items))
}

/// Every number travels as a double; a whole one is read as it was written.
fn number(number: f64) -> Option<Json<'static>> {
    number.is_finite().then(|| whole_numbers(Json::Float(number)))
}

/// One field of a message: its number and what it holds.
enum Field<'a> {
    Number(u64, u64),
    Double(u64, f64),
    Octets(u64, &'a [u8]),
}

/// The fields of a message that are still to be read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field; `Some(None)` at the end, `None` where the encoding is broken.
    #[allow(clippy::option_option, clippy::should_implement_trait)]
    fn next(&mut self) -> Option<Option<Field<'a>>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(tag >> 3, self.varint()?),
            1 => {
                let (octets, rest) = self.0.split_first_chunk::<8>()?;
                self.0 = rest;
                Field::Double(tag >> 3, f64::from_le_bytes(*octets))
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (octets, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Field::Octets(tag >> 3, octets)
            }
            _ => return None,
        };
        Some(Some(field))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (octet, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"a": [1, 1.5, "x", true, null], "b": {}}` as protobuf encodes it.
    const STRUCT: &[u8] = b"\x0a\x2a\x0a\x01a\x12\x25\x32\x23\
        \x0a\x09\x11\0\0\0\0\0\0\xf0\x3f\x0a\x09\x11\0\0\0\0\0\0\xf8\x3f\x0a\x03\x1a\x01x\x0a\x02\x20\x01\x0a\x02\x08\0\
        \x0a\x07\x0a\x01b\x12\x02\x2a\0";

    #[test]
    fn reads_what_envoy_sends() {
        let json = read(STRUCT).unwrap();
        assert_eq!(json.to_string(), r#"{"a":[1,1.5,"x",true,null],"b":{}}"#);
        assert_eq!(read(b"").unwrap().to_string(), "{}");
    }

    #[test]
    fn believes_no_length() {
        for cut in 1..STRUCT.len() {
            // A cut between two entries leaves a whole message.
            assert_eq!(read(&STRUCT[..cut]).is_some(), cut == 44, "{cut}");
        }
        for index in 0..STRUCT.len() {
            let mut lying = STRUCT.to_vec();
            lying[index] = 0xff;
            let _ = read(&lying);
        }
    }

    #[test]
    fn refuses_duplicates_and_depth() {
        let twice = [b"\x0a\x07\x0a\x01b\x12\x02\x2a\0".as_slice(); 2].concat();
        assert_eq!(read(&twice), None);
        let mut deep = Vec::new();
        for _ in 0..40 {
            let value = [&[0x2a, u8::try_from(deep.len()).unwrap()], deep.as_slice()].concat();
            let entry = [&[0x12, u8::try_from(value.len()).unwrap()], value.as_slice()].concat();
            deep = [&[0x0a, u8::try_from(entry.len()).unwrap()], entry.as_slice()].concat();
            if deep.len() > 110 {
                break;
            }
        }
        assert!(read(&deep).is_some());
        let mut members = 1000;
        assert_eq!(structure(&deep, 5, &mut members), None);
    }
}
