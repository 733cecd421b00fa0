//! The head of a GGUF file: what it tells of its model.
//!
//! Not here: what follows from it (`domain/fleet/shape`), the tensors. Format: `ggml/include/gguf.h`, versions 2 and 3,
//! little-endian. Invariants: a file is outside bytes and may lie about every count and length: no more than
//! [`MOST_BYTES`] are read, nothing is set aside for a number that only stands there, and what no shape is made of (the
//! tokenizer's lists are most of it) is passed over.

use std::io::{self, Read};

use crate::domain::fleet::{Fact, ModelFacts};

/// The most of a file that is read: the largest known heads have 16 MiB, of them 14 lists of tokens.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The most facts that are kept; known files have fewer than 100.
const MOST_FACTS: usize = 1_024;

/// The longest key, by the format's own rule.
const LONGEST_KEY: u64 = 65_535;

/// The longest word that is kept; of templates and licences nothing is.
const LONGEST_TEXT: u64 = 256;

/// The most numbers of a list that are kept: one for each layer.
const MOST_NUMBERS: u64 = 4_096;

/// Why a file's head can't be read.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// It is another kind of file.
    #[error("it is no GGUF file; only models in that format tell their layers")]
    Foreign,
    /// It is of a version whose lengths mean something else.
    #[error("it is GGUF of version {0}, and only 2 and 3 are read; convert the model anew")]
    Version(u32),
    /// It ends in the middle of its head.
    #[error("it ends after {0} bytes, in the middle of its head; download the model again")]
    Cut(u64),
    /// The head has no end.
    #[error("its head is longer than 64 MiB, which no known model's is; download the model again")]
    Long,
    /// A value of a kind that the format does not have.
    #[error("before byte {at} it has a value of kind {kind}, which GGUF does not have; download the model again")]
    Kind {
        /// The kind as it stands there.
        kind: u32,
        /// Where reading was.
        at: u64,
    },
    /// A key longer than keys may be.
    #[error("before byte {at} it has a key of {length} bytes, more than GGUF allows; download the model again")]
    Key {
        /// As long as it says it is.
        length: u64,
        /// Where reading was.
        at: u64,
    },
    /// The system could not read it.
    #[error("it can't be read after {at} bytes: {error}; check that it is whole and readable")]
    Io {
        /// Where reading was.
        at: u64,
        /// What the system says.
        error: io::Error,
    },
}

/// What the head of a GGUF file tells of its model.
///
/// # Errors
/// [`GgufError`], where it is no such file or is damaged; nothing of it is believed then.
pub fn facts(source: impl Read) -> Result<ModelFacts, GgufError> {
    let mut head = Head { source, at: 0 };
    if head.take::<4>()? != *b"GGUF" {
        return Err(GgufError::Foreign);
    }
    let version = u32::from_le_bytes(head.take()?);
    if !matches!(version, 2 | 3) {
        return Err(GgufError::Version(version));
    }
    let (_tensors, count) = (head.long()?, head.long()?);
    let mut facts = ModelFacts::default();
    // A count that lies meets the end of the file, or of what is read of one.
    for _ in 0..count {
        let length = head.long()?;
        if length > LONGEST_KEY {
            return Err(GgufError::Key { length, at: head.at });
        }
        let key = head.text(length)?;
        let kind = Kind::of(u32::from_le_bytes(head.take()?), head.at)?;
        let fact = head.value(kind)?;
        if let (Some(key), Some(fact)) = (key, fact)
            && !key.starts_with("tokenizer.")
            && facts.len() < MOST_FACTS
        {
            facts.learn(key, fact);
        }
    }
    Ok(facts)
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// A whole number of so many bytes.
    Whole {
        bytes: usize,
        signed: bool,
    },
    /// Another number of so many bytes, which no shape is made of.
    Other {
        bytes: u64,
    },
    Text,
    List,
}

impl Kind {
    /// `enum gguf_type`.
    fn of(kind: u32, at: u64) -> Result<Self, GgufError> {
        Ok(match kind {
            0 | 7 => Self::Whole { bytes: 1, signed: false },
            1 => Self::Whole { bytes: 1, signed: true },
            2 => Self::Whole { bytes: 2, signed: false },
            3 => Self::Whole { bytes: 2, signed: true },
            4 => Self::Whole { bytes: 4, signed: false },
            5 => Self::Whole { bytes: 4, signed: true },
            6 => Self::Other { bytes: 4 },
            8 => Self::Text,
            9 => Self::List,
            10 => Self::Whole { bytes: 8, signed: false },
            11 => Self::Whole { bytes: 8, signed: true },
            12 => Self::Other { bytes: 8 },
            _ => return Err(GgufError::Kind { kind, at }),
        })
    }
}

/// A file as it is read from its beginning.
struct Head<R> {
    source: R,
    /// Bytes read so far.
    at: u64,
}

impl<R: Read> Head<R> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), GgufError> {
        self.reach(bytes.len() as u64)?;
        self.source.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => GgufError::Cut(self.at),
            _ => GgufError::Io { at: self.at, error },
        })?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Whether so many more bytes may be read.
    fn reach(&self, more: u64) -> Result<(), GgufError> {
        if more > MOST_BYTES - self.at { Err(GgufError::Long) } else { Ok(()) }
    }

    fn skip(&mut self, bytes: u64) -> Result<(), GgufError> {
        self.reach(bytes)?;
        match io::copy(&mut self.source.by_ref().take(bytes), &mut io::sink()) {
            Ok(read) => {
                self.at += read;
                if read == bytes { Ok(()) } else { Err(GgufError::Cut(self.at)) }
            }
            Err(error) => Err(GgufError::Io { at: self.at, error }),
        }
    }

    /// A length or count.
    fn long(&mut self) -> Result<u64, GgufError> {
        self.take().map(u64::from_le_bytes)
    }

    /// Text of that length, if it is short enough to be kept.
    fn text(&mut self, length: u64) -> Result<Option<String>, GgufError> {
        if length > LONGEST_TEXT {
            return self.skip(length).map(|()| None);
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// A whole number; none where it is below 0.
    fn whole(&mut self, bytes: usize, signed: bool) -> Result<Option<u64>, GgufError> {
        let mut wide = [0; 8];
        self.fill(&mut wide[..bytes])?;
        let n = u64::from_le_bytes(wide);
        let negative = signed && n >> (bytes * 8 - 1) == 1;
        Ok((!negative).then_some(n))
    }

    /// A value; none where it is of no use here.
    fn value(&mut self, kind: Kind) -> Result<Option<Fact>, GgufError> {
        Ok(match kind {
            Kind::Whole { bytes, signed } => Some(self.whole(bytes, signed)?.map_or(Fact::Withheld, Fact::Number)),
            Kind::Other { bytes } => {
                self.skip(bytes)?;
                None
            }
            Kind::Text => {
                let length = self.long()?;
                self.text(length)?.map(Fact::Text)
            }
            Kind::List => self.list()?,
        })
    }

    fn list(&mut self) -> Result<Option<Fact>, GgufError> {
        let number = u32::from_le_bytes(self.take()?);
        let kind = Kind::of(number, self.at)?;
        let count = self.long()?;
        match kind {
            Kind::Whole { bytes, signed } if count <= MOST_NUMBERS => {
                let mut all = Some(Vec::new());
                for _ in 0..count {
                    let n = self.whole(bytes, signed)?;
                    all = all.zip(n).map(|(mut all, n)| {
                        all.push(n);
                        all
                    });
                }
                Ok(Some(all.map_or(Fact::Withheld, Fact::Numbers)))
            }
            Kind::Whole { bytes, .. } => self.skip_all(bytes as u64, count),
            Kind::Other { bytes } => self.skip_all(bytes, count),
            Kind::Text => {
                for _ in 0..count {
                    let length = self.long()?;
                    self.skip(length)?;
                }
                Ok(None)
            }
            // No file has a list of lists, and llama.cpp reads none.
            Kind::List => Err(GgufError::Kind { kind: number, at: self.at }),
        }
    }

    fn skip_all(&mut self, bytes: u64, count: u64) -> Result<Option<Fact>, GgufError> {
        self.skip(bytes.checked_mul(count).ok_or(GgufError::Long)?)?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fleet::CacheSettings;

    /// A file's head as it is written.
    struct Made {
        bytes: Vec<u8>,
        count: u64,
    }

    impl Made {
        fn new(version: u32) -> Self {
            let mut bytes = b"GGUF".to_vec();
            bytes.extend(version.to_le_bytes());
            bytes.extend([0; 16]);
            Self { bytes, count: 0 }
        }

        fn text(bytes: &mut Vec<u8>, text: &str) {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }

        fn value(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
            Self::text(&mut self.bytes, key);
            self.bytes.extend(kind.to_le_bytes());
            self.bytes.extend(value);
            self.count += 1;
            self
        }

        fn number(self, key: &str, n: u32) -> Self {
            self.value(key, 4, &n.to_le_bytes())
        }

        fn word(self, key: &str, word: &str) -> Self {
            let mut bytes = Vec::new();
            Self::text(&mut bytes, word);
            self.value(key, 8, &bytes)
        }

        fn list(self, key: &str, kind: u32, count: u64, elements: &[u8]) -> Self {
            let mut bytes = kind.to_le_bytes().to_vec();
            bytes.extend(count.to_le_bytes());
            bytes.extend(elements);
            self.value(key, 9, &bytes)
        }

        fn words(self, key: &str, words: &[&str]) -> Self {
            let mut bytes = Vec::new();
            words.iter().for_each(|word| Self::text(&mut bytes, word));
            self.list(key, 8, words.len() as u64, &bytes)
        }

        fn done(mut self) -> Vec<u8> {
            self.bytes[16..24].copy_from_slice(&self.count.to_le_bytes());
            self.bytes
        }
    }

    /// A model whose layers differ, with values of every kind between.
    fn model(version: u32) -> Vec<u8> {
        let heads: Vec<u8> = [2i32, 2, 1].iter().flat_map(|n| n.to_le_bytes()).collect();
        Made::new(version)
            .words("tokenizer.ggml.tokens", &["a", "", "longer"])
            .list("tokenizer.ggml.scores", 6, 3, &[0; 12])
            .word("general.architecture", "gemma4")
            .word("general.name", &"long ".repeat(100))
            .number("gemma4.block_count", 3)
            .value("gemma4.context_length", 10, &8_192u64.to_le_bytes())
            .value("gemma4.embedding_length", 2, &512u16.to_le_bytes())
            .value("gemma4.attention.head_count", 0, &[4])
            .value("gemma4.attention.layer_norm_rms_epsilon", 6, &1e-6f32.to_le_bytes())
            .value("gemma4.logit_scale", 12, &1f64.to_le_bytes())
            .value("general.alignment", 11, &(-1i64).to_le_bytes())
            .list("gemma4.attention.head_count_kv", 5, 3, &heads)
            .list("gemma4.attention.sliding_window_pattern", 7, 3, &[1, 1, 0])
            .value("gemma4.attention.sliding_window", 3, &256i16.to_le_bytes())
            .done()
    }

    #[test]
    fn both_versions_tell_of_the_layers() {
        for version in [2, 3] {
            let read = facts(&model(version)[..]).unwrap();
            assert_eq!(read.architecture(), Some("gemma4"));
            let shape = read.shape(CacheSettings::default());
            assert_eq!((shape.kv_token, shape.kv_slot), (Some(2 * 128 * 2), 768 * 2 * 2 * 2 * 128 * 2), "{version}");
            assert_eq!(shape.trained, Some(8_192));
        }
    }

    #[test]
    fn a_file_cut_at_any_byte_is_said_to_be_cut() {
        let whole = model(3);
        for cut in 0..whole.len() {
            match facts(&whole[..cut]) {
                Err(GgufError::Cut(at)) => assert!(at as usize <= cut, "{cut}"),
                other => panic!("{cut}: {other:?}"),
            }
        }
        // What follows the head is not looked at.
        assert_eq!(facts(&[whole.clone(), vec![7; 99]].concat()[..]).unwrap(), facts(&whole[..]).unwrap());
    }

    #[test]
    fn counts_that_lie_end_in_an_error() {
        let mut many = model(3);
        many[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(facts(&many[..]), Err(GgufError::Cut(_))), "more keys than there are");
        let key = |length: u64| [&Made::new(3).bytes[..16], &1u64.to_le_bytes(), &length.to_le_bytes()].concat();
        assert!(matches!(facts(&key(u64::MAX)[..]), Err(GgufError::Key { .. })));
        assert!(matches!(facts(&key(60_000)[..]), Err(GgufError::Cut(_))));
        let list = |kind, count| facts(&Made::new(3).list("x", kind, count, &[0; 64]).done()[..]);
        for (kind, count) in [(8, u64::MAX), (4, 1_000), (8, 1 << 40)] {
            assert!(matches!(list(kind, count), Err(GgufError::Cut(_))), "{kind} {count}");
        }
        for (kind, count) in [(10, u64::MAX), (6, 1 << 62), (0, MOST_BYTES + 1)] {
            assert!(matches!(list(kind, count), Err(GgufError::Long)), "{kind} {count}");
        }
        let text = Made::new(3).value("x", 8, &(u64::MAX - 3).to_le_bytes()).done();
        assert!(matches!(facts(&text[..]), Err(GgufError::Long)));
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        // Every key is empty, of kind 0 and 0: thirteen bytes each, for ever.
        let begin = [&b"GGUF\x03\0\0\0"[..], &[0; 8], &u64::MAX.to_le_bytes()].concat();
        assert!(matches!(facts(begin.chain(io::repeat(0))), Err(GgufError::Long)));
    }

    #[test]
    fn what_is_no_such_file_is_named() {
        assert!(matches!(facts(&b"PK\x03\x04 and more"[..]), Err(GgufError::Foreign)));
        assert!(matches!(facts(&model(1)[..]), Err(GgufError::Version(1))));
        let swapped = u32::from_be_bytes(3u32.to_le_bytes());
        assert!(matches!(facts(&model(swapped)[..]), Err(GgufError::Version(_))), "a big-endian file");
        let strange = Made::new(3).value("x", 13, &[]).done();
        assert!(matches!(facts(&strange[..]), Err(GgufError::Kind { kind: 13, .. })));
        for kind in [9, 99] {
            let nested = Made::new(3).list("x", kind, 1, &[0; 64]).done();
            assert!(matches!(facts(&nested[..]), Err(GgufError::Kind { .. })));
        }
        let error = facts(&strange[..]).unwrap_err().to_string();
        assert!(error.contains("13") && error.contains("download"), "{error}");
    }

    #[test]
    fn a_negative_number_is_no_figure() {
        let minus = Made::new(3).word("general.architecture", "llama").value("llama.block_count", 5, &[255; 4]).done();
        let read = facts(&minus[..]).unwrap();
        assert_eq!((read.shape(CacheSettings::default()).kv_token, read.withholds()), (None, true));
        let list = Made::new(3).list("general.numbers", 1, 2, &[1, 255]).done();
        assert!(facts(&list[..]).unwrap().withholds());
    }
}
