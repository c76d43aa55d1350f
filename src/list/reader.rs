//! Reads the document of a list as its octets come in, line by line: a first line that says what it is and
//! how many entries it has, these, and a last line, so that one that was cut off is not taken for a whole one.

use super::fault::{Fault, Flaw};
use super::table::MOST;
use super::words::Words;

/// The longest line, in octets.
const LONGEST: usize = 64 * 1024;

/// What the lines of a document become.
pub(super) trait Body {
    /// The first word of the document.
    const NAME: &'static str;

    /// Makes room for so many entries.
    fn expect(&mut self, entries: usize);

    /// Takes a line that is neither the first nor the last. Whether it is an entry, which counts.
    fn line(&mut self, kind: &str, words: Words<'_>) -> Result<bool, Fault>;
}

/// A document that is being read.
#[derive(Debug)]
pub(super) struct Reader<B> {
    body: B,
    /// The beginning of a line whose end has not come yet.
    open: Vec<u8>,
    line: u64,
    entries: usize,
    /// How many entries the first line announces.
    total: usize,
    stand: Stand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Head,
    Entries,
    Ended,
}

impl<B: Body> Reader<B> {
    /// Reads into this.
    pub(super) fn new(body: B) -> Self {
        Self { body, open: Vec::new(), line: 0, entries: 0, total: 0, stand: Stand::Head }
    }

    /// Reads on.
    ///
    /// # Errors
    /// What is wrong with the first line that is.
    pub(super) fn feed(&mut self, mut text: &[u8]) -> Result<(), Flaw> {
        if self.line == 0 && self.open.is_empty() && text.starts_with(b"{") {
            return Err(Flaw { line: 0, fault: Fault::Braces });
        }
        while let Some(at) = text.iter().position(|b| *b == b'\n') {
            let (end, rest) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
            if self.open.is_empty() {
                self.take(end)?;
            } else {
                let mut whole = std::mem::take(&mut self.open);
                whole.extend_from_slice(end);
                self.take(&whole)?;
                // Its room serves for the next.
                whole.clear();
                self.open = whole;
            }
            text = rest;
        }
        if self.open.len() + text.len() > LONGEST {
            return Err(Flaw { line: self.line + 1, fault: Fault::Long });
        }
        self.open.extend_from_slice(text);
        Ok(())
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Flaw> {
        self.line += 1;
        self.judge(line).map_err(|fault| Flaw { line: self.line, fault })
    }

    fn judge(&mut self, line: &[u8]) -> Result<(), Fault> {
        if line.len() > LONGEST {
            return Err(Fault::Long);
        }
        let line = str::from_utf8(line).map_err(|_| Fault::Encoding)?;
        let mut words = Words::new(line)?;
        match self.stand {
            Stand::Head => {
                let count = line.strip_prefix(B::NAME).and_then(|rest| rest.strip_prefix(" 1 ")).ok_or(Fault::Head)?;
                let is_number = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
                self.total = count.parse().ok().filter(|_| is_number).ok_or(Fault::Head)?;
                if self.total > MOST {
                    return Err(Fault::Many);
                }
                self.body.expect(self.total);
                self.stand = Stand::Entries;
                return Ok(());
            }
            Stand::Ended => return Err(Fault::After),
            Stand::Entries => {}
        }
        if line.starts_with('#') {
            return Ok(());
        }
        let kind = words.next()?;
        if kind == "end" {
            words.end()?;
            self.stand = Stand::Ended;
            return if self.total == self.entries { Ok(()) } else { Err(Fault::Total) };
        }
        if self.body.line(&kind, words)? {
            self.entries += 1;
        }
        if self.entries > self.total { Err(Fault::Total) } else { Ok(()) }
    }

    /// What the whole document became.
    ///
    /// # Errors
    /// [`Fault::Unended`] if its end has not come.
    pub(super) fn end(self) -> Result<B, Flaw> {
        if self.stand == Stand::Ended && self.open.is_empty() {
            Ok(self.body)
        } else {
            Err(Flaw { line: 0, fault: Fault::Unended })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Lines(Vec<String>);

    impl Body for Lines {
        const NAME: &'static str = "gatekey-test";

        fn expect(&mut self, _entries: usize) {}

        fn line(&mut self, kind: &str, mut words: Words<'_>) -> Result<bool, Fault> {
            let word = words.next()?;
            words.end()?;
            self.0.push(format!("{kind}={word}"));
            Ok(kind != "set")
        }
    }

    fn read(text: &[u8], piece: usize) -> Result<Vec<String>, Flaw> {
        let mut reader = Reader::new(Lines::default());
        for piece in text.chunks(piece) {
            reader.feed(piece)?;
        }
        reader.end().map(|lines| lines.0)
    }

    #[test]
    fn does_not_depend_on_the_pieces() {
        let text = b"gatekey-test 1 2\n# by hand\na 1\nset x\nb 22\nend\n";
        for piece in 1..=text.len() {
            assert_eq!(read(text, piece).unwrap(), ["a=1", "set=x", "b=22"], "{piece}");
        }
        // However it is cut off, it is not taken.
        for end in 0..text.len() {
            assert!(read(&text[..end], 7).is_err(), "{end}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, line, fault) in [
            (&b""[..], 0, Fault::Unended),
            (b"\n", 1, Fault::Head),
            (b"gatekey-test 2 1\n", 1, Fault::Head),
            (b"gatekey-test 1\n", 1, Fault::Head),
            (b"gatekey-test 1 \n", 1, Fault::Head),
            (b"gatekey-test 1 +5\n", 1, Fault::Head),
            (b"gatekey-test 1 5 5\n", 1, Fault::Head),
            (b"gatekey-test 1 99999999999999999999\n", 1, Fault::Head),
            (b"gatekey-test 1 1000001\n", 1, Fault::Many),
            (b"gatekey-test 1 0", 0, Fault::Unended),
            (b"<html>\n", 1, Fault::Head),
            (b"{\"jti\":[]}", 0, Fault::Braces),
            (b"gatekey-test 1 1\n{\n", 2, Fault::Count),
            (b"gatekey-test 1 1\n\n", 2, Fault::Words),
            (b"gatekey-test 1 1\na \xff\n", 2, Fault::Encoding),
            (b"gatekey-test 1 1\na 1\r\n", 2, Fault::Words),
            (b"gatekey-test 1 2\na 1\nend\n", 3, Fault::Total),
            (b"gatekey-test 1 1\na 1\na 2\n", 3, Fault::Total),
            (b"gatekey-test 1 1\na 1\nend", 0, Fault::Unended),
            (b"gatekey-test 1 1\na 1\nend 1\n", 3, Fault::Count),
            (b"gatekey-test 1 0\nend\na 1\n", 3, Fault::After),
            (b"gatekey-test 1 0\nend\nend\n", 3, Fault::After),
            (b"gatekey-test 1 0\nend\nx", 0, Fault::Unended),
        ] {
            assert_eq!(read(text, 5), Err(Flaw { line, fault }), "{}", text.escape_ascii());
        }
        let long = [b"gatekey-test 1 1\na ", "x".repeat(LONGEST).as_bytes()].concat();
        for tail in [&b""[..], b"\nend\n"] {
            let text = [&long, tail].concat();
            for piece in [1_000, 1_000_000] {
                assert_eq!(read(&text, piece), Err(Flaw { line: 2, fault: Fault::Long }));
            }
        }
    }
}
