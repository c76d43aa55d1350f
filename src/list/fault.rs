//! What can be wrong with the document of a list. Nothing of the document itself is told.

use std::fmt;

/// What is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The line, counted from one; 0 for the document as a whole.
    pub line: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin with the line that says what it is.
    Head,
    /// It is JSON, which is read in another way.
    Braces,
    /// It is not UTF-8.
    Encoding,
    /// A line is too long.
    Long,
    /// A control character, a space too many, or quotes that do not close.
    Words,
    /// Too few or too many words.
    Count,
    /// The first word is none that begins a line.
    Kind,
    /// A time is none.
    Time,
    /// A digest is none.
    Digest,
    /// A name is none.
    Name,
    /// Roles, scopes and claims are not as they must be.
    Set,
    /// A set is named that was not defined before, or defined twice.
    SetName,
    /// A key stands twice.
    Twice,
    /// More than a list may hold.
    Many,
    /// So many entries are alike that they cannot be put in order a little at a time.
    Alike,
    /// It ends without its last line, or without a line break.
    Unended,
    /// There are more or fewer entries than the first line says.
    Total,
    /// Something follows the last line.
    After,
    /// It is no JSON of the right form.
    Json,
}

impl Fault {
    /// A sentence about it, without a subject.
    pub const fn sentence(self) -> &'static str {
        match self {
            Fault::Head => {
                "does not begin with `gatekey-revoked 1` or `gatekey-clients 1`, whichever it should be, and the number of entries"
            }
            Fault::Braces => "is JSON: only a revocation list may be, and the policy says so with `format: json`",
            Fault::Encoding => "is not UTF-8",
            Fault::Long => "is too long",
            Fault::Words => "has a control character, a space too many, or quotes that do not close",
            Fault::Count => "has too few or too many words",
            Fault::Kind => "begins with a word that means nothing here",
            Fault::Time => "has something else where an RFC 3339 time must be",
            Fault::Digest => "has something else where a SHA-256 digest in hexadecimal digits must be",
            Fault::Name => "has a name that is not 1 to 64 letters, digits, _ and -",
            Fault::Set => "has something else where an object of roles, scopes and claims must be",
            Fault::SetName => "names a set that is not defined before, or defines one again",
            Fault::Twice => "has one key twice",
            Fault::Many => "has more than a list may hold",
            Fault::Alike => "has far more entries that are the same, or begin alike, than chance would make",
            Fault::Unended => "does not end with a line `end`: it is cut off",
            Fault::Total => "makes another number of entries than the first line says",
            Fault::After => "stands after the end",
            Fault::Json => "is no JSON of the right form",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "the document {}", self.fault.sentence()),
            line => write!(out, "line {line} {}", self.fault.sentence()),
        }
    }
}
