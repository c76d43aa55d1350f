//! Walks the JSON of a policy: every value knows where it stands, and every mistake is noted, not thrown.
//!
//! A policy is read once. What is `cold` here is not copied into every place that calls it, which made the module larger.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::error::{ConfigError, Warning, quote, quote_short};
use super::fields::NARROWING;
use super::suggest::nearest;
use crate::json::Json;

/// What was found wrong or odd so far.
#[derive(Default)]
pub(super) struct Report {
    errors: Cell<Vec<ConfigError>>,
    warnings: Cell<Vec<Warning>>,
}

/// Adds to a list that several nodes share; a cell, unlike a borrow, cannot be found in use.
fn push<T>(list: &Cell<Vec<T>>, item: T) {
    let mut items = list.take();
    items.push(item);
    list.set(items);
}

impl Report {
    /// All errors, or else all warnings.
    pub(super) fn finish(self) -> Result<Vec<Warning>, Vec<ConfigError>> {
        let (mut errors, mut warnings) = (self.errors.into_inner(), self.warnings.into_inner());
        // A section that several policies share is read for each of them.
        let mut told = BTreeSet::new();
        errors.retain(|error| told.insert((error.path.clone(), error.message.clone())));
        told.clear();
        warnings.retain(|warning| told.insert((warning.path.clone(), warning.message.clone())));
        if errors.is_empty() { Ok(warnings) } else { Err(errors) }
    }
}

/// A value and the way to it.
#[derive(Clone)]
pub(super) struct Node<'j> {
    report: &'j Report,
    value: &'j Json<'j>,
    parent: Option<Rc<Place<'j>>>,
    step: Option<Step<'j>>,
}

#[derive(Clone, Copy)]
enum Step<'j> {
    Member(&'j str),
    Element(usize),
}

/// The way to a value that holds others; shared by those.
struct Place<'j> {
    parent: Option<Rc<Place<'j>>>,
    step: Step<'j>,
}

/// An object whose members were checked against the fields it may have.
pub(super) struct Fields<'j> {
    node: Node<'j>,
    members: &'j [(std::borrow::Cow<'j, str>, Json<'j>)],
    place: Option<Rc<Place<'j>>>,
}

impl<'j> Node<'j> {
    /// The whole policy.
    pub(super) fn root(value: &'j Json<'j>, report: &'j Report) -> Self {
        Self { report, value, parent: None, step: None }
    }

    /// The value itself.
    pub(super) fn value(&self) -> &'j Json<'j> {
        self.value
    }

    /// The way to this value as people write it: `routes[2].allow`.
    #[cold]
    pub(super) fn path(&self) -> String {
        let mut steps: Vec<Step<'j>> = self.step.into_iter().collect();
        let mut place = self.parent.as_deref();
        while let Some(here) = place {
            steps.push(here.step);
            place = here.parent.as_deref();
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            let plain = |name: &str| {
                !name.is_empty()
                    && name.len() <= 64
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
            };
            match step {
                Step::Element(index) => path.push_str(&format!("[{index}]")),
                Step::Member(name) if plain(name) && path.is_empty() => path.push_str(name),
                Step::Member(name) if plain(name) => path.extend([".", name]),
                Step::Member(name) => path.push_str(&format!("[{}]", quote(name))),
            }
        }
        path
    }

    /// Notes an error here.
    #[cold]
    pub(super) fn error(&self, message: impl Into<String>) {
        self.note(message.into(), None);
    }

    /// Notes an error here, and how to mend it.
    #[cold]
    pub(super) fn error_cure(&self, message: impl Into<String>, cure: impl Into<String>) {
        self.note(message.into(), Some(cure.into()));
    }

    /// Notes a word that is not one of those known, and the one that may be meant, else how to mend it.
    #[cold]
    pub(super) fn unknown<'c>(
        &self,
        what: &str,
        word: &str,
        known: impl IntoIterator<Item = &'c str>,
        cure: Option<String>,
    ) {
        let meant = nearest(word, known).map(|meant| format!("did you mean {}?", quote(meant)));
        self.note(format!("unknown {what} {}", quote_short(word)), meant.or(cure));
    }

    /// Notes something odd here.
    #[cold]
    pub(super) fn warn(&self, message: impl Into<String>, cure: Option<&str>) {
        push(
            &self.report.warnings,
            Warning { path: self.path(), message: message.into(), cure: cure.map(String::from) },
        );
    }

    #[cold]
    fn note(&self, message: String, cure: Option<String>) {
        let path = self.path();
        push(&self.report.errors, ConfigError { path, message, cure });
    }

    /// Notes that the value is of the wrong kind. The value is not told, it may be a secret.
    #[cold]
    pub(super) fn expected(&self, what: &str) {
        let found = match self.value {
            Json::Null => "nothing",
            Json::Bool(_) => "true or false",
            Json::Int(_) | Json::Float(_) => "a number",
            Json::Str(_) => "text",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        };
        self.error(format!("expected {what}, found {found}"));
    }

    /// Whether nothing is said: `null` and, where no list or object is expected, `{}`.
    fn is_absent(&self) -> bool {
        matches!(self.value, Json::Null)
    }

    /// Whether this is an empty list or object.
    #[cold]
    pub(super) fn is_empty(&self) -> bool {
        match self.value {
            Json::Array(items) => items.is_empty(),
            Json::Object(members) => members.is_empty(),
            _ => false,
        }
    }

    #[cold]
    fn place(&self) -> Option<Rc<Place<'j>>> {
        self.step.map(|step| Rc::new(Place { parent: self.parent.clone(), step }))
    }

    #[cold]
    fn child(&self, place: Option<&Rc<Place<'j>>>, step: Step<'j>, value: &'j Json<'j>) -> Self {
        Self { report: self.report, value, parent: place.cloned(), step: Some(step) }
    }

    /// The members, an empty list standing for an empty object.
    #[cold]
    fn members(&self) -> Option<&'j [(std::borrow::Cow<'j, str>, Json<'j>)]> {
        match self.value {
            Json::Object(members) => Some(members),
            Json::Array(items) if items.is_empty() => Some(&[]),
            _ => None,
        }
    }

    /// An object with no other members than these; an unknown one is an error.
    #[cold]
    pub(super) fn fields(&self, known: &[&'static str]) -> Option<Fields<'j>> {
        let Some(members) = self.members() else {
            self.expected("an object");
            return None;
        };
        let place = self.place();
        for (name, value) in members {
            if !known.contains(&name.as_ref()) {
                let node = self.child(place.as_ref(), Step::Member(name), value);
                let meant = nearest(name, known.iter().copied()).map(|meant| format!("did you mean {}?", quote(meant)));
                node.note(String::from("unknown field"), meant);
            } else if *value == Json::Null && NARROWING.contains(&name.as_ref()) {
                self.child(place.as_ref(), Step::Member(name), value).no_value();
            }
        }
        Some(Fields { node: self.clone(), members, place })
    }

    /// Refuses a restriction that is written without a value: a template that left it empty must not open a route.
    #[cold]
    fn no_value(&self) {
        self.error_cure("has no value", "leave the field out, or give it one");
    }

    /// An object that may have other members than those that are read, as a copied JWK may.
    #[cold]
    pub(super) fn open_fields(&self) -> Option<Fields<'j>> {
        let members = self.members()?;
        Some(Fields { node: self.clone(), members, place: self.place() })
    }

    /// The members of an object in which people choose the names.
    #[cold]
    pub(super) fn entries(&self) -> Vec<(&'j str, Node<'j>)> {
        let Some(members) = self.members() else {
            self.expected("an object");
            return Vec::new();
        };
        let place = self.place();
        let entry = |(name, value): &'j (std::borrow::Cow<'j, str>, Json<'j>)| {
            (name.as_ref(), self.child(place.as_ref(), Step::Member(name), value))
        };
        members.iter().map(entry).collect()
    }

    /// The elements of a list, or the value itself where one may stand for a list. `{}` is an empty list.
    #[cold]
    pub(super) fn items(&self) -> Vec<Node<'j>> {
        match self.value {
            Json::Object(members) if members.is_empty() => Vec::new(),
            Json::Array(items) => {
                let place = self.place();
                let item = |(index, value)| self.child(place.as_ref(), Step::Element(index), value);
                items.iter().enumerate().map(item).collect()
            }
            _ => vec![self.clone()],
        }
    }

    /// As [`Node::items`], but an empty list is an error: nobody can tell whether it means none or any.
    #[cold]
    pub(super) fn some_items(&self, cure: &str) -> Vec<Node<'j>> {
        let items = self.items();
        if items.is_empty() {
            self.error_cure("is empty", cure);
        }
        items
    }

    /// The elements of what must be a list.
    #[cold]
    pub(super) fn list(&self) -> Vec<Node<'j>> {
        match self.value {
            Json::Array(_) => self.items(),
            Json::Object(members) if members.is_empty() => Vec::new(),
            _ => {
                self.expected("a list");
                Vec::new()
            }
        }
    }

    /// Text, empty or not.
    #[cold]
    pub(super) fn any_text(&self) -> Option<&'j str> {
        match self.value {
            Json::Str(text) => Some(text),
            Json::Int(_) | Json::Float(_) | Json::Bool(_) => {
                self.expected("text (in quotes)");
                None
            }
            _ => {
                self.expected("text");
                None
            }
        }
    }

    /// Text that is not empty.
    #[cold]
    pub(super) fn text(&self) -> Option<&'j str> {
        let text = self.any_text()?;
        if text.is_empty() {
            self.error("is empty");
            return None;
        }
        Some(text)
    }

    /// `true` or `false`; a mistake counts as `false`.
    #[cold]
    pub(super) fn flag(&self) -> bool {
        match self.value {
            Json::Bool(flag) => *flag,
            _ => {
                self.expected("true or false");
                false
            }
        }
    }
}

impl<'j> Fields<'j> {
    /// The field of this name; `None` if it is absent or null.
    #[cold]
    pub(super) fn get(&self, name: &str) -> Option<Node<'j>> {
        let (name, value) = self.members.iter().find(|(n, _)| n == name)?;
        let node = self.node.child(self.place.as_ref(), Step::Member(name), value);
        (!node.is_absent()).then_some(node)
    }

    /// As [`Fields::get`] for a field that is neither list nor object, where some hosts write `{}` for null.
    #[cold]
    pub(super) fn scalar(&self, name: &str) -> Option<Node<'j>> {
        let node = self.get(name)?;
        let says_nothing = matches!(node.value, Json::Object(members) if members.is_empty());
        if says_nothing && NARROWING.contains(&name) {
            node.no_value();
        }
        (!says_nothing).then_some(node)
    }

    /// Whether the field of this name says `true`.
    #[cold]
    pub(super) fn flag(&self, name: &str) -> bool {
        self.scalar(name).is_some_and(|node| node.flag())
    }

    /// Whether no field says anything.
    #[cold]
    pub(super) fn is_empty(&self) -> bool {
        self.members.iter().all(|(_, value)| matches!(value, Json::Null))
    }

    /// Refuses a field that is written without a value.
    #[cold]
    pub(super) fn refuse_null(&self, name: &str) {
        if let Some((name, value)) = self.members.iter().find(|(n, value)| n == name && *value == Json::Null) {
            self.node.child(self.place.as_ref(), Step::Member(name), value).no_value();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, read};

    #[test]
    fn writes_paths() {
        let json = read(br#"{"a":[{"b c":{"d":1}}]}"#, Limits { depth: 9, members: 99 }).unwrap();
        let report = Report::default();
        let root = Node::root(&json, &report);
        let (_, a) = root.entries().remove(0);
        let (_, b) = a.items().remove(0).entries().remove(0);
        let (_, d) = b.entries().remove(0);
        assert_eq!([root.path(), a.path(), b.path(), d.path()], ["", "a", "a[0][\"b c\"]", "a[0][\"b c\"].d"]);
    }

    #[test]
    fn takes_empty_objects_for_empty_lists() {
        let json = read(br#"{"a":{},"b":[],"c":"x","d":null}"#, Limits { depth: 9, members: 99 }).unwrap();
        let report = Report::default();
        let fields = Node::root(&json, &report).fields(&["a", "b", "c", "d"]).unwrap();
        let count = |name| fields.get(name).map(|node: Node<'_>| node.items().len());
        assert_eq!([count("a"), count("b"), count("c"), count("d")], [Some(0), Some(0), Some(1), None]);
        assert!(fields.scalar("a").is_none() && report.finish().is_ok());
    }
}
