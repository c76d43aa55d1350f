//! Where the workers of one host leave each other records and documents.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::record::Record;

/// A place of named values that all workers of a host share. Each value has a mark that changes with it.
/// Whatever stands there may have been written by anybody: what cannot be read is not there.
pub trait Board {
    /// A value and its mark.
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)>;

    /// Puts a value in place of the one with this mark; whether it did. The mark 0 stands for any.
    fn write(&self, name: &str, value: &[u8], mark: u32) -> bool;
}

/// A board for one worker alone, where the host has none.
#[derive(Default)]
pub struct OwnBoard(RefCell<BTreeMap<String, (Vec<u8>, u32)>>);

/// How many values such a board holds; a host that makes policies anew again and again must not fill it.
const MOST: usize = 1_024;

impl Board for OwnBoard {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.try_borrow().ok()?.get(name).cloned()
    }

    fn write(&self, name: &str, value: &[u8], mark: u32) -> bool {
        let Ok(mut values) = self.0.try_borrow_mut() else {
            return false;
        };
        let current = values.get(name).map(|(_, mark)| *mark);
        if current.is_some_and(|current| mark != 0 && mark != current) {
            return false;
        }
        if current.is_none() && values.len() >= MOST {
            values.clear();
        }
        let next = current.unwrap_or(0).wrapping_add(1).max(1);
        values.insert(String::from(name), (value.to_vec(), next));
        true
    }
}

/// A fetched document as it stands on a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Of the record that tells of it.
    pub generation: u64,
    /// The entity tag that its server gave it (RFC 9110 section 8.8.3), empty for none.
    pub etag: Vec<u8>,
    /// The text.
    pub text: Vec<u8>,
}

impl Document {
    /// The document under a name.
    pub fn read(board: &dyn Board, name: &str) -> Option<Self> {
        let (octets, _) = board.read(&slot(name))?;
        let (generation, rest) = octets.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (etag, text) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        Some(Self { generation: u64::from_le_bytes(*generation), etag: etag.to_vec(), text: text.to_vec() })
    }

    /// Puts the document under a name.
    pub fn write(&self, board: &dyn Board, name: &str) -> bool {
        let etag = if u16::try_from(self.etag.len()).is_ok() { self.etag.as_slice() } else { &[] };
        let mut octets = self.generation.to_le_bytes().to_vec();
        octets.extend(u16::try_from(etag.len()).unwrap_or_default().to_le_bytes());
        octets.extend_from_slice(etag);
        octets.extend_from_slice(&self.text);
        board.write(&slot(name), &octets, 0)
    }
}

fn slot(name: &str) -> String {
    format!("{name}#document")
}

/// The record under a name, and its mark; a new one if there is none that can be read.
pub fn read_record(board: &dyn Board, name: &str) -> (Record, u32) {
    match board.read(name) {
        Some((octets, mark)) => (Record::from_octets(&octets).unwrap_or_default(), mark),
        None => (Record::default(), 0),
    }
}

/// Puts a record in place of the one with this mark; whether it did.
pub fn write_record(board: &dyn Board, name: &str, record: &Record, mark: u32) -> bool {
    board.write(name, &record.to_octets(), mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_read_the_last_value_replaces_it() {
        let board = OwnBoard::default();
        assert!(board.write("a", b"1", 0));
        let (_, mark) = board.read("a").unwrap();
        assert!(board.write("a", b"2", mark));
        assert!(!board.write("a", b"3", mark));
        assert!(board.write("a", b"4", 0));
        assert_eq!(board.read("a").unwrap().0, b"4");
    }

    #[test]
    fn keeps_documents_whole() {
        let board = OwnBoard::default();
        let document = Document { generation: 9, etag: b"\"x\"".to_vec(), text: b"{}".to_vec() };
        assert!(document.write(&board, "a"));
        assert_eq!(Document::read(&board, "a"), Some(document));
        assert_eq!(Document::read(&board, "b"), None);
        board.write("b#document", b"\0\0\0\0\0\0\0\0\xff\xffx", 0);
        assert_eq!(Document::read(&board, "b"), None);
    }
}
