//! The program runs. What it measures is no test's business: `.ci/run bench` runs the benches that need a server.

use std::process::Command;

#[test]
fn a_quick_bench_prints_a_table_and_its_goals_and_writes_its_figures_and_its_plot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_auth-bench"))
        .args(["check", "--quick", "--json", path, "--plots", path])
        .output()
        .unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    for part in ["## check", "| RS256, cache hit, 1000 revoked |", "| goal |", "HS256: cache miss"] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    let figures: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("check.json")).unwrap()).unwrap();
    assert_eq!(figures["rows"].as_array().unwrap().len(), 20);
    assert!(std::fs::read_to_string(folder.path().join("check.svg")).unwrap().contains("</svg>"));
}
