//! `gatekey list`: makes the documents of lists that the filter fetches, and checks them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};

use gatekey::config::is_name;
use gatekey::credential::key::{KeyDigest, digest, shown};
use gatekey::json::{self, Json, Limits};
use gatekey::list::clients::read_set;
use gatekey::list::lists::List;
use gatekey::list::load::{self, LONGEST};
use gatekey::list::source::Content;
use gatekey::peer::read_digest;
use gatekey::time::Time;

use super::args::Args;
use super::policy_file::text;
use super::{Failure, Outcome};

pub(super) const HELP: &str = "\
usage: gatekey list clients FILE.csv
       gatekey list revoked FILE
       gatekey list check FILE

Makes and checks the documents that `clients_from` and `revoked.from` fetch. FILE may be - for stdin.

  clients   prints the document of a table of clients. The first line names the columns:
              name         of the client; one with several keys has a line for each
              key, sha256  the key, of which only the digest is kept, or its digest
              expires, not_before
                           RFC 3339 times, or nothing
              roles, scopes
                           parted by spaces
              claims       a JSON object, or nothing
            Columns that are not needed may be left out. No output holds a key.
  revoked   prints the document of entries, one per line, such as `jti 8f14e45f` or `sub mallory https://id.example.com/`
  check     tells what a document holds, or what is wrong with it

Exit codes: 0 all is well, 1 something is wrong with FILE.
";

/// How many mistakes are told.
const MOST_TOLD: usize = 20;

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Outcome {
    let [verb, file] = args.rest(2)? else {
        return Err(Failure::Usage(String::from("write `gatekey list clients|revoked|check FILE`")));
    };
    match verb.as_str() {
        "clients" => make_clients(file, out),
        "revoked" => make_revoked(file, out),
        "check" => check(file, out),
        _ => Err(Failure::Usage(format!("{verb:?} is none of clients, revoked and check"))),
    }
}

/// Reads a file that may be as long as a list may be.
pub(super) fn read(path: &str) -> Result<Vec<u8>, Failure> {
    let refuse = |what: String| Failure::Input(format!("gatekey: {path}: {what}\n"));
    let mut octets = Vec::new();
    let read = match path {
        "-" => io::stdin().lock().take(LONGEST + 1).read_to_end(&mut octets),
        path => File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut octets)),
    };
    read.map_err(|error| refuse(format!("cannot be read: {error}")))?;
    if u64::try_from(octets.len()).is_ok_and(|length| length <= LONGEST) {
        Ok(octets)
    } else {
        Err(refuse(format!("is longer than {LONGEST} octets")))
    }
}

fn check(path: &str, out: &mut dyn Write) -> Outcome {
    let document = read(path)?;
    let content = if document.starts_with(b"gatekey-clients ") {
        Content::Clients
    } else if document.trim_ascii_start().starts_with(b"{") {
        Content::RevokedJson
    } else {
        Content::Revoked
    };
    let list =
        load::read(content, 0, &document).map_err(|flaw| Failure::Input(format!("gatekey: {path}: {flaw}\n")))?;
    match list {
        List::Clients(keys) => writeln!(out, "ok: {} keys of clients", keys.len())?,
        List::Revoked(entries) => writeln!(out, "ok: {} entries that revoke", entries.len())?,
    }
    Ok(())
}

/// Prints lines as a document, after it was read as the filter will.
fn print(content: Content, lines: &str, entries: usize, path: &str, out: &mut dyn Write) -> Outcome {
    let name = if content == Content::Clients { "gatekey-clients" } else { "gatekey-revoked" };
    let document = format!("{name} 1 {entries}\n{lines}end\n");
    match load::read(content, 0, document.as_bytes()) {
        Ok(_) => Ok(out.write_all(document.as_bytes())?),
        // One line was put before the first.
        Err(mut flaw) => {
            flaw.line = flaw.line.saturating_sub(u64::from(content != Content::Clients));
            Err(Failure::Input(format!("gatekey: {path}: {flaw}\n")))
        }
    }
}

fn make_revoked(path: &str, out: &mut dyn Write) -> Outcome {
    let octets = read(path)?;
    let lines = str::from_utf8(&octets).map_err(|_| Failure::Input(format!("gatekey: {path} is not UTF-8\n")))?;
    let entries = lines.lines().filter(|line| !line.starts_with('#')).count();
    let end = if lines.is_empty() || lines.ends_with('\n') { "" } else { "\n" };
    print(Content::Revoked, &format!("{lines}{end}"), entries, path, out)
}

/// The columns that a table of clients may have.
const COLUMNS: [&str; 8] = ["name", "key", "sha256", "expires", "not_before", "roles", "scopes", "claims"];

/// What was made of a table so far.
#[derive(Default)]
struct Made {
    sets: BTreeMap<String, usize>,
    /// The lines of sets, in the order of their names.
    set_lines: String,
    lines: String,
    /// In which line each key stands.
    keys: BTreeMap<KeyDigest, u64>,
}

fn make_clients(path: &str, out: &mut dyn Write) -> Outcome {
    let octets = read(path)?;
    let mut table = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(octets.as_slice());
    let columns =
        table.headers().map_err(|_| Failure::Input(format!("gatekey: {path}: line 1 is not UTF-8\n")))?.clone();
    let mut mistakes: Vec<String> = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        if !COLUMNS.contains(&column) {
            // It may be a key, where the line of columns was forgotten.
            mistakes.push(format!("line 1: column {} is none of {}", index + 1, COLUMNS.join(", ")));
        } else if columns.iter().take(index).any(|other| other == column) {
            mistakes.push(format!("line 1: the column {column} stands twice"));
        }
    }
    let has = |name| columns.iter().any(|column| column == name);
    if !has("name") || has("key") == has("sha256") {
        mistakes.push(String::from("line 1: there must be a column `name`, and one of `key` and `sha256`"));
    }
    let mut made = Made::default();
    if mistakes.is_empty() {
        for record in table.records() {
            let Ok(record) = record else {
                mistakes.push(String::from("the table is not UTF-8"));
                break;
            };
            let number = record.position().map_or(0, csv::Position::line);
            let said = if record.len() == columns.len() {
                let cell = |name: &str| {
                    let index = columns.iter().position(|column| column == name)?;
                    record.get(index).filter(|cell| !cell.is_empty())
                };
                made.add(number, &cell)
            } else {
                Err(format!("{} cells, where the first line has {}", record.len(), columns.len()))
            };
            mistakes.extend(said.err().map(|said| format!("line {number}: {said}")));
        }
    }
    if mistakes.is_empty() {
        return print(Content::Clients, &(made.set_lines + &made.lines), made.keys.len(), path, out);
    }
    let told = mistakes.iter().take(MOST_TOLD).map(|mistake| format!("gatekey: {path}: {mistake}\n"));
    let rest = mistakes.len().saturating_sub(MOST_TOLD);
    let more = if rest == 0 { String::new() } else { format!("gatekey: and {rest} more\n") };
    Err(Failure::Input(told.collect::<String>() + &more))
}

impl Made {
    /// Adds a line of the table; the mistake in it, which quotes nothing that could be a key.
    fn add<'c>(&mut self, number: u64, cell: &dyn Fn(&str) -> Option<&'c str>) -> Result<(), String> {
        let name = cell("name").ok_or("no name")?;
        if !is_name(name) {
            return Err(String::from("a name is 1 to 64 letters, digits, _ and -"));
        }
        let digest = match (cell("key"), cell("sha256")) {
            (Some(key), _) => shown(key.as_bytes()).ok_or("a key is 16 to 256 visible ASCII characters")?,
            (None, Some(text)) => {
                let digits = text.strip_prefix("sha256:").unwrap_or(text);
                let known = read_digest(digits.as_bytes()).ok_or("a digest is 64 hexadecimal digits")?;
                if known == digest(b"") || known == digest(b"\n") {
                    return Err(String::from("that is the digest of nothing"));
                }
                known
            }
            (None, None) => return Err(String::from("no key")),
        };
        if let Some(other) = self.keys.insert(digest, number) {
            return Err(format!("the key of line {other} again"));
        }
        let time = |column| match cell(column) {
            Some(text) => {
                let time = Time::parse(text).ok_or_else(|| format!("{column} is no RFC 3339 time"))?;
                Ok::<_, String>((text.to_owned(), Some(time)))
            }
            None => Ok((String::from("-"), None)),
        };
        let ((expires, until), (not_before, from)) = (time("expires")?, time("not_before")?);
        if until.zip(from).is_some_and(|(until, from)| until <= from) {
            return Err(String::from("expires before it begins"));
        }
        let set = self.set(cell)?;
        let digits: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        self.lines.push_str(&format!("key {digits} {name} {set} {expires} {not_before}"));
        // What is nothing to the end need not be said.
        while self.lines.ends_with(" -") {
            self.lines.truncate(self.lines.len() - 2);
        }
        self.lines.push('\n');
        Ok(())
    }

    /// The name of the set of these roles, scopes and claims.
    fn set<'c>(&mut self, cell: &dyn Fn(&str) -> Option<&'c str>) -> Result<String, String> {
        let words = |column| {
            let words = cell(column).unwrap_or_default().split_whitespace();
            Json::Array(words.map(|word| text(String::from(word))).collect())
        };
        let mut members = vec![("roles".into(), words("roles")), ("scopes".into(), words("scopes"))];
        if let Some(claims) = cell("claims") {
            let limits = Limits { depth: 15, members: 2_000 };
            let claims = json::read(claims.as_bytes(), limits).ok().filter(|claims| matches!(claims, Json::Object(_)));
            members.push(("claims".into(), claims.ok_or("claims are no JSON object")?.into_owned()));
        }
        members.retain(|(_, value)| !matches!(value, Json::Array(items) if items.is_empty()));
        if members.is_empty() {
            return Ok(String::from("-"));
        }
        let set = Json::Object(members).to_string();
        if read_set(&set).is_err() {
            return Err(String::from("a scope is visible ASCII without quotes and backslashes (RFC 6749 section 3.3)"));
        }
        let next = self.sets.len() + 1;
        let index = *self.sets.entry(set.clone()).or_insert(next);
        if index == next {
            self.set_lines.push_str(&format!("set s{index} {set}\n"));
        }
        Ok(format!("s{index}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::line;
    use super::*;

    #[test]
    fn a_line_of_a_key_is_as_short_as_it_can_be() {
        let mut made = Made::default();
        let row = |cells: &'static [(&str, &str)]| {
            move |name: &str| cells.iter().find(|(column, _)| *column == name).map(|(_, cell)| *cell)
        };
        made.add(2, &row(&[("name", "a"), ("key", "0123456789abcdef")])).unwrap();
        made.add(3, &row(&[("name", "a"), ("key", "0123456789abcdeg"), ("not_before", "2026-01-01T00:00:00Z")]))
            .unwrap();
        let lines: Vec<&str> = made.lines.lines().collect();
        let digits = line("0123456789abcdef");
        assert_eq!(lines[0], format!("key {} a", digits.strip_prefix("sha256:").unwrap()));
        assert!(lines[1].ends_with(" a - - 2026-01-01T00:00:00Z"), "{lines:?}");
        let again = made.add(4, &row(&[("name", "b"), ("key", "0123456789abcdef")]));
        assert_eq!(again.unwrap_err(), "the key of line 2 again");
    }
}
