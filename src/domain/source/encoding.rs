//! The bytes of a file that a person wrote into text: UTF-8, or one sentence that says what the file is instead.
//!
//! Not here: reading the bytes. One place for plans, configuration, scripts, themes and goals, so that a file which another
//! program wrote in its own encoding is told the same wherever it is given.

use super::fault::SourceError;
use super::node::Place;

/// As many bytes are looked at to tell an encoding: the head of a file is like its rest.
const LOOKED_AT: usize = 4096;

/// What a file begins with that is no text, what it is, and what makes text of it (`FILE` is its name).
const NO_TEXT: &[(&[u8], &str, &str)] = &[
    (b"%PDF-", "a PDF", "`pdftotext -layout FILE -` prints its text"),
    (
        b"PK\x03\x04",
        "a zip archive, as Word and other programs write them",
        "`pandoc FILE -t markdown` prints the text of a document",
    ),
    (b"\xd0\xcf\x11\xe0", "a document of an old Word or Excel", "save it as text"),
    (b"{\\rtf", "a document in RTF", "`pandoc FILE -f rtf -t markdown` prints its text"),
    (b"\x1f\x8b", "compressed by gzip", "`gunzip -c FILE` prints what is in it"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "`zstdcat FILE` prints what is in it"),
    (b"\x89PNG", "a picture", "give a text file"),
    (b"\xff\xd8\xff", "a picture", "give a text file"),
    (b"\x7fELF", "a program", "give a text file"),
    (b"GGUF", "a model", "give it to its server, and the server's address to Baton: `baton fleet init` finds it"),
    (b"SQLite format 3\0", "a database", "give a text file"),
];

/// The text of a file, without a byte order mark.
///
/// # Errors
/// It is in another encoding, or no text.
pub(crate) fn text_of(bytes: Vec<u8>, file: &str) -> Result<String, SourceError> {
    let named = if file.contains(char::is_whitespace) { format!("'{file}'") } else { file.to_owned() };
    let wrong = |place: Place, what: &str, mend: String| Err(SourceError::new(file, place, what.to_owned(), mend));
    let iconv = |from: &str| {
        format!("`iconv -f {from} -t UTF-8 {named} > utf-8.txt` writes it as UTF-8; or save it as UTF-8 in your editor")
    };
    if let Some((encoding, iconv_name)) = wide(&bytes) {
        return wrong(Place::START, &format!("the file is {encoding}, and Baton reads UTF-8"), iconv(iconv_name));
    }
    if let Some((_, what, mend)) = NO_TEXT.iter().find(|(head, ..)| bytes.starts_with(head)) {
        return wrong(Place::START, &format!("this is {what}, and no text"), mend.replace("FILE", &named));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let (good, bad) = bytes.split_at(valid);
            let good = String::from_utf8_lossy(good);
            let line = good.rsplit('\n').next().unwrap_or_default();
            let place = Place { line: good.matches('\n').count() + 1, column: line.chars().count() + 1 };
            if bytes.iter().any(|b| matches!(b, 0..=8 | 14..=26 | 28..=31)) {
                return wrong(
                    place,
                    "this is no text: it has bytes in it that no text has",
                    "give a text file".to_owned(),
                );
            }
            // Latin-1 has no signs from 80 to 9F; the code page of Windows puts quotes, dashes and the euro there.
            let (name, iconv_name) = match bytes.iter().any(|b| matches!(b, 0x80..=0x9f)) {
                true => ("Windows-1252", "WINDOWS-1252"),
                false => ("Latin-1", "ISO-8859-1"),
            };
            let byte = bad.first().copied().unwrap_or_default();
            let what = format!("the file is no UTF-8: the byte {byte:02X} here is none, and {name} is likely");
            wrong(place, &what, iconv(iconv_name))
        }
    }
}

/// An encoding of two or four bytes for each sign: by its mark, or by zeros where English has them.
fn wide(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some(("UTF-32", "UTF-32")),
        [0xff, 0xfe, ..] => return Some(("UTF-16", "UTF-16")),
        [0xfe, 0xff, ..] => return Some(("UTF-16", "UTF-16")),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|b| **b == 0).count();
    // More than half of the signs, and none in the other place: a stray zero makes no encoding.
    let most = |here: usize, there: usize| head.len() >= 4 && here * 4 > head.len() && there == 0;
    match (zeros(0), zeros(1)) {
        (even, odd) if most(odd, even) => Some(("UTF-16 (little endian, without a mark)", "UTF-16LE")),
        (even, odd) if most(even, odd) => Some(("UTF-16 (big endian, without a mark)", "UTF-16BE")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf_8_is_said_as_what_it_is() {
        let text = "version: 1\ngoal: Grüße aus Köln\n";
        let utf16 = |little: bool| -> Vec<u8> {
            text.encode_utf16().flat_map(|u| if little { u.to_le_bytes() } else { u.to_be_bytes() }).collect()
        };
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let quoted: Vec<u8> = [b"goal: \x93so\x94\n".as_slice(), &latin].concat();
        for (bytes, what, mend) in [
            ([vec![0xff, 0xfe], utf16(true)].concat(), "UTF-16,", "iconv -f UTF-16 -t UTF-8 p.yaml"),
            ([vec![0xfe, 0xff], utf16(false)].concat(), "UTF-16,", "iconv -f UTF-16 -t UTF-8 p.yaml"),
            (utf16(true), "little endian", "iconv -f UTF-16LE -t"),
            (utf16(false), "big endian", "iconv -f UTF-16BE -t"),
            (latin, "Latin-1", "iconv -f ISO-8859-1 -t UTF-8 p.yaml"),
            (quoted, "Windows-1252", "iconv -f WINDOWS-1252"),
            (b"%PDF-1.7\n\xe2\xe3".to_vec(), "a PDF", "pdftotext -layout p.yaml"),
            (b"PK\x03\x04\x14\0\x08".to_vec(), "zip", "pandoc p.yaml"),
            (b"a\x01\xff\x02".to_vec(), "no text", "text file"),
        ] {
            let error = text_of(bytes, "p.yaml").unwrap_err();
            assert!(error.what.contains(what) && error.mend.contains(mend), "{error}");
        }
        let latin = text_of(b"a: b\ngoal: Gr\xfc\xdfe\n".to_vec(), "p").unwrap_err();
        assert_eq!((latin.line, latin.column), (2, 9));
        assert_eq!(text_of(text.as_bytes().to_vec(), "p").unwrap(), text);
        assert_eq!(text_of([b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat(), "p").unwrap(), text);
        // Not an encoding: a zero somewhere, nothing at all.
        assert_eq!(text_of(b"a: b\0c\n".to_vec(), "p").unwrap(), "a: b\0c\n");
        assert_eq!(text_of(Vec::new(), "p").unwrap(), "");
    }
}
