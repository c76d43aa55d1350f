//! The section `upstream`: what the service sees.

use super::error::quote;
use super::fields::{EXCHANGE, SET, UPSTREAM};
use super::node::Node;
use super::secret::Secrets;
use super::template::{self, Piece};
use super::token_profile;
use super::value::header_name;
use crate::claims::ClaimPath;
use crate::credential::{Location, Read};
use crate::issue::claims::TokenProfile;
use crate::issue::exchange::Exchange;
use crate::json::Json;
use crate::route::Route;
use crate::upstream::{HeaderValue, MAX_HYPHENS, SetHeader, Source, Strip, TemplatePiece, Upstream};

/// Headers that carry the message itself (RFC 9110, RFC 9112); `proxy-*` belongs to them too.
pub(super) const HOST_HEADERS: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "http2-settings",
];
/// Path headers that some services believe more than the path.
const PATH_OVERRIDES: [&str; 6] =
    ["x-original-url", "x-original-uri", "x-rewrite-url", "script-name", "x-script-name", "path-info"];
/// Method headers that some services believe more than the method.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
/// The longest constant or template, in octets.
const MAX_TEXT: usize = 4096;
const SOURCES: [&str; 7] = ["method", "name", "sub", "client", "issuer", "roles", "scopes"];

/// What stands around the section.
pub(super) struct Around<'r> {
    /// They tell which captures there are.
    pub(super) routes: &'r [Route],
    pub(super) read: &'r Read,
    pub(super) preflight: bool,
    /// Whether requests are only watched.
    pub(super) reports: bool,
    pub(super) secrets: &'r Secrets<'r>,
    /// The profile of the token endpoint, which may sign for services too; `Some(None)` if there is one with errors.
    pub(super) endpoint: Option<Option<&'r TokenProfile>>,
}

/// Reads what is set, removed and published. Which headers are compared, is left open.
pub(super) fn read(node: Option<&Node<'_>>, around: &Around<'_>) -> Upstream {
    let Around { routes, read, preflight, .. } = *around;
    let fields = node.and_then(|node| node.fields(UPSTREAM));
    let fields = fields.as_ref();
    let keep_credential = fields.is_some_and(|fields| fields.flag("keep_credential"));
    let owner = Owner { routes, read, keep_credential };
    let set = fields.and_then(|fields| fields.get("set")).map(|node| owner.set(&node)).unwrap_or_default();
    let (names, prefixes) =
        fields.and_then(|fields| fields.get("strip")).map(|node| owner.strip(&node)).unwrap_or_default();

    let mut all: Vec<&str> =
        set.iter().map(|header| header.name.as_str()).chain(names.iter().map(String::as_str)).collect();
    let lead = routes.iter().any(|route| route.provider.is_some());
    if lead || routes.iter().any(|route| !route.paths.is_empty()) {
        all.extend(PATH_OVERRIDES);
    }
    // A preflight that passes must not become the method that it asks for.
    if preflight || lead || routes.iter().any(|route| !route.methods.is_empty() || route.preflight) {
        all.extend(METHOD_OVERRIDES);
    }
    let token = fields.and_then(|fields| fields.get("token")).and_then(|node| {
        let token = owner.token(&node, around)?;
        if around.reports && token.takes_authorization() {
            node.warn("has no effect in report mode: Authorization goes on as it came", None);
            return None;
        }
        Some(token)
    });
    // Authorization is hidden as a credential is, wherever credentials are.
    all.extend(token.iter().filter(|token| !token.takes_authorization()).map(|token| token.header.as_str()));
    if let (Some(token), Some(node)) = (&token, fields.and_then(|fields| fields.get("set")))
        && set.iter().any(|header| folded(&header.name) == folded(&token.header))
    {
        node.error(format!("sets {}, which `token` sets too", token.header));
    }
    let strip = Strip::new(all, prefixes.iter().map(String::as_str));
    let publish = fields.and_then(|fields| fields.scalar("publish")).and_then(|node| publish(&node));
    Upstream { set, strip, compared: Strip::default(), keep_credential, token, publish }
}

/// What decides whether a header may be ours.
struct Owner<'r> {
    routes: &'r [Route],
    read: &'r Read,
    keep_credential: bool,
}

impl Owner<'_> {
    fn set(&self, node: &Node<'_>) -> Vec<SetHeader> {
        let mut found: Vec<(String, SetHeader)> = Vec::new();
        for (name, node) in node.entries() {
            let Some(name) = self.name(name, &node) else {
                continue;
            };
            if self.routes.iter().any(|route| route.headers.iter().any(|header| folded(&header.name) == folded(&name)))
            {
                node.error("a route matches on this header: what callers send under such a name must decide nothing");
            }
            if self.routes.iter().flat_map(|route| route.rule.headers()).any(|header| folded(header) == folded(&name)) {
                node.error("a condition looks at this header: what callers send under such a name must decide nothing");
            }
            if found.iter().any(|(other, _)| *other == folded(&name)) {
                node.error("is set twice: case does not count in header names, nor whether it is _ or -");
            }
            if let Some(value) = self.value(&node) {
                found.push((folded(&name), SetHeader { name, value }));
            }
        }
        found.into_iter().map(|(_, header)| header).collect()
    }

    /// A header name that may be set or removed.
    fn name(&self, name: &str, node: &Node<'_>) -> Option<String> {
        let name = header_name(name, node)?;
        let fold = folded(&name);
        if HOST_HEADERS.contains(&fold.as_str()) || fold.starts_with("proxy-") {
            node.error(format!("the header {name} belongs to the host"));
        } else if self.reads(&fold) {
            node.error_cure("a credential is read from this header", "keep_credential decides whether it goes on");
        } else if fold.bytes().filter(|b| *b == b'-').count() > MAX_HYPHENS {
            node.error(format!("has more than {MAX_HYPHENS} hyphens, too many spellings to remove"));
        } else {
            return Some(name);
        }
        None
    }

    /// The token for the service. It may stand where the credential stood, which it takes the place of.
    fn token(&self, node: &Node<'_>, around: &Around<'_>) -> Option<Exchange> {
        let fields = node.fields(EXCHANGE)?;
        let header = match fields.scalar("header") {
            None => Some(String::from("authorization")),
            Some(node) => {
                let name = node.text().and_then(|name| header_name(name, &node))?;
                if name == "authorization" { Some(name) } else { self.name(&name, &node) }
            }
        };
        if header.as_deref() == Some("authorization") && self.keep_credential {
            node.error_cure("takes the place of a credential that `keep_credential` keeps", "name another `header`");
        }
        let profile = token_profile::read(node, &fields, around.secrets, around.routes, around.endpoint);
        Some(Exchange { header: header?, profile: profile?, act: fields.flag("act") })
    }

    /// Whether a credential is read from a header of this folded name.
    fn reads(&self, fold: &str) -> bool {
        self.read.locations().any(|location| match location {
            Location::Bearer => fold == "authorization",
            Location::Header(name) => fold == folded(name),
            Location::Cookie(_) => fold == "cookie",
            Location::Query(_) => false,
        })
    }

    fn value(&self, node: &Node<'_>) -> Option<HeaderValue> {
        if let Some(text) = node.value().as_str() {
            let cure = match text.contains('{') {
                true => "for text with fields in braces write { template: ... }",
                false => "for fixed text write { value: ... }",
            };
            return source(self.routes, node, text, cure).map(HeaderValue::Source);
        }
        if node.value() == &Json::Null {
            node.error_cure("says nothing", "write a source such as sub; `strip` only removes a header");
            return None;
        }
        let fields = node.fields(SET)?;
        match (fields.scalar("value"), fields.scalar("template")) {
            (Some(_), Some(_)) => node.error_cure("has both value and template", "keep one"),
            (None, None) => {
                node.error_cure("has no value", "write a source such as sub, { value: ... } or { template: ... }")
            }
            (Some(node), None) => {
                let text = header_text(&node)?;
                if template::pieces(text).is_ok_and(|pieces| pieces.iter().any(is_source)) {
                    node.warn("is sent as it stands, with its braces", Some("`template` fills in what is in them"));
                }
                return Some(HeaderValue::Constant(String::from(text)));
            }
            (None, Some(node)) => return self.template(&node).map(HeaderValue::Template),
        }
        None
    }

    fn template(&self, node: &Node<'_>) -> Option<Vec<TemplatePiece>> {
        let text = header_text(node)?;
        let pieces = match template::pieces(text) {
            Ok(pieces) => pieces,
            Err(message) => {
                node.error(message);
                return None;
            }
        };
        if !pieces.iter().any(|piece| matches!(piece, Piece::Field(_))) {
            node.error_cure("has no field", "for fixed text write { value: ... }");
        }
        let read = |piece: Piece<'_>| match piece {
            Piece::Text(text) => Some(TemplatePiece::Text(text)),
            Piece::Field(field) => source(self.routes, node, field, "{{ stands for a brace").map(TemplatePiece::Field),
        };
        pieces.into_iter().map(read).collect()
    }

    fn strip(&self, node: &Node<'_>) -> (Vec<String>, Vec<String>) {
        let (mut names, mut prefixes) = (Vec::new(), Vec::new());
        for item in node.items() {
            let Some(text) = item.text() else {
                continue;
            };
            match text.strip_suffix('*') {
                Some(prefix) => prefixes.extend(self.prefix(&item, prefix)),
                None => names.extend(self.name(text, &item)),
            }
        }
        (names, prefixes)
    }

    fn prefix(&self, node: &Node<'_>, prefix: &str) -> Option<String> {
        if prefix.len() < 2 {
            node.error("a prefix has at least 2 characters before its *");
            return None;
        }
        let prefix = header_name(prefix, node)?;
        let fold = folded(&prefix);
        let ours = HOST_HEADERS.iter().find(|name| name.starts_with(&fold));
        if let Some(name) =
            ours.copied().or_else(|| (fold.starts_with("proxy-") || "proxy-".starts_with(&fold)).then_some("proxy-*"))
        {
            node.error(format!("covers the header {name}, which belongs to the host"));
            return None;
        }
        let read = self.read.locations().find_map(|location| match location {
            Location::Bearer if "authorization".starts_with(&fold) => Some("authorization"),
            Location::Cookie(_) if "cookie".starts_with(&fold) => Some("cookie"),
            Location::Header(name) if folded(name).starts_with(&fold) => Some(name.as_str()),
            _ => None,
        });
        match read {
            Some("authorization" | "cookie") => {}
            Some(_) if !self.keep_credential => return Some(prefix),
            None => return Some(prefix),
            Some(_) => {}
        }
        node.error_cure("covers a header that a credential is read from", "keep_credential decides whether it goes on");
        None
    }
}

/// A field of the identity, or a capture of these routes.
pub(super) fn source(routes: &[Route], node: &Node<'_>, text: &str, cure: &str) -> Option<Source> {
    Some(match text {
        "method" => Source::Method,
        "name" => Source::Name,
        "sub" => Source::Sub,
        "client" => Source::Client,
        "issuer" => Source::Issuer,
        "roles" => Source::Roles,
        "scopes" => Source::Scopes,
        _ => {
            if let Some(name) = text.strip_prefix("path.") {
                return capture(routes, node, name);
            }
            if text.starts_with("host.") {
                return host_label(routes, node, text);
            }
            let Some(path) =
                text.strip_prefix("claims.").or_else(|| text.strip_prefix("claims").filter(|p| p.starts_with('[')))
            else {
                let rest = text.split_once('.').map_or("NAME", |(_, rest)| rest);
                let deeper = [format!("claims.{rest}"), format!("path.{rest}")];
                let known = SOURCES.into_iter().chain(deeper.iter().map(String::as_str));
                node.unknown("source", text, known, Some(String::from(cure)));
                return None;
            };
            return match ClaimPath::parse(path) {
                Ok(path) => Some(Source::Claim(path)),
                Err(message) => {
                    node.error(format!("{}: {message}", quote(text)));
                    None
                }
            };
        }
    })
}

fn capture(routes: &[Route], node: &Node<'_>, name: &str) -> Option<Source> {
    let known = || routes.iter().flat_map(|route| route.paths.iter().flat_map(|path| path.captures()));
    if known().any(|other| other == name) {
        return Some(Source::Capture(String::from(name)));
    }
    node.unknown("capture", name, known(), Some(String::from("no path of any route captures it")));
    None
}

fn host_label(routes: &[Route], node: &Node<'_>, text: &str) -> Option<Source> {
    let known = || routes.iter().flat_map(|route| route.hosts.iter().filter_map(|host| host.capture()));
    if known().any(|other| other == text) {
        return Some(Source::Capture(String::from(text)));
    }
    node.unknown("capture", text, known(), Some(String::from("no host of any route captures it")));
    None
}

/// Whether a piece of a text is a field that a template would fill in.
fn is_source(piece: &Piece<'_>) -> bool {
    match piece {
        Piece::Field(field) => {
            SOURCES.contains(field) || ["path.", "host.", "claims."].iter().any(|start| field.starts_with(start))
        }
        Piece::Text(_) => false,
    }
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Text that may stand in a header as it is.
fn header_text<'j>(node: &Node<'j>) -> Option<&'j str> {
    let text = node.text()?;
    if text.len() > MAX_TEXT {
        node.error(format!("is longer than {MAX_TEXT} octets"));
    } else if !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        node.error("a header value is visible ASCII and spaces");
    } else if text.trim_matches(' ') != text {
        node.error("begins or ends with a space, which hosts cut off");
    } else {
        return Some(text);
    }
    None
}

fn publish(node: &Node<'_>) -> Option<String> {
    let prefix = node.text()?;
    if prefix.len() > 32 || !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        node.error(format!("{} is not 1 to 32 letters, digits and _", quote(prefix)));
    }
    Some(String::from(prefix))
}
