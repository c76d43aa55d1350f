//! One request to a key server, and the answer to it.

use super::source::{Source, TIMEOUT, Uri};

/// The longest document that is read, in octets.
pub const MAX_DOCUMENT: usize = 256 * 1024;

/// What key servers are asked for.
const JWKS: &str = "application/jwk-set+json, application/json";

/// A GET request that the shell is to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The host's name for the servers that are asked.
    pub cluster: String,
    /// What is asked for.
    pub uri: Uri,
    /// The entity tag of the document that is there already (RFC 9110 section 13.1.2), empty for none.
    pub etag: Vec<u8>,
    /// How long the answer may take, in milliseconds.
    pub timeout: i64,
    /// What kinds of document are wanted (RFC 9110 section 12.5.1).
    pub accept: &'static str,
    /// The part of the document that is wanted; `None` for all of it.
    pub part: Option<Part>,
}

/// A part of a document (RFC 9110 section 14.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first octet.
    pub first: u64,
    /// The last octet; there may be fewer.
    pub last: u64,
    /// The entity tag of the document that it must be a part of (RFC 9110 section 13.1.5); empty for any.
    pub of: Vec<u8>,
}

impl Request {
    pub(super) fn new(source: &Source, uri: &Uri, etag: Vec<u8>) -> Self {
        Self { cluster: source.cluster.clone(), uri: uri.clone(), etag, timeout: TIMEOUT, accept: JWKS, part: None }
    }

    /// The head of the request.
    pub fn head(&self) -> Vec<(&'static str, Vec<u8>)> {
        let text = |text: &str| text.as_bytes().to_vec();
        let mut head = vec![
            (":method", text("GET")),
            (":scheme", text(self.uri.scheme())),
            (":authority", text(&self.uri.authority)),
            (":path", text(&self.uri.path)),
            ("accept", text(self.accept)),
            ("user-agent", format!("gatekey/{}", crate::VERSION).into_bytes()),
        ];
        if !self.etag.is_empty() {
            head.push(("if-none-match", self.etag.clone()));
        }
        if let Some(part) = &self.part {
            head.push(("range", format!("bytes={}-{}", part.first, part.last).into_bytes()));
            // Parts of what was packed could not be read one by one.
            head.push(("accept-encoding", text("identity")));
            if !part.of.is_empty() {
                head.push(("if-range", part.of.clone()));
            }
        }
        head
    }
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status; `None` if there was no answer.
    pub status: Option<u16>,
    /// The entity tag, empty for none.
    pub etag: Vec<u8>,
    /// The body of an answer with status 200, or of 206 where a part was asked for; of any other it need not be
    /// read. `None` if it is longer than it may be.
    pub body: Option<Vec<u8>>,
    /// Which part of what this is (RFC 9110 section 14.4), as it stands in the answer.
    pub content_range: Vec<u8>,
}

impl Answer {
    /// The document that came, or why there is none.
    pub(super) fn document(&self) -> Result<&[u8], Outcome> {
        match self.status {
            None | Some(502..=504) => Err(Outcome::Unreachable),
            Some(200) => self.body.as_deref().filter(|body| body.len() <= MAX_DOCUMENT).ok_or(Outcome::Document),
            Some(_) => Err(Outcome::Status),
        }
    }
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Another document came, and was taken.
    Changed,
    /// The document that is there is still the right one.
    Unchanged,
    /// There was no answer, or one that says so: a host may make up a 503 or 504.
    Unreachable,
    /// The answer had a status other than 200 and 304; a redirect is one of these and is not followed.
    Status,
    /// The document is too long, not what it should be, or has no key that can be used.
    Document,
    /// The metadata names another issuer, or a key set elsewhere.
    Issuer,
    /// The host did not keep the document for its workers.
    Unkept,
}

impl Outcome {
    /// The word in metrics and log lines.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Changed => "changed",
            Outcome::Unchanged => "unchanged",
            Outcome::Unreachable => "unreachable",
            Outcome::Status => "status",
            Outcome::Document => "document",
            Outcome::Issuer => "issuer",
            Outcome::Unkept => "unkept",
        }
    }

    /// What happened, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Outcome::Changed => "other keys came",
            Outcome::Unchanged => "the keys are the same",
            Outcome::Unreachable => {
                "no answer, or 502, 503 or 504 in place of one; is `cluster` right, and the server up?"
            }
            Outcome::Status => "the status is neither 200 nor 304; redirects are not followed",
            Outcome::Document => "the document is no key set, too long, or has no key for the issuer's algorithms",
            Outcome::Unkept => "the host does not keep the document where its workers meet",
            Outcome::Issuer => "the metadata name another issuer, or keys on another server; `uri` names keys directly",
        }
    }

    /// Whether keys are known to be the right ones after it.
    pub const fn is_success(self) -> bool {
        matches!(self, Outcome::Changed | Outcome::Unchanged)
    }
}
