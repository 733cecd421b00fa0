//! Reading a bundle, which may be anything that somebody calls one.
//!
//! Invariants: nothing of it names a file here: what is written is one journal, in a folder of this process's own; no entry
//! is taken twice, or larger than it may be, whatever the file says of itself; what is wrong is said.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::scratch::Scratch;
use super::{BundleError, FORMAT, MOST_JOURNAL, Manifest, tar};

/// The most bytes of what a bundle says of itself.
const MOST_MANIFEST: u64 = 1 << 20;
/// The most entries: a result and a failure for each task of a plan of ten thousand.
const MOST_ENTRIES: usize = 20_010;
/// The most bytes of all entries together: a journal and its results, which are in it.
const MOST_BYTES: u64 = 2 * MOST_JOURNAL;
/// The most bytes after the end: what fills up a tar.
const MOST_REST: u64 = 64 << 10;

/// A bundle that was unpacked. What was is gone when this is dropped.
#[derive(Debug)]
pub struct Unpacked {
    /// Its journal.
    pub journal: PathBuf,
    /// What it says of itself. From outside.
    pub manifest: Manifest,
    _scratch: Scratch,
}

/// Whether a file is packed as a bundle is.
pub fn is_bundle(path: &Path) -> bool {
    // Opened only if it is a file: a pipe would wait for somebody.
    let is_file = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let mut magic = [0; 2];
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == [0x1f, 0x8b]
}

/// Unpacks a bundle's journal into a folder below the state folder.
///
/// # Errors
/// [`BundleError`]; nothing is left behind then.
pub fn unpack(path: &Path, state: &Path) -> Result<Unpacked, BundleError> {
    let wrong = |why: String| BundleError::Wrong { path: path.to_owned(), why };
    let file = File::open(path).map_err(BundleError::io("open", path))?;
    let mut from = GzDecoder::new(BufReader::new(file));
    let scratch = Scratch::new(state)?;
    let journal = scratch.path().join("journal.jsonl");
    let mut manifest: Option<Manifest> = None;
    let mut seen = BTreeSet::new();
    let mut total = 0_u64;
    while let Some(entry) = tar::next(&mut from).map_err(wrong)? {
        let most = most(&entry.name).ok_or_else(|| wrong(format!("no bundle has an entry {:?}", entry.name)))?;
        total = total.saturating_add(entry.size);
        if entry.size > most || total > MOST_BYTES {
            return Err(wrong(format!("its entry {:?} is larger than it may be ({} bytes)", entry.name, entry.size)));
        }
        if seen.len() >= MOST_ENTRIES {
            return Err(wrong(format!("it has more than {MOST_ENTRIES} entries")));
        }
        match (&manifest, entry.name.as_str()) {
            (None, "manifest.json") => {
                let mut text = Vec::new();
                (&mut from).take(entry.size).read_to_end(&mut text).map_err(|e| wrong(unpacking(&e)))?;
                manifest = Some(told(&text).map_err(wrong)?);
            }
            (None, _) => return Err(wrong("it does not begin with a manifest".to_owned())),
            (Some(_), _) if seen.contains(&entry.name) || entry.name == "manifest.json" => {
                return Err(wrong(format!("it has two entries {:?}", entry.name)));
            }
            (Some(_), "journal.jsonl") => {
                let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&journal);
                let mut to = options.map_err(BundleError::io("write", &journal))?;
                copy(&mut from, &mut to, entry.size, path, &journal)?;
            }
            (Some(_), _) => copy(&mut from, &mut io::sink(), entry.size, path, &journal)?,
        }
        let padding = tar::padding(entry.size);
        copy(&mut from, &mut io::sink(), padding, path, &journal)?;
        seen.insert(entry.name);
    }
    // Read to its end, where the sum of all of it stands.
    let rest = io::copy(&mut (&mut from).take(MOST_REST), &mut io::sink()).map_err(|e| wrong(unpacking(&e)))?;
    if rest >= MOST_REST {
        return Err(wrong("something stands behind its end".to_owned()));
    }
    let manifest = manifest.ok_or_else(|| wrong("it is empty".to_owned()))?;
    if !seen.contains("journal.jsonl") {
        return Err(wrong("it holds no journal".to_owned()));
    }
    Ok(Unpacked { journal, manifest, _scratch: scratch })
}

/// The most bytes an entry of that name may have; none: no bundle has one.
fn most(name: &str) -> Option<u64> {
    match name {
        "manifest.json" => Some(MOST_MANIFEST),
        "journal.jsonl" | "settings.json" => Some(MOST_JOURNAL),
        _ => {
            let (folder, file) = name.split_once('/')?;
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let known = matches!(folder, "results" | "failures") && file.ends_with(".md") && file.chars().all(plain);
            known.then_some(MOST_JOURNAL)
        }
    }
}

fn told(text: &[u8]) -> Result<Manifest, String> {
    #[derive(serde::Deserialize)]
    struct Format {
        baton_bundle: u32,
    }
    let unreadable = |error: serde_json::Error| format!("its manifest can't be read ({error})");
    let Format { baton_bundle } = serde_json::from_slice(text).map_err(unreadable)?;
    if baton_bundle != FORMAT {
        return Err(format!(
            "it is a bundle of version {baton_bundle}, and this Baton reads version {FORMAT}; update Baton"
        ));
    }
    serde_json::from_slice(text).map_err(unreadable)
}

fn unpacking(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut off".to_owned(),
        _ => format!("it is damaged ({error})"),
    }
}

fn copy(from: &mut impl Read, to: &mut impl io::Write, size: u64, path: &Path, out: &Path) -> Result<(), BundleError> {
    let mut left = size;
    let mut buffer = vec![0; 64 << 10];
    let wrong = |why: String| BundleError::Wrong { path: path.to_owned(), why };
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        // What can't be read is the bundle's fault, what can't be written is not.
        let read = from.read(&mut buffer[..most]).map_err(|error| wrong(unpacking(&error)))?;
        if read == 0 {
            return Err(wrong("it is cut off".to_owned()));
        }
        to.write_all(&buffer[..read]).map_err(BundleError::io("write", out))?;
        left -= read as u64;
    }
    Ok(())
}
