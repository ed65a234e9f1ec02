//! The Dockerfile. No image is built here: its rules are those of hadolint, and what it copies and whom it runs as is read.

use std::process::Command;

use super::{done, path, read};
use crate::servers::tool;

/// Instructions with their arguments, lines that go on joined.
fn instructions() -> Vec<(String, String)> {
    let text = read("deploy/Dockerfile").replace("\\\n", " ");
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (word, rest) = line.split_once(' ').unwrap();
            (word.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn all<'a>(instructions: &'a [(String, String)], word: &str) -> Vec<&'a str> {
    instructions.iter().filter(|(one, _)| one == word).map(|(_, rest)| rest.as_str()).collect()
}

#[test]
fn the_dockerfile_has_no_fault_that_hadolint_knows() {
    done(Command::new(tool("hadolint")).args(["--failure-threshold", "style"]).arg(path("deploy/Dockerfile")));
}

#[test]
fn the_image_runs_as_a_numbered_user_on_pinned_bases_and_checks_itself() {
    let all_of = instructions();
    let bases: Vec<&str> = all(&all_of, "FROM").iter().map(|from| from.split(' ').next().unwrap()).collect();
    assert_eq!(bases.len(), 2);
    for base in bases {
        let tag = base.split_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest" && !tag.is_empty()), "{base}");
    }
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert!(all(&all_of, "FROM")[0].starts_with(&format!("rust:{version}-")), "the image builds with {version} too");
    let (user, group) = all(&all_of, "USER").last().unwrap().split_once(':').unwrap();
    assert!(user.parse::<u32>().unwrap() >= 10_000 && group.parse::<u32>().unwrap() >= 10_000);
    assert_eq!(all(&all_of, "STOPSIGNAL"), ["SIGTERM"]);
    assert!(all(&all_of, "HEALTHCHECK")[0].ends_with(r#"CMD ["herald", "--quiet", "healthcheck"]"#));
    assert_eq!(all(&all_of, "VOLUME"), [r#"["/var/lib/herald"]"#]);
    assert_eq!(all(&all_of, "ENTRYPOINT"), [r#"["herald"]"#]);
    assert!(all(&all_of, "RUN").iter().any(|run| run.contains("cargo build --release --locked")));
    for secret in ["HERALD_KEY", "TOKEN", "PASSWORD"] {
        assert!(!read("deploy/Dockerfile").contains(secret), "{secret} is given when it runs");
    }
}

#[test]
fn what_a_build_needs_is_not_left_out_of_it() {
    let ignored = read(".dockerignore");
    let lines: Vec<&str> = ignored.lines().collect();
    for needed in ["Cargo.toml", "Cargo.lock", "src", "destinations", "rust-toolchain.toml"] {
        assert!(path(needed).exists(), "{needed}");
        assert!(!lines.contains(&needed), "{needed}");
    }
    // Cargo wants the files of targets that it does not build, too.
    for target in ["!tests/main.rs", "!benches/kernels.rs"] {
        assert!(lines.contains(&target) && path(&target[1..]).is_file(), "{target}");
    }
    for secret in ["deploy", ".git", "herald-data"] {
        assert!(lines.contains(&secret), "{secret} has no place in an image");
    }
}
