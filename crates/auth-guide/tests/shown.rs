//! The guide shows only code that is compiled and run.

use std::fs;
use std::path::Path;

#[test]
fn every_line_of_rust_in_the_guide_is_in_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(folder.join("../../docs/GUIDE.md")).unwrap();
    let files = fs::read_dir(folder.join("tests")).unwrap();
    let sources: Vec<String> = files.map(|file| flat(&fs::read_to_string(file.unwrap().path()).unwrap())).collect();
    let blocks: Vec<&str> = guide.split("```rust\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(blocks.len() >= 5, "the guide shows {} blocks of Rust", blocks.len());
    for block in blocks {
        let is_shown = sources.iter().any(|source| source.contains(&flat(block)));
        assert!(is_shown, "no test has this code of the guide:\n{block}");
    }
}

/// The code without indentation, empty lines and visibility, which a file needs and a page does not.
fn flat(code: &str) -> String {
    let lines = code.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.trim_start_matches("pub(super) ")).collect::<Vec<_>>().join("\n")
}
