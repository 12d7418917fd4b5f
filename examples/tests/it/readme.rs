//! What the READMEs show is what the examples do.

use std::path::Path;

/// Each part of an example between `// readme: name` and `// readme: end`, and who must show it.
const SHOWN: [(&str, &str, &str); 8] = [
    ("examples/axum_sqlite.rs", "axum", "README.md"),
    ("examples/actix_postgres.rs", "actix", "examples/README.md"),
    ("examples/tonic_grpc.rs", "tonic", "examples/README.md"),
    ("examples/poem_memory.rs", "poem", "examples/README.md"),
    ("examples/verify_with_database.rs", "verify with the database", "examples/README.md"),
    ("examples/verify_with_feed.rs", "verify with the feed", "examples/README.md"),
    ("examples/custom_hasher.rs", "custom hasher", "examples/README.md"),
    ("examples/own_users/main.rs", "own users", "examples/README.md"),
];

#[test]
fn every_snippet_of_a_readme_is_part_of_an_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    for (example, name, readme) in SHOWN {
        let source = read(example);
        let (_, rest) = source.split_once(&format!("// readme: {name}\n")).unwrap();
        let (part, _) = rest.split_once("// readme: end\n").unwrap();
        // A crate of one program has nothing to hide from; in a text the word is noise.
        let part = part.replace("pub(crate) ", "");
        let shown = format!("```rust\n{part}```\n");
        assert!(read(readme).contains(&shown), "{readme} does not show the part {name:?} of {example}:\n{shown}");
    }
}
