//! Whether a text with fields in it can be read in one way only: what one field stands for must not run into the next.

use super::error::quote;
use super::node::Node;
use crate::condition::Piece;

/// What a field can stand for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// A decoded segment of a path.
    Segment,
    /// A label of a host, or a capture of an issuer.
    Label,
    /// A header, which holds whatever its caller likes.
    Header,
}

impl Field {
    fn of(piece: &Piece, is_segment: bool) -> Option<Self> {
        match piece {
            Piece::Text(_) => None,
            Piece::Header(_) => Some(Self::Header),
            Piece::Capture(name) if is_segment && !name.starts_with("host.") => Some(Self::Segment),
            Piece::Capture(_) => Some(Self::Label),
        }
    }

    /// Whether the character may stand in it.
    fn holds(self, c: char) -> bool {
        match self {
            Self::Segment => !matches!(c, '/' | '\\' | '%' | ';' | '?' | '#'),
            Self::Label => c.is_ascii_alphanumeric() || c == '-' || c == '_',
            Self::Header => true,
        }
    }

    /// Whether a text between this field and the next shows where one ends and the other begins. Beside a header, which
    /// is found from both sides, it is enough that the other cannot hold it.
    fn ends_at(self, text: &str, next: Self) -> bool {
        text.chars().any(|c| match (self, next) {
            (Self::Header, other) | (other, Self::Header) => !other.holds(c),
            (one, other) => !one.holds(c) && !other.holds(c),
        })
    }
}

/// Checks a text in pieces. Captures stand for segments of a path where they are those of a route.
pub(super) fn check(node: &Node<'_>, pieces: &[Piece], is_segment: bool) {
    let fields = || pieces.iter().filter_map(|piece| Field::of(piece, is_segment));
    if fields().filter(|field| *field == Field::Header).count() > 1 {
        node.error_cure("has two headers in it, and a caller could move text from one to the other", "keep one");
        return;
    }
    // The last field, and the text since.
    let mut open: Option<(Field, &str)> = None;
    for piece in pieces {
        match (Field::of(piece, is_segment), piece) {
            (Some(field), _) => {
                if let Some((last, text)) = open
                    && !last.ends_at(text, field)
                {
                    node.error_cure(
                        format!("could be read in two ways: {} between two fields can be part of them", quote(text)),
                        "part those of a path by /, others by a dot",
                    );
                    return;
                }
                open = Some((field, ""));
            }
            (None, Piece::Text(text)) => open = open.map(|(field, _)| (field, text.as_str())),
            (None, _) => {}
        }
    }
}
