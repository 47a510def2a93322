//! Restart and Clock: who may, where they stand, and what a block around one is.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{ChainId, Hash};
use tenor_runtime::chain::{Chain, Invalid, Replica};
use tenor_runtime::execute::Rejection;
use tenor_testing::wire::block::{Certificate, Item};
use tenor_testing::wire::op::{ClockOp, Operation, RestartOp};
use tenor_testing::wire::tx::Transaction;
use tenor_testing::{Bank, Person};

const STEP_MS: u64 = 30 * 60 * 60 * 1000;

fn restart(chain: &Chain, abandoned: u64, time: Timestamp) -> RestartOp {
    RestartOp { parent: chain.tip().hash(), abandoned, time, nonce: Hash([7; 32]) }
}

/// Why no block is built around it.
#[track_caller]
fn rejected(chain: &Chain, time: Timestamp, tx: Transaction) -> String {
    let mut fork = chain.fork().unwrap();
    let built = fork.build(time, vec![tx.into()]).unwrap();
    assert_eq!(built.header.chain, chain.id(), "a block that is not begun anew is of the same chain");
    assert_eq!(built.header.items_count, 0);
    built.rejected.into_iter().next().expect("it is rejected").1.to_string()
}

fn commit(chain: &mut Chain, header: Hash) {
    chain.persist(&header).unwrap();
    let height = chain.tip().height + 1;
    chain.commit(Certificate { height, round: 0, header, votes: vec![] }).unwrap();
}

fn together(bank: &mut Bank, operation: Operation) -> Transaction {
    let (officer, manager) = (bank.officer.clone(), bank.manager.clone());
    bank.signed_together(&officer, &[&manager], operation, vec![])
}

#[test]
fn a_restart_makes_another_chain_by_two_persons_alone() {
    let mut bank = Bank::with_four_eyes();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "0.00"));
    let (height, time) = (bank.chain().tip().height, Timestamp(bank.chain().tip().time.0 + 5));
    let op = restart(bank.chain(), height, time);
    let good = together(&mut bank, Operation::Restart(op));
    let by = |bank: &mut Bank, people: &[Person], op| {
        let others: Vec<&Person> = people[1..].iter().collect();
        bank.signed_together(&people[0], &others, Operation::Restart(op), vec![])
    };
    let (officer, manager) = (bank.officer.clone(), bank.manager.clone());
    for people in [vec![officer.clone()], vec![officer.clone(), ada.clone()], vec![ada.clone(), bob.clone()]]
    {
        let tx = by(&mut bank, &people, op);
        assert!(rejected(bank.chain(), time, tx).contains("2 persons"), "{people:?}");
    }
    let both = [officer, manager];
    for (wrong, said) in [
        (RestartOp { parent: Hash([1; 32]), ..op }, "it goes on from"),
        (RestartOp { time: Timestamp(time.0 + 1), ..op }, "the block of"),
        (RestartOp { abandoned: height - 1, ..op }, "the parent is block"),
        (RestartOp { abandoned: u64::MAX, ..op }, "no block is behind it"),
    ] {
        let tx = by(&mut bank, &both, wrong);
        assert!(rejected(bank.chain(), time, tx).contains(said), "{said}");
    }
    // It is not handed in, not rehearsed and not proposed.
    let admitted = bank.chain().admit(time, good.clone()).unwrap();
    assert!(matches!(admitted, Err(Rejection::Control(_))));
    let rehearsed = bank.chain().rehearse(time, good.body.clone()).unwrap();
    assert!(matches!(rehearsed, Err(Rejection::Control(_))));
    // Payments of the chain before are not of the new one; what stands behind it in its block is.
    let pays = |chain: ChainId, choice: u8| {
        let op = tenor_testing::wire::op::TransferOp {
            from: ada.account,
            to: bob.account,
            amount: 100,
            narrative: None,
            reference: None,
        };
        let mut body = good.body.clone();
        body.chain = chain;
        body.authorisers = vec![tenor_testing::wire::tx::Authoriser { party: ada.party, key: 0 }];
        body.key.0[15] = choice;
        body.spend_max = vec![tenor_testing::wire::op::Spend { account: ada.account, amount: 100 }];
        body.operation = Operation::Transfer(op);
        ada.sign(body)
    };
    let (before, after) = (bank.chain().id(), op.chain(&bank.chain().id()));
    let mut fork = bank.chain().fork().unwrap();
    let candidates = vec![pays(before, 1).into(), good.clone().into(), pays(after, 2).into()];
    let built = fork.build(time, candidates).unwrap();
    assert_eq!((built.header.chain, built.header.items_count), (after, 2));
    assert_eq!(built.rejected.len(), 1);
    commit(&mut fork, built.header.hash());
    assert_eq!((fork.id(), fork.tip().height), (after, height + 1));
    let block = fork.block(height + 1).unwrap().unwrap();
    assert_eq!(block.restart(), Some(&op));
    let restarts = fork.restarts().unwrap();
    assert_eq!((restarts.len(), restarts[0].0, restarts[0].1.before), (1, height + 1, before));
    // Another replica finds the same, and a block in which it stands elsewhere is none.
    let mut other = bank.chain().fork().unwrap();
    assert_eq!(other.validate(&block.header, &block.items).unwrap(), Ok(()));
    let turned: Vec<Item> = block.items.iter().rev().cloned().collect();
    assert!(matches!(other.validate(&block.header, &turned).unwrap(), Err(Invalid::Order { .. })));
    // It is of one parent: on the block behind it, it is none.
    let later = fork.build(Timestamp(time.0 + 1), vec![good.into()]).unwrap();
    assert_eq!((later.rejected.len(), later.header.chain), (1, after));
}

#[test]
fn a_block_follows_late_where_a_clock_transaction_names_its_time() {
    let mut bank = Bank::with_limits(tenor_runtime::params::Limits {
        time_step_ms_max: Some(DAY_MS),
        ..tenor_runtime::params::Limits::sandbox()
    });
    let time = Timestamp(bank.chain().tip().time.0 + STEP_MS);
    let mut fork = bank.chain().fork().unwrap();
    let built = fork.build(time, vec![]).unwrap();
    let mut other = bank.chain().fork().unwrap();
    let said = other.validate(&built.header, &[]).unwrap();
    assert_eq!(said, Err(Invalid::Late { ms: STEP_MS, limit: DAY_MS }));
    let op = ClockOp { parent: bank.chain().tip().hash(), time };
    let mut tx = together(&mut bank, Operation::Clock(op));
    // It is signed for when it runs.
    assert!(rejected(bank.chain(), time, tx.clone()).contains("valid from"));
    tx.body.valid_from = time;
    tx.body.valid_until = Timestamp(time.0 + 1);
    let officer = bank.officer.clone();
    tx.body.authorisers.truncate(1);
    let tx = officer.sign(tx.body);
    let built = fork.build(time, vec![tx.into()]).unwrap();
    assert_eq!((built.rejected.len(), built.header.chain), (0, bank.chain().id()));
    commit(&mut fork, built.header.hash());
    let block = fork.block(built.header.height).unwrap().unwrap();
    assert_eq!(block.restart(), None);
    assert_eq!(other.validate(&block.header, &block.items).unwrap(), Ok(()));
}
