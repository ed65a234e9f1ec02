//! The units for systemd.

use std::process::Command;

use super::{done, read};

/// The highest exposure, of 0 to 100, that `systemd-analyze security` may see.
const EXPOSURE: &str = "15";
const UNITS: [&str; 2] = ["herald.service", "herald-publish@.service"];

/// The units as installed, with the program that is tested.
fn installed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for unit in UNITS.into_iter().chain(["herald-publish@.timer"]) {
        let text =
            read(&format!("deploy/systemd/{unit}")).replace("/usr/local/bin/herald", env!("CARGO_BIN_EXE_herald"));
        std::fs::write(dir.path().join(unit), text).unwrap();
    }
    dir
}

#[test]
fn systemd_reads_the_units_without_complaint() {
    let dir = installed();
    for unit in ["herald.service", "herald-publish@gold.service", "herald-publish@gold.timer"] {
        let template = unit.replace("gold", "");
        let file = dir.path().join(unit);
        if unit != template {
            std::fs::copy(dir.path().join(&template), &file).unwrap();
        }
        let said = done(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file));
        assert!(!said.contains(unit), "{said}");
    }
}

#[test]
fn the_services_are_shut_in() {
    let dir = installed();
    for unit in UNITS {
        let threshold = format!("--threshold={EXPOSURE}");
        done(
            Command::new("systemd-analyze")
                .args(["security", "--offline=true", "--no-pager", &threshold])
                .arg(dir.path().join(unit.replace("@", "@gold"))),
        );
    }
}

#[test]
fn a_reload_is_a_hangup_and_a_broken_config_is_not_started_again_and_again() {
    let unit = read("deploy/systemd/herald.service");
    for line in ["ExecReload=/bin/kill -HUP $MAINPID", "RestartPreventExitStatus=2", "StateDirectory=herald"] {
        assert!(unit.lines().any(|one| one == line), "{line}");
    }
    assert!(!unit.contains("Type=notify"), "the program tells systemd nothing");
}
