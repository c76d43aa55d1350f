//! Answers of the operator's own: status, words, headers and body in place of ours, for a reason or a code.

use crate::json::write_text;

/// What an answer says otherwise than ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Custom {
    /// The reason or code that it is for.
    pub word: &'static str,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The short name of the problem.
    pub title: Option<String>,
    /// The sentence for people.
    pub message: Option<String>,
    /// Further headers: lower-case names, and values.
    pub headers: Vec<(String, Vec<Piece>)>,
    /// The body and its content type.
    pub body: Option<Body>,
}

/// A body with fields in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The content type, which tells how fields are escaped.
    pub content_type: String,
    /// The text.
    pub pieces: Vec<Piece>,
}

/// A piece of a text with fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// A field.
    Field(Field),
}

/// What an answer can be told to say: nothing of a request but its id, and nothing of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The code, or the reason where reasons are shown.
    Code,
    /// The short name.
    Title,
    /// The sentence.
    Message,
    /// The HTTP status.
    Status,
    /// The host's id of the request; empty if it has none.
    Id,
    /// The realm.
    Realm,
}

impl Field {
    /// Every field, by its name in a policy.
    pub const ALL: [(&'static str, Field); 6] = [
        ("code", Field::Code),
        ("title", Field::Title),
        ("message", Field::Message),
        ("status", Field::Status),
        ("id", Field::Id),
        ("realm", Field::Realm),
    ];
}

/// The values of all fields.
#[derive(Clone, Copy, Debug)]
pub struct Values<'v> {
    /// See [`Field::Code`].
    pub code: &'v str,
    /// See [`Field::Title`].
    pub title: &'v str,
    /// See [`Field::Message`].
    pub message: &'v str,
    /// See [`Field::Status`].
    pub status: u16,
    /// See [`Field::Id`].
    pub id: &'v str,
    /// See [`Field::Realm`].
    pub realm: &'v str,
}

/// How a field's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Within a JSON string (RFC 8259 section 7).
    Json,
    /// Within HTML text or a quoted attribute.
    Html,
    /// As it is.
    Plain,
}

impl Escape {
    /// What goes with a content type.
    pub fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind.ends_with("json") {
            Self::Json
        } else if kind.ends_with("html") || kind.ends_with("xml") {
            Self::Html
        } else {
            Self::Plain
        }
    }

    fn write(self, value: &str, text: &mut String) {
        match self {
            Self::Json => {
                let mut quoted = String::new();
                // Writing into a String cannot fail.
                let _ = write_text(value, &mut quoted);
                text.push_str(quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap_or_default());
            }
            Self::Html => {
                for c in value.chars() {
                    match c {
                        '&' => text.push_str("&amp;"),
                        '<' => text.push_str("&lt;"),
                        '>' => text.push_str("&gt;"),
                        '"' => text.push_str("&quot;"),
                        '\'' => text.push_str("&#39;"),
                        c => text.push(c),
                    }
                }
            }
            Self::Plain => text.push_str(value),
        }
    }
}

/// The text with its fields filled in.
pub fn fill(pieces: &[Piece], values: &Values<'_>, escape: Escape) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Field(Field::Status) => text.push_str(&values.status.to_string()),
            Piece::Field(field) => {
                let value = match field {
                    Field::Code => values.code,
                    Field::Title => values.title,
                    Field::Message => values.message,
                    Field::Id => values.id,
                    Field::Realm | Field::Status => values.realm,
                };
                escape.write(value, &mut text);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_for_the_content_type() {
        let values = Values { code: "c", title: "a\"<b>\\'&", message: "", status: 401, id: "", realm: "r" };
        let pieces = [Piece::Text("{".into()), Piece::Field(Field::Title), Piece::Field(Field::Status)];
        let filled = |content_type| fill(&pieces, &values, Escape::of(content_type));
        assert_eq!(filled("application/problem+json"), "{a\\\"<b>\\\\'&401");
        assert_eq!(filled("application/json; charset=utf-8"), "{a\\\"<b>\\\\'&401");
        assert_eq!(filled("Text/HTML; charset=utf-8"), "{a&quot;&lt;b&gt;\\&#39;&amp;401");
        assert_eq!(filled("text/plain"), "{a\"<b>\\'&401");
    }
}
