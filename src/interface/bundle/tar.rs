//! The tar of a bundle: plain files under short names, in the oldest form that every `tar` reads (ustar).
//!
//! Reading knows no other kind of entry: links, devices, folders and extensions are refused, since no bundle has them.
//! Invariant: nothing here follows a name into the file system.

use std::io::{self, Read, Write};

/// Bytes of a block; entries are filled up to whole ones.
const BLOCK: usize = 512;

/// The longest name an entry may have.
pub(super) const LONGEST: usize = 100;

/// Writes an entry of so many bytes.
pub(super) fn write(out: &mut impl Write, name: &str, size: u64, data: &mut impl Read) -> io::Result<()> {
    out.write_all(&header(name, size)?)?;
    let copied = io::copy(&mut data.take(size), out)?;
    if copied != size {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "what is packed became shorter meanwhile"));
    }
    let over = (size % BLOCK as u64) as usize;
    if over > 0 {
        out.write_all(&[0; BLOCK][over..])?;
    }
    Ok(())
}

/// The end: two blocks of nothing.
pub(super) fn finish(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

fn header(name: &str, size: u64) -> io::Result<[u8; BLOCK]> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "an entry's name or size is too long for a tar");
    // Eleven octal digits: 8 GiB.
    if name.len() > LONGEST || size >= 1 << 33 {
        return Err(wrong());
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    // No time of its own: the same session gives the same bytes.
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    let sum = checksum(&block);
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// The sum of the bytes, those of the sum itself taken as spaces.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    let byte = |(at, byte): (usize, &u8)| u32::from(if (148..156).contains(&at) { b' ' } else { *byte });
    block.iter().enumerate().map(byte).sum()
}

/// An entry's name and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) size: u64,
}

/// The next entry; none at the end. What is wrong with it is said in words.
pub(super) fn next(from: &mut impl Read) -> Result<Option<Entry>, String> {
    let mut block = [0; BLOCK];
    from.read_exact(&mut block).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut off".to_owned(),
        _ => format!("it can't be unpacked ({error})"),
    })?;
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let sum = octal(&block[148..156]).filter(|sum| *sum == u64::from(checksum(&block)));
    if sum.is_none() || &block[257..262] != b"ustar" {
        return Err("it holds no tar of Baton's".to_owned());
    }
    let end = block[..LONGEST].iter().position(|byte| *byte == 0).unwrap_or(LONGEST);
    let name = std::str::from_utf8(&block[..end]).map_err(|_| "an entry's name is no text".to_owned())?.to_owned();
    let kind = match block[156] {
        b'0' | 0 => None,
        b'1' | b'2' => Some("a link"),
        b'3' | b'4' => Some("a device"),
        b'5' => Some("a folder"),
        b'6' => Some("a pipe"),
        _ => Some("of a kind that no bundle has"),
    };
    if let Some(kind) = kind {
        return Err(format!("its entry {name:?} is {kind}"));
    }
    // A prefix would make another name of it.
    if block[345..500].iter().any(|byte| *byte != 0) {
        return Err(format!("its entry {name:?} has a second name"));
    }
    let size = octal(&block[124..136]).ok_or_else(|| format!("the size of its entry {name:?} is no number"))?;
    Ok(Some(Entry { name, size }))
}

/// Bytes that fill up an entry's last block.
pub(super) fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.bytes().all(|b| (b'0'..=b'7').contains(&b)) { u64::from_str_radix(text, 8).ok() } else { None }
}
