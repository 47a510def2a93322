//! What the README shows of the demo is what the demo prints: which of two payments of a day comes first goes by the ids of
//! agreements, and so by the bytes of the products.

use crate::home::program;

const README: &str = include_str!("../../../README.md");

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let folder = tempfile::tempdir().unwrap();
    let ran = program(&folder.path().join("data"), &["demo"]).output().unwrap();
    assert!(ran.status.success());
    let printed = String::from_utf8(ran.stdout).unwrap();
    let (_, shown) = README.split_once("```\ndue ").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    // The first line was cut, and lines under headings are as long as what the whole table holds.
    let mut shown =
        shown.lines().skip(1).filter(|line| !line.is_empty() && !line.starts_with("--")).peekable();
    assert!(shown.peek().is_some());
    for line in shown {
        assert!(printed.lines().any(|other| other == line), "the demo does not print `{line}`");
    }
}
