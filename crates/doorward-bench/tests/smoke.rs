//! One command from its start to the page, in a short run: what it prints, and what it leaves behind.
//!
//! The surprise: it is the one command that needs no server, so that nothing has to be built for it first.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str], records: &Path) -> io::Result<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward-bench"));
    command.args(arguments).arg("--records").arg(records).output()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn a_command_prints_a_table_and_leaves_a_record_a_chart_and_a_page() {
    let records = Path::new(env!("CARGO_TARGET_TMPDIR")).join("performance");
    drop(fs::remove_dir_all(&records));
    let ran = run(&["hash", "--quick", "--memory", "64", "--passes", "1"], &records).unwrap();
    let printed = said(&ran);
    assert!(
        ran.status.success() && printed.contains("| argon2 crate, allocating "),
        "{printed}"
    );
    let record = fs::read_to_string(records.join("hash.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["quick"], true);
    assert!(record["tables"][0]["rows"][0][1].as_f64().unwrap() > 0.0);
    let chart = fs::read_to_string(records.join("hash.svg")).unwrap();
    assert!(chart.starts_with("<svg "), "{chart}");
    assert!(run(&["report"], &records).unwrap().status.success());
    let page = fs::read_to_string(records.with_extension("md")).unwrap();
    assert!(
        page.contains("| argon2 crate, allocating ") && page.contains("](performance/hash.svg)"),
        "{page}"
    );
    assert!(page.contains("these figures mean nothing"), "{page}");
}

#[test]
fn what_is_missing_is_named_with_a_hint() {
    let records = Path::new(env!("CARGO_TARGET_TMPDIR")).join("none");
    let ran = run(&["report"], &records).unwrap();
    let errors = said(&ran);
    assert!(!ran.status.success());
    assert!(
        errors.contains("has no records") && errors.contains("hint: "),
        "{errors}"
    );
}
