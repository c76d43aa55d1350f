//! Claim conditions: what a policy asks of one claim, and whether it is so. In doubt it is not.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::claims::ClaimPath;
use crate::head::Head;
use crate::json::{Json, MAX_EXACT};

/// What a condition can compare a claim with, beside what stands in the policy.
#[derive(Clone, Copy)]
pub struct Facts<'f> {
    /// What captures of the path, the host or the issuer stand for.
    pub captures: &'f [(&'f str, Cow<'f, str>)],
    /// The request, where it may be looked at.
    pub head: Option<&'f Head<'f>>,
}

/// One value a claim may have.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// Exactly this text, number or truth value.
    Value(Json<'static>),
    /// Text with parts that are known only with the request.
    Template(Vec<Piece>),
}

/// A piece of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// What was captured under this name.
    Capture(String),
    /// The value of a request header of this lower-case name, which must stand exactly once in whatever spelling.
    Header(String),
}

/// What is asked of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is, or as a list holds, one of these.
    OneOf(Vec<Expected>),
    /// As a list it holds each of these, whatever its elements are otherwise.
    AllOf(Vec<Expected>),
    /// It is there, and neither is nor holds any of these.
    Not(Vec<Expected>),
    /// It is a text that begins so, or as a list holds one; one of these is enough.
    Prefix(Vec<Expected>),
    /// The same with the end.
    Suffix(Vec<Expected>),
    /// Whether it is there; null is not.
    Exists(bool),
    /// It is a number that compares so with this one, or as a list holds one.
    Number(Bound, Json<'static>),
}

/// How a number compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It is this number or more.
    AtLeast,
    /// It is this number or less.
    AtMost,
    /// It is more.
    MoreThan,
    /// It is less.
    LessThan,
}

/// A claim and what is asked of it: all of the tests. Those of which one element of a list is enough must be met by one
/// and the same.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimCondition {
    /// The claim.
    pub path: ClaimPath,
    /// As written in the policy, for explanations.
    pub name: String,
    /// What is asked.
    pub tests: Vec<Test>,
}

impl ClaimCondition {
    /// Whether the claim is as it is asked for.
    pub fn holds(&self, claims: &Json<'_>, facts: &Facts<'_>) -> bool {
        let of_one = || self.tests.iter().filter(|test| test.is_of_one());
        // What is between two limits is one number: two elements, each within one of them, are not.
        let fits = |item: &Json<'_>| of_one().all(|test| test.fits(item, facts));
        (of_one().next().is_none() || any(&self.path, claims, &fits))
            && self.tests.iter().all(|test| test.is_of_one() || test.holds(&self.path, claims, facts))
    }

    /// Whether texts are asked for where the claim is, or holds, a number: what is captured is text, and `7` is not
    /// `"7"`, which nobody sees who compares a token with an address.
    pub fn is_number_for_text(&self, claims: &Json<'_>) -> bool {
        let is_text = |one: &Expected| matches!(one, Expected::Template(_) | Expected::Value(Json::Str(_)));
        let asks_text = |test: &Test| match test {
            Test::OneOf(all) | Test::AllOf(all) | Test::Prefix(all) | Test::Suffix(all) => all.iter().all(is_text),
            Test::Not(all) => all.iter().any(|one| matches!(one, Expected::Template(_))),
            Test::Exists(_) | Test::Number(..) => false,
        };
        self.tests.iter().any(asks_text)
            && any(&self.path, claims, &|item| matches!(item, Json::Int(_) | Json::Float(_)))
    }

    /// The headers of the request that it looks at.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        let expected = self.tests.iter().flat_map(|test| match test {
            Test::OneOf(all) | Test::AllOf(all) | Test::Not(all) | Test::Prefix(all) | Test::Suffix(all) => {
                all.as_slice()
            }
            Test::Exists(_) | Test::Number(..) => &[],
        });
        expected.flat_map(Expected::pieces).filter_map(|piece| match piece {
            Piece::Header(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl Test {
    /// Whether one element of a list is enough, which must then meet every such test.
    fn is_of_one(&self) -> bool {
        matches!(self, Test::OneOf(_) | Test::Prefix(_) | Test::Suffix(_) | Test::Number(..))
    }

    /// Whether one element is as such a test asks.
    fn fits(&self, item: &Json<'_>, facts: &Facts<'_>) -> bool {
        match self {
            Test::OneOf(expected) => expected.iter().any(|one| one.is(item, facts) == Some(true)),
            Test::Prefix(expected) => {
                expected.iter().any(|start| start.ends(item, facts, |text, start| text.starts_with(start)))
            }
            Test::Suffix(expected) => expected.iter().any(|end| end.ends(item, facts, |text, end| text.ends_with(end))),
            Test::Number(bound, limit) => bound.holds(compare(item, limit)),
            Test::AllOf(_) | Test::Not(_) | Test::Exists(_) => false,
        }
    }

    /// Whether all that the claim holds is as the other tests ask.
    fn holds(&self, path: &ClaimPath, claims: &Json<'_>, facts: &Facts<'_>) -> bool {
        let is_there = || path.any(claims, &mut |value| *value != Json::Null);
        match self {
            Test::AllOf(expected) => {
                expected.iter().all(|one| any(path, claims, &|item| one.is(item, facts) == Some(true)))
            }
            // What cannot be compared might be what must not be.
            Test::Not(expected) => {
                let may_be = |item: &Json<'_>| expected.iter().any(|one| one.is(item, facts) != Some(false));
                is_there() && !any(path, claims, &may_be)
            }
            Test::Exists(wanted) => is_there() == *wanted,
            Test::OneOf(_) | Test::Prefix(_) | Test::Suffix(_) | Test::Number(..) => false,
        }
    }
}

/// Whether the claim is, or as a list holds, what it should be.
fn any(path: &ClaimPath, claims: &Json<'_>, is: &dyn Fn(&Json<'_>) -> bool) -> bool {
    path.any(claims, &mut |value| match value {
        Json::Array(items) => items.iter().any(is),
        value => is(value),
    })
}

impl Piece {
    /// Whether it is known only with the request.
    pub fn is_field(&self) -> bool {
        !matches!(self, Piece::Text(_))
    }
}

impl Expected {
    /// The pieces of a text that has fields; none of any other value.
    pub fn pieces(&self) -> &[Piece] {
        match self {
            Expected::Template(pieces) => pieces,
            Expected::Value(_) => &[],
        }
    }

    /// Whether a value is this one; `None` if they cannot be compared: a list or an object, a number that was rounded,
    /// a number and what the request says, or a text that cannot be made for this request.
    fn is(&self, found: &Json<'_>, facts: &Facts<'_>) -> Option<bool> {
        if matches!(found, Json::Array(_) | Json::Object(_)) {
            return None;
        }
        match self {
            Expected::Value(expected) => same(expected, found),
            // 7 is not the text that a path says, but whom `not` keeps from /users/7 may have the number.
            Expected::Template(_) if matches!(found, Json::Int(_) | Json::Float(_)) => None,
            Expected::Template(_) => {
                let text = self.text(facts)?;
                Some(found.as_str() == Some(text.as_ref()))
            }
        }
    }

    /// Whether a value is a text with this beginning or end.
    fn ends(&self, found: &Json<'_>, facts: &Facts<'_>, fits: fn(&str, &str) -> bool) -> bool {
        // Every text begins with nothing, so nothing is no beginning.
        let end = self.text(facts).filter(|end| !end.is_empty());
        found.as_str().zip(end).is_some_and(|(text, end)| fits(text, &end))
    }

    /// The text, if it is one and can be made for this request.
    fn text(&self, facts: &Facts<'_>) -> Option<Cow<'_, str>> {
        match self {
            Expected::Value(value) => value.as_str().map(Cow::Borrowed),
            Expected::Template(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(part) => text.push_str(part),
                        Piece::Capture(name) => {
                            text.push_str(facts.captures.iter().find(|(n, _)| n == name)?.1.as_ref())
                        }
                        Piece::Header(name) => text.push_str(str::from_utf8(facts.head?.only_spelled(name)?).ok()?),
                    }
                }
                Some(Cow::Owned(text))
            }
        }
    }
}

/// Whether values are equal and of the same kind; `1` and `1.0` are the same number, and nothing else crosses kinds.
/// `None` if one of two numbers was rounded when it was read: it stands for any of many.
fn same(expected: &Json<'_>, found: &Json<'_>) -> Option<bool> {
    let is_rounded = |value: &Json<'_>| matches!(value, Json::Float(number) if number.abs() > MAX_EXACT);
    match (expected, found) {
        (Json::Str(a), Json::Str(b)) => Some(a == b),
        (Json::Bool(a), Json::Bool(b)) => Some(a == b),
        (Json::Int(_) | Json::Float(_), Json::Int(_) | Json::Float(_)) => {
            let exact = !is_rounded(expected) && !is_rounded(found);
            exact.then(|| compare(found, expected) == Some(Ordering::Equal))
        }
        _ => Some(false),
    }
}

impl Bound {
    fn holds(self, found: Option<Ordering>) -> bool {
        match (self, found) {
            (_, None) => false,
            (Bound::AtLeast, Some(order)) => order.is_ge(),
            (Bound::AtMost, Some(order)) => order.is_le(),
            (Bound::MoreThan, Some(order)) => order.is_gt(),
            (Bound::LessThan, Some(order)) => order.is_lt(),
        }
    }
}

/// How a number compares with one of the policy, which is exact; `None` if it is none.
fn compare(found: &Json<'_>, limit: &Json<'_>) -> Option<Ordering> {
    match (found, limit) {
        (Json::Int(found), Json::Int(limit)) => Some(found.cmp(limit)),
        (Json::Int(found), Json::Float(limit)) => match exact(*found) {
            Some(found) => found.partial_cmp(limit),
            // Farther from zero than any limit.
            None => Some(found.cmp(&0)),
        },
        (Json::Float(found), Json::Int(limit)) => found.partial_cmp(&exact(*limit)?),
        (Json::Float(found), Json::Float(limit)) => found.partial_cmp(limit),
        _ => None,
    }
}

/// A whole number as a double, if it is one exactly.
fn exact(whole: i128) -> Option<f64> {
    const HALF: i128 = 1 << 32;
    let (high, low) = (whole.div_euclid(HALF), whole.rem_euclid(HALF));
    let number = f64::from(i32::try_from(high).ok()?) * 4_294_967_296.0 + f64::from(u32::try_from(low).ok()?);
    (number.abs() <= MAX_EXACT).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_numbers_of_both_kinds() {
        let order = |found: Json<'_>, limit: Json<'_>| compare(&found, &limit);
        let (int, float) = (|n| Json::Int(n), |n| Json::Float(n));
        for (found, limit, expected) in [
            (int(3), int(2), Ordering::Greater),
            (int(3), float(3.0), Ordering::Equal),
            (int(3), float(3.5), Ordering::Less),
            (float(3.5), int(3), Ordering::Greater),
            (float(-0.0), int(0), Ordering::Equal),
            (int(1 << 100), float(1.5), Ordering::Greater),
            (int(-(1 << 100)), float(1.5), Ordering::Less),
            (float(1e300), int(5), Ordering::Greater),
            (int((1 << 53) + 1), int(1 << 53), Ordering::Greater),
        ] {
            assert_eq!(order(found.clone(), limit.clone()), Some(expected), "{found} {limit}");
        }
        assert_eq!(order(Json::Str("3".into()), int(2)), None);
        assert_eq!(order(Json::Bool(true), int(1)), None);
        assert_eq!(same(&int(1 << 60), &int(1 << 60)), Some(true));
        assert_eq!(same(&int(1 << 60), &float(1e300)), None);
        assert_eq!(same(&float(1e300), &float(1e300)), None);
        assert_eq!(same(&float(1e300), &Json::Str("1e300".into())), Some(false));
        assert_eq!(exact((1 << 53) - 1), Some(MAX_EXACT));
        assert_eq!((exact((1 << 53) + 1), exact(-5)), (None, Some(-5.0)));
    }
}
