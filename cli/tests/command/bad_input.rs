//! Whatever is wrong with what is typed, or with the folder, is named with what would be right; nothing is
//! lost by it.

use crate::home::{complaint, done, folder, program};
use std::path::{Path, PathBuf};
use std::process::Command;
use tenor_abi::id::{AgreementId, CodeHash, ProposalId};

/// A sandbox with ada (1000.00 EUR), the landlord (nothing), standing orders and loans.
fn town() -> (tempfile::TempDir, PathBuf) {
    let (folder, data) = folder();
    done(&data, &["init"]);
    done(&data, &["key", "new", "ada"]);
    done(&data, &["key", "new", "landlord", "--fund", "0.00 EUR"]);
    done(&data, &["deploy", "recurring"]);
    done(&data, &["deploy", "loan"]);
    (folder, data)
}

/// A command line: words apart, `'` around words with blanks.
fn split(line: &str) -> Vec<&str> {
    let quoted = line.split('\'').enumerate();
    quoted
        .flat_map(|(place, part)| match place % 2 {
            0 => part.split_whitespace().collect::<Vec<_>>(),
            _ => vec![part],
        })
        .collect()
}

const RENT: &str = "open standing-order --as ada payer=ada payee=landlord rhythm=monthly";
const LOAN: &str = "open loan --as officer borrower=ada rate=4% 'collection_max=500.00 EUR'";

#[test]
fn what_is_wrong_is_said_with_what_would_be_right() {
    let (_folder, data) = town();
    done(&data, &split(&format!("{RENT} --name rent 'amount=100.00 EUR' first=2026-01-10 day=31")));
    done(
        &data,
        &split(&format!("{LOAN} --name car 'principal=900.00 EUR' instalments=9 first_due=2026-02-01")),
    );
    let (code, agreement, proposal) = (CodeHash([7; 32]), AgreementId([7; 32]), ProposalId([7; 32]));
    let rent = |rest: &str| format!("{RENT} {rest}");
    let loan = |rest: &str| format!("{LOAN} {rest}");
    let cases: Vec<(i32, String, &str)> = vec![
        // What there is not.
        (1, "deploy lone".into(), "did you mean `loan`?"),
        (
            1,
            "open standing-ordr --as ada".into(),
            "there is no contract `standing-ordr`; did you mean `standing-order`?",
        ),
        (1, format!("open {code} --as ada"), "there is no contract code1"),
        (1, "invoke rnet pause --as ada".into(), "there is no agreement `rnet`; did you mean `rent`?"),
        (1, format!("invoke {agreement} pause --as ada"), "there is no agreement agr1"),
        (1, "invoke rent puase --as ada".into(), "did you mean `pause`?"),
        (1, "query rent histroy".into(), "did you mean `history`?"),
        (3, format!("approve {proposal} --as manager"), "there is no open proposal prop1"),
        (
            1,
            "approve nonsense --as manager".into(),
            "a proposal's id expected, `nonsense` given; `tenor list proposals` shows them",
        ),
        (1, "transfer ada landlrd '1.00 EUR'".into(), "did you mean `landlord`?"),
        (1, "transfer ada landlord '1.00 EUR' --as adda".into(), "did you mean `ada`?"),
        (1, "show block 999".into(), "there is no block 999"),
        (1, "key new ada".into(), "there is a key `ada` already"),
        (1, "key new ../eve".into(), "is no name for a key"),
        (1, "init".into(), "exists already"),
        (3, "deploy recurring".into(), "exists already"),
        (2, "open".into(), "required"),
        // Roles and states.
        (3, "deploy loyalty --as ada".into(), "the role product_manager at party bank is needed"),
        (
            3,
            format!(
                "{} --as ada",
                loan("'principal=900.00 EUR' instalments=9 first_due=2026-02-01").replace("--as officer", "")
            ),
            "the role loan_officer at party bank is needed",
        ),
        (3, "invoke rent pause --as landlord".into(), "none of the signers may do this"),
        (
            3,
            "invoke rent resume --as ada".into(),
            "not possible in state Active; possible in Paused, Suspended",
        ),
        (3, "invoke car disburse --as officer".into(), "not possible in state Offered; possible in Accepted"),
        (
            3,
            rent("'amount=1.00 EUR' first=2026-01-10 day=1 retries_max=99"),
            "the term `retries_max` is the product's: leave it out, or have party bank or a product_manager there sign as well",
        ),
        (1, rent("'amount=1.00 EUR' first=2026-01-10 day=1 --with ada"), "would sign twice"),
        // Amounts.
        (1, "transfer ada landlord 1.00".into(), "`1.00` has no currency; write 12.50 EUR"),
        (1, "transfer ada landlord '1.005 EUR'".into(), "`1.005` has 3 decimals, EUR has 2"),
        (1, "transfer ada landlord '0.00 EUR'".into(), "an amount above zero is needed, 0.00 EUR given"),
        (1, "transfer ada landlord '-1.00 EUR'".into(), "an amount above zero is needed, -1.00 EUR given"),
        (1, "hold place ada landlord '-1.00 EUR'".into(), "an amount above zero is needed, -1.00 EUR given"),
        (1, "transfer ada landlord '1.00 USD'".into(), "ada holds EUR, 1.00 USD given"),
        (1, "transfer ada landlord '1.00 euros!'".into(), "euros!"),
        (1, "transfer ada landlord '999999999999999999999999999999999.00 EUR'".into(), "the largest amount"),
        (
            1,
            "transfer ada landlord '170141183460469231731687303715884105728 EUR'".into(),
            "the largest amount",
        ),
        (
            3,
            "transfer ada landlord '1000.01 EUR'".into(),
            "account ada has 1000.00 EUR available, 1000.01 EUR needed (InsufficientFunds, ISO 20022 AM04)",
        ),
        (3, "transfer ada landlord '1.00 EUR' --as landlord".into(), "account ada may not be debited"),
        (3, rent("'amount=0.00 EUR' first=2026-01-10 day=1"), "1 to 10^30 minor units"),
        (3, rent("'amount=-5.00 EUR' first=2026-01-10 day=1"), "1 to 10^30 minor units"),
        (3, rent("'amount=5.00 USD' first=2026-01-10 day=1"), "account ada holds EUR, USD given"),
        (1, rent("'amount=5.001 EUR' first=2026-01-10 day=1"), "EUR has 2"),
        (3, loan("'principal=0.00 EUR' instalments=9 first_due=2026-02-01"), "must be above zero"),
        (1, "key new eve --fund '-1.00 EUR'".into(), "nothing or more, -1.00 EUR given"),
        (1, "key new eve --fund '5 USD'".into(), "funding holds EUR, 5 USD given"),
        (1, "invoke car repay --as ada --spend 'ada=5.00 USD'".into(), "ada holds EUR, 5.00 USD given"),
        (1, "invoke car repay --as ada --spend 'ada=-5.00 EUR'".into(), "is not negative, -5.00 EUR given"),
        (1, "deploy loyalty --exposure '5.00 USD'".into(), "there is no asset USD here"),
        (1, "deploy loyalty --exposure '-5.00 EUR'".into(), "a limit is not negative, -5.00 EUR given"),
        // Dates and numbers.
        (1, rent("'amount=1.00 EUR' first=2026-02-30 day=1"), "2026-02 has 28 days"),
        (1, "advance --to 2026-02-30".into(), "2026-02 has 28 days"),
        (1, "advance --to 2025-01-01".into(), "time does not go back"),
        (3, rent("'amount=1.00 EUR' first=2026-01-10 day=31 until=2026-01-09"), "before its first day"),
        (3, rent("'amount=1.00 EUR' first=2026-01-10 day=31 count=10001"), "10001 occurrences given"),
        (
            3,
            loan("'principal=900.00 EUR' instalments=10001 first_due=2026-02-01"),
            "A loan has 1 to 600 instalments. (BadCount) given 10001",
        ),
        (3, loan("'principal=900.00 EUR' instalments=9 first_due=2025-12-31"), "falls due after today"),
        (
            1,
            loan("'principal=900.00 EUR' instalments=-1 first_due=2026-02-01"),
            "`instalments`: number 0..=4294967295 expected, `-1` given",
        ),
        (
            1,
            rent("'amount=1.00 EUR' first=2026-01-10 day=32"),
            "day of the month, 1..=31 or last expected, `32` given",
        ),
        (
            1,
            rent("'amount=1.00 EUR' first=2026-01-10 day=1").replace("monthly", "mothly"),
            "one of Daily, Weekly, Monthly expected, `mothly` given; did you mean `Monthly`?",
        ),
        // Arguments.
        (1, rent("'amount=1.00 EUR' first=2026-01-10 dya=1"), "there is no `dya`; did you mean `day`?"),
        (1, rent("'amount=1.00 EUR' 'amount=2.00 EUR' first=2026-01-10"), "`amount` stands twice"),
        (1, rent("first=2026-01-10 day=1"), "`amount` is missing: amount with currency, like 12.50 EUR"),
        (1, rent("amount"), "`amount` given, `name=value` expected"),
        (1, "invoke rent pause --as ada why=holiday".into(), "there is no `why`"),
        (1, "invoke car repay --as ada --spend ada".into(), "`ada` given, `account=12.50 EUR` expected"),
    ];
    let before = done(&data, &["verify"]);
    let mut wrong = String::new();
    for (code, line, text) in &cases {
        let output = program(&data, &split(line)).output().unwrap();
        let (given, said) = (output.status.code(), String::from_utf8(output.stderr).unwrap());
        if given != Some(*code) || !output.stdout.is_empty() || !said.contains(text) {
            wrong += &format!("{line}\n  said {given:?}: {said}  wanted {code}: {text}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let after = done(&data, &["verify"]);
    assert_eq!(before["trial_balance"], after["trial_balance"], "nothing was paid by any of it");
}

#[test]
fn a_folder_in_use_is_named_with_its_holder() {
    let (_folder, data) = town();
    let held = tenor_cli::folder::Folder::open(&data, tenor_runtime::state::Room::default()).unwrap();
    let said = complaint(&data, 1, &["list", "accounts"]);
    assert!(said.contains(&format!("in use by process {}", std::process::id())), "{said}");
    drop(held);
    done(&data, &["list", "accounts"]);
}

#[test]
fn damage_is_named_or_healed() {
    let (folder, data) = town();
    let root = done(&data, &["verify"])["state_root"].clone();
    std::fs::remove_dir_all(data.join("state")).unwrap();
    assert_eq!(done(&data, &["verify"])["state_root"], root, "the state is made again from the log");
    let none = data.join("none");
    assert!(complaint(&none, 1, &["verify"]).contains("holds no chain; `tenor init"));
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage, &str); 5] = [
        ("genesis", |bytes| bytes.truncate(100), "genesis is damaged"),
        ("names.json", |bytes| bytes.truncate(10), "names.json is damaged"),
        ("keys/validator.key", |bytes| bytes[3] = b'x', "the key `validator` is damaged"),
        ("log/00000000000000000000.log", |bytes| bytes[0] ^= 1, "00000000000000000000.log"),
        (
            "log/00000000000000000000.log",
            |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1
            },
            "is damaged at offset",
        ),
    ];
    for (file, damage, text) in cases {
        let path = data.join(file);
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let said = complaint(&data, 1, &["verify"]);
        assert!(said.contains(text), "{file} said: {said}wanted: {text}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "what is damaged is left as it is, to be looked at");
        std::fs::write(&path, &whole).unwrap();
    }
    assert_eq!(done(&data, &["verify"])["state_root"], root);
    drop(folder);
}

#[test]
fn a_folder_that_is_not_right_says_what_to_do() {
    let (folder, data) = town();
    let root = done(&data, &["verify"])["state_root"].clone();
    let other = folder.path().join("other");
    done(&other, &["init"]);
    done(&other, &["db", "stat"]);
    done(&data, &["db", "stat"]);
    let segment = data.join("log/00000000000000000000.log");
    let put = |path: &Path, bytes: &[u8]| std::fs::write(path, bytes).unwrap();
    let whole = |path: &Path| std::fs::read(path).unwrap();
    let change = |path: &Path, with: &dyn Fn(Vec<u8>) -> Vec<u8>, words: &[&str], expected: &[&str]| {
        let before = whole(path);
        put(path, &with(before.clone()));
        let said = complaint(&data, 1, words);
        assert!(expected.iter().all(|part| said.contains(part)), "{said}\nwanted {expected:?}");
        put(path, &before);
    };
    // Files of another chain.
    let copy_back = "copy its log back from a backup";
    change(
        &data.join("genesis"),
        &|_| whole(&other.join("genesis")),
        &["verify"],
        &["is of another chain", copy_back],
    );
    change(
        &segment,
        &|_| whole(&other.join("log/00000000000000000000.log")),
        &["list", "accounts"],
        &["is of another chain", copy_back],
    );
    // A newer format, and bytes that are none.
    let newer = |mut bytes: Vec<u8>| {
        bytes[8] = 9;
        bytes
    };
    change(&segment, &newer, &["verify"], &["has format 9, this build reads", "use the newer build"]);
    // Copied in part.
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    change(&segment, &half, &["verify"], &["is of block 4;", "restore the backup"]);
    change(
        &segment,
        &|_| vec![],
        &["verify"],
        &["does not begin with the header of a segment", "from a backup"],
    );
    // Nothing of the log, or not its beginning.
    let away = folder.path().join("away");
    std::fs::rename(&segment, &away).unwrap();
    let said = complaint(&data, 1, &["verify"]);
    assert!(said.contains("holds no block log") && said.contains(copy_back), "{said}");
    std::fs::rename(&away, data.join("log/00000000000000000003.log")).unwrap();
    let said = complaint(&data, 1, &["verify"]);
    assert!(said.contains("segment 00000000000000000000.log, which begins at block 0, is missing"), "{said}");
    assert!(said.contains("copy the segment back"), "{said}");
    std::fs::rename(data.join("log/00000000000000000003.log"), &segment).unwrap();
    put(&data.join("log/begins"), b"x");
    assert!(complaint(&data, 1, &["verify"]).contains("does not hold the height of a block"));
    std::fs::remove_file(data.join("log/begins")).unwrap();
    // A folder that nobody may write: its lock cannot be taken.
    std::fs::remove_file(data.join("lock")).unwrap();
    std::fs::create_dir(data.join("lock")).unwrap();
    assert!(complaint(&data, 1, &["verify"]).contains("lock"));
    std::fs::remove_dir(data.join("lock")).unwrap();
    // Settings out of range, and terms that are too short.
    assert!(complaint(&data, 2, &["verify", "--cache-mb", "0"]).contains("0 is not in 1.."));
    let said = complaint(&data, 1, &["db", "retain", "--writes", "10"]);
    assert!(said.contains("write sets are kept for at least 35 days, 10 given"), "{said}");
    assert!(complaint(&data, 1, &["db", "retain"]).contains("name a term with --writes or --blocks"));
    let kept = done(&data, &["db", "retain", "--writes", "35", "--blocks", "35"]);
    assert_eq!(kept["blocks"]["segments"], 0, "the newest segment stays");
    for words in [&["verify", "--cache-mb", "1"][..], &["verify", "--history-mb", "0"]] {
        assert_eq!(done(&data, words)["state_root"], root);
    }
}

/// A disk that is full is a limit on the size of files here: writing beyond it fails in the same way.
#[test]
fn a_full_disk_is_named_and_nothing_is_lost() {
    let (_folder, data) = town();
    let before = done(&data, &["verify"])["state_root"].clone();
    let log = std::fs::metadata(data.join("log/00000000000000000000.log")).unwrap().len();
    let limited = |blocks: u64, words: &str| {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" {words} --data \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_tenor")]).arg(&data).output().unwrap()
    };
    // sh counts in 512 bytes: the log is as long as it may get.
    let output = limited(log / 512, "transfer ada landlord '5.00 EUR'");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty(), "nothing is acknowledged");
    assert!(said.contains("log") && said.contains("File too large"), "{said}");
    // With room again the chain goes on where it was.
    assert_eq!(done(&data, &["verify"])["state_root"], before);
    done(&data, &["transfer", "ada", "landlord", "5.00 EUR"]);
    assert_eq!(done(&data, &["show", "account", "landlord"])["balance"], "5.00");
    assert_eq!(done(&data, &["verify"])["trial_balance"]["EUR"]["difference"], "0.00");
}
