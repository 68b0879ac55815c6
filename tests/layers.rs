//! The rules of the house that no compiler checks: who may import whom, which crates are pure, how long a file may be.

use demarc_tests::place;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

/// Each crate with the crates of this workspace that it may import.
const ALLOWED: &[(&str, &[&str])] = &[
    ("dahdi-abi", &[]),
    ("demarc-model", &[]),
    ("demarc-board", &["dahdi-abi", "demarc-model"]),
    ("demarc-isdn", &["demarc-model"]),
    ("demarc-dsp", &["demarc-model"]),
    ("demarc-sip", &["demarc-model"]),
    ("demarc-media", &["demarc-model", "demarc-board", "demarc-dsp", "dahdi-abi"]),
    ("demarc-acd", &["demarc-model"]),
    ("demarc-ivr", &["demarc-model"]),
    ("demarc-call", &["demarc-model", "demarc-acd", "demarc-ivr"]),
    ("demarc-store", &["demarc-model", "demarc-call"]),
    ("hw-sim", &["dahdi-abi", "demarc-model", "demarc-dsp"]),
    ("demarc-bench", &["dahdi-abi", "demarc-model", "demarc-board", "demarc-dsp", "demarc-media"]),
    (
        "demarc-server",
        &[
            "dahdi-abi",
            "demarc-model",
            "demarc-board",
            "demarc-isdn",
            "demarc-dsp",
            "demarc-sip",
            "demarc-media",
            "demarc-acd",
            "demarc-ivr",
            "demarc-call",
            "demarc-store",
            "demarc-bench",
            "hw-sim",
        ],
    ),
    ("abi-probe", &["dahdi-abi"]),
    ("demarc-kernel-tests", &["dahdi-abi", "demarc-model", "demarc-board", "demarc-tests"]),
    ("demarc-tests", &["dahdi-abi", "demarc-model", "demarc-board", "demarc-isdn", "demarc-sip", "hw-sim"]),
];

/// Crates without std, clock, thread or socket.
const PURE: &[&str] =
    &["demarc-model", "demarc-isdn", "demarc-dsp", "demarc-call", "demarc-acd", "demarc-ivr"];

/// The only crate with an asynchronous runtime.
const SHELL: &str = "demarc-server";

const LONGEST_FILE: usize = 800;

struct Package {
    dir: PathBuf,
    imports: BTreeSet<String>,
    test_imports: BTreeSet<String>,
}

fn packages() -> BTreeMap<String, Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(place::root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("a workspace has packages").iter().map(package).collect()
}

fn package(value: &Value) -> (String, Package) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let manifest = PathBuf::from(text(&value["manifest_path"]));
    let (mut imports, mut test_imports) = (BTreeSet::new(), BTreeSet::new());
    for dependency in value["dependencies"].as_array().expect("a list") {
        let list = if dependency["kind"] == "dev" { &mut test_imports } else { &mut imports };
        list.insert(text(&dependency["name"]));
    }
    let dir = manifest.parent().expect("a file lies somewhere").to_path_buf();
    (text(&value["name"]), Package { dir, imports, test_imports })
}

#[test]
fn crates_import_only_what_lies_below_them() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, package) in &packages {
        let Some(allowed) = allowed.get(name.as_str()) else {
            wrong.push(format!("{name} is new: give it a line in tests/layers.rs"));
            continue;
        };
        let imports = package.imports.iter().filter(|import| ours.contains(import.as_str()));
        wrong.extend(
            imports
                .filter(|import| !allowed.contains(&import.as_str()))
                .map(|import| format!("{name} must not import {import}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_shell_has_a_runtime() {
    let with_tokio =
        |package: &Package| package.imports.contains("tokio") || package.test_imports.contains("tokio");
    let packages = packages();
    let wrong: Vec<_> =
        packages.iter().filter(|(_, package)| with_tokio(package)).map(|(name, _)| name).collect();
    assert!(wrong.iter().all(|name| *name == SHELL), "tokio belongs into {SHELL} only, not into {wrong:?}");
}

#[test]
fn pure_crates_are_pure() {
    let packages = packages();
    for name in PURE {
        let root = packages[*name].dir.join("src/lib.rs");
        let text = std::fs::read_to_string(&root).expect("a library has src/lib.rs");
        for line in ["#![no_std]", "#![forbid(unsafe_code)]"] {
            assert!(text.contains(line), "{} lacks {line}", root.display());
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|path| (text(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, path)| format!("{} has {lines} lines; the limit is {LONGEST_FILE}", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let home = ["/home/", "/root/"];
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|path| !path.ends_with("tests/layers.rs"))
        .filter(|path| text(path).lines().any(|line| home.iter().any(|part| line.contains(part))))
        .map(|path| path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "paths of a home directory in {}", wrong.join(", "));
}

#[test]
fn nothing_is_left_to_do_or_switched_off() {
    let marks = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[", "ignore"),
        concat!("dbg", "!("),
    ];
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| marks.iter().any(|mark| text(path).contains(mark)))
        .map(|path| path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "unfinished or switched off: {}", wrong.join(", "));
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The hand-written source files of the workspace.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![place::root()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).expect("a directory of the workspace can be read") {
            let entry = entry.expect("an entry can be read");
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() && !path.is_symlink() {
                if !name.starts_with('.') && name != "target" && name != "node_modules" {
                    dirs.push(path);
                }
            } else if [".rs", ".c", ".h", ".toml", ".sh", ".md", ".xml"].iter().any(|end| name.ends_with(end))
            {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 10, "the workspace has sources");
    found
}
