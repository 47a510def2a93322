//! Signed, durable transfers per second, beside what the machine can verify.

use super::{Figure, Measured, Ratio, verify};
use crate::demo::cast::Cast;
use crate::desk::Desk;
use crate::folder::Folder;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};
use tenor_abi::date::Timestamp;
use tenor_wire::op::{AccountOp, Operation, PartyKind, Spend, TransferOp};
use tenor_wire::tx::Transaction;

/// Transfers of a block.
const BLOCK: u64 = 500;

pub(super) fn measure(seconds: u64) -> Result<Measured> {
    let ceiling = verify::all_cores(seconds)?;
    let scratch = std::env::temp_dir().join(format!("tenor-bench-{}", std::process::id()));
    let measured = payments(&scratch, seconds);
    std::fs::remove_dir_all(&scratch).with_context(|| format!("clearing {}", scratch.display()))?;
    let rate = measured?;
    Ok(Measured {
        figures: vec![
            Figure { name: "payments_per_second", value: rate, unit: "/s" },
            Figure { name: "verify_per_second_all_cores", value: ceiling, unit: "/s" },
        ],
        ratios: vec![Ratio {
            name: "of_verify_ceiling",
            value: rate / ceiling,
            of: "payments_per_second",
            to: "verify_per_second_all_cores",
        }],
    })
}

fn payments(scratch: &std::path::Path, seconds: u64) -> Result<f64> {
    let cast = Cast::new(1);
    Folder::create(scratch, &cast.genesis(), &cast.keys(), &cast.names())?;
    let mut desk = Desk::at_tip(Folder::open(scratch)?)?;
    let customers = cast.customers();
    let mut number = 0u64;
    let mut sign = |desk: &mut Desk, by: &str, operation, spend| -> Result<Transaction> {
        number += 1;
        desk.sign(by, operation, spend, cast.choice(&number.to_string()))
    };
    let mut set_up = vec![];
    for name in &customers {
        set_up.push(sign(
            &mut desk,
            "officer",
            Operation::Party(cast.party_op(name, PartyKind::Person)),
            vec![],
        )?);
        let account = AccountOp {
            owner: cast.party(name),
            asset: cast.eur,
            purpose: "main".into(),
            floor: 0,
            ceiling: None,
        };
        set_up.push(sign(&mut desk, "officer", Operation::Account(account), vec![])?);
        let (from, amount) = (cast.funding(), 10u128.pow(9));
        let op = TransferOp { from, to: cast.account(name), amount, narrative: None, reference: None };
        set_up.push(sign(&mut desk, "bank", Operation::Transfer(op), vec![Spend { account: from, amount }])?);
    }
    desk.submit(set_up)?;
    let mut blocks = vec![];
    let rounds = seconds.max(1) * 4;
    for _ in 0..rounds {
        let mut block = vec![];
        for at in 0..BLOCK as usize {
            let (from, to) = (&customers[at % customers.len()], &customers[(at * 7 + 1) % customers.len()]);
            let to = if from == to { &customers[(at + 1) % customers.len()] } else { to };
            let account = cast.account(from);
            let op = TransferOp {
                from: account,
                to: cast.account(to),
                amount: 1,
                narrative: None,
                reference: None,
            };
            block.push(sign(&mut desk, from, Operation::Transfer(op), vec![Spend { account, amount: 1 }])?);
        }
        blocks.push(block);
    }
    let (start, mut done) = (Instant::now(), 0u64);
    for block in blocks {
        desk.block(Timestamp(desk.time().0 + 1), block)?;
        done += BLOCK;
        if start.elapsed() > Duration::from_secs(seconds * 4) {
            break;
        }
    }
    // The clock stops when the store has caught up with the log.
    desk.folder_mut().chain.flush()?;
    Ok(done as f64 / start.elapsed().as_secs_f64())
}
