//! A payment whose command is killed and typed again under its name is made once, wherever the kill falls.

use crate::home::{done, folder, program};
use std::process::{Child, Stdio};

#[test]
fn a_payment_that_was_killed_and_typed_again_is_made_once() {
    let (_scratch, data) = folder();
    let log_bytes =
        || std::fs::metadata(data.join("log/00000000000000000000.log")).map_or(0, |file| file.len());
    done(&data, &["init"]);
    done(&data, &["key", "new", "ada"]);
    done(&data, &["key", "new", "bob", "--fund", "0.00 EUR"]);
    let (mut cut_short, mut done_before) = (0, 0);
    for round in 1..=30u64 {
        let name = format!("payment-{round}");
        let pay = ["transfer", "ada", "bob", "1.00 EUR", "--once", &name];
        let (before, growth) = (log_bytes(), 1 + round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_500);
        let mut child = program(&data, &pay).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // In odd rounds it is killed once it has written, in even ones as soon as it has the folder.
        let far = |child: &Child| match round % 2 {
            1 => log_bytes() >= before + growth,
            _ => std::fs::read_to_string(data.join("lock")).unwrap() == child.id().to_string(),
        };
        while !far(&child) && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        cut_short += u64::from(!child.wait().unwrap().success());
        let output = program(&data, &pay).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "round {round}: {said}");
        done_before += u64::from(said.contains("was done before"));
        assert_eq!(
            done(&data, &["show", "account", "bob"])["balance"],
            format!("{round}.00"),
            "round {round}"
        );
    }
    println!("{cut_short} cut short, {done_before} of 30 had paid by then");
    assert!(cut_short >= 10, "only {cut_short} were killed before their end");
    assert!((1..30).contains(&done_before), "{done_before} had paid: kills fell on one side only");
    assert_eq!(done(&data, &["verify"])["trial_balance"]["EUR"]["difference"], "0.00");
}
