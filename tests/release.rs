//! What a release is made of: the formula for Homebrew is filled in whole, or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::Path;
use std::process::Command;

const TARGETS: [&str; 4] =
    ["aarch64-apple-darwin", "x86_64-apple-darwin", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"];

fn formula(folder: &Path) -> (Option<i32>, String, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/formula");
    let out = Command::new("bash").arg(script).arg("1.2.3").arg(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

#[test]
fn a_formula_has_every_checksum_or_is_none() {
    let folder = tempfile::tempdir().unwrap();
    for (i, target) in TARGETS.iter().enumerate() {
        let file = folder.path().join(format!("baton-1.2.3-{target}.tar.gz.sha256"));
        std::fs::write(file, format!("{}  baton-1.2.3-{target}.tar.gz\n", i.to_string().repeat(64))).unwrap();
    }
    let (code, text, said) = formula(folder.path());
    assert_eq!(code, Some(0), "{said}");
    for (i, target) in TARGETS.iter().enumerate() {
        let url = format!("releases/download/v1.2.3/baton-1.2.3-{target}.tar.gz\"");
        let after = text.split(&url).nth(1).unwrap_or_else(|| panic!("no {url} in {text}"));
        let sum = format!("sha256 \"{}\"", i.to_string().repeat(64));
        assert!(after.trim_start().starts_with(&sum), "{target}: {after}");
    }
    assert!(!text.contains("VERSION") && !text.contains("SHA256"), "{text}");
    assert!(text.contains("bin.install \"baton\"") && text.contains("man1.install"), "{text}");

    std::fs::remove_file(folder.path().join("baton-1.2.3-x86_64-apple-darwin.tar.gz.sha256")).unwrap();
    let (code, text, said) = formula(folder.path());
    assert_eq!((code, text.as_str()), (Some(1), ""));
    assert!(said.contains("no checksum of x86_64-apple-darwin"), "{said}");
}
