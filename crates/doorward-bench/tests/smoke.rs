//! One command from its start to the page, in a short run: what it prints, and what it leaves behind.
//!
//! The surprise: it is the one command that needs no server, so that nothing has to be built for it first.

use std::fs;
use std::path::Path;
use std::process::Command;

fn run(arguments: &[&str], records: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward-bench"));
    let output = command.args(arguments).arg("--records").arg(records).output();
    let output = output.expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_command_prints_a_table_and_leaves_a_record_a_chart_and_a_page() {
    let records = Path::new(env!("CARGO_TARGET_TMPDIR")).join("performance");
    drop(fs::remove_dir_all(&records));
    let printed = run(&["hash", "--quick", "--memory", "64", "--passes", "1"], &records);
    assert!(printed.contains("| argon2 crate, allocating "), "{printed}");
    let record = fs::read_to_string(records.join("hash.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["quick"], true);
    assert!(record["tables"][0]["rows"][0][1].as_f64().unwrap() > 0.0);
    let chart = fs::read_to_string(records.join("hash.svg")).unwrap();
    assert!(chart.starts_with("<svg "), "{chart}");
    run(&["report"], &records);
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
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward-bench"));
    let output = command.args(["report", "--records"]).arg(&records).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        errors.contains("has no records") && errors.contains("hint: "),
        "{errors}"
    );
}
