//! What people do and have done: enrolled, opened, published, signed, submitted.

use super::{Bank, EXPOSURE, decoded, fields, money};
use crate::outcome::Outcome;
use crate::people::{Person, party_op, person};
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AccountId, AgreementId, AssetId, CodeHash, ProposalId};
use tenor_abi::money::Code;
use tenor_abi::spec::CallKind;
use tenor_wire::op::{
    AccountKind, AccountOp, AssetKind, AssetOp, ExposureLimit, HookMoment, HookOf, HookOp, InvokeOp, OpenOp,
    Operation, PartyKind, ProposeOp, PublishOp, Seen, Spend, TransferOp, account_id,
};
use tenor_wire::receipt::FullReceipt;
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey, Transaction};

/// Gas that a test signs for.
const GAS: u64 = 200_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Bank {
    /// Makes a customer with a key and a euro account with money in it.
    pub fn customer(&mut self, name: &str, euros: &str) -> Person {
        let customer = person(name, &self.eur);
        self.staff(Operation::Party(party_op(&customer, self.bank.party, PartyKind::Person))).done();
        self.account(&customer, self.eur, "main");
        let amount = money(euros).minor.unsigned_abs();
        if amount > 0 {
            let op = TransferOp {
                from: self.funding,
                to: customer.account,
                amount,
                narrative: None,
                reference: None,
            };
            let (bank, spend) = (self.bank.clone(), Spend { account: self.funding, amount });
            self.run(&bank, Operation::Transfer(op), vec![spend]).done();
        }
        customer
    }

    /// Opens an account.
    pub fn account(&mut self, owner: &Person, asset: AssetId, purpose: &str) -> AccountId {
        let kind = AccountKind::Plain;
        let op =
            AccountOp { owner: owner.party, asset, purpose: purpose.into(), floor: 0, ceiling: None, kind };
        self.staff(Operation::Account(op)).done();
        account_id(&owner.party.0, &asset, purpose)
    }

    /// Makes an asset that the bank issues.
    pub fn asset(&mut self, code: &str, scale: u8, kind: AssetKind) -> AssetId {
        let op = AssetOp {
            issuer: self.bank.party,
            code: Code::of(code),
            scale,
            kind,
            freezable: false,
            clawback: false,
        };
        let id = op.id();
        self.staff(Operation::Asset(op)).done();
        id
    }

    /// Publishes a module, with an exposure limit in euro.
    pub fn publish(&mut self, wasm: &[u8]) -> CodeHash {
        self.publish_with(wasm, &[self.eur])
    }

    /// Publishes a module, with an exposure limit in some assets.
    pub fn publish_with(&mut self, wasm: &[u8], assets: &[AssetId]) -> CodeHash {
        let mut exposure: Vec<ExposureLimit> =
            assets.iter().map(|asset| ExposureLimit { asset: *asset, limit: EXPOSURE }).collect();
        exposure.sort_by_key(|limit| limit.asset);
        let op = PublishOp { bank: self.bank.party, wasm: wasm.to_vec(), exposure };
        let officer = self.officer.clone();
        let receipt = self.run(&officer, Operation::Publish(op), vec![]).done();
        decoded(&receipt.data)
    }

    /// Opens an agreement.
    pub fn open(&mut self, by: &Person, code: CodeHash, terms: &impl serde::Serialize) -> Outcome {
        let op = OpenOp { code, terms: codec::encode(terms), arguments: vec![0] };
        self.run(by, Operation::Open(op), vec![])
    }

    /// As [`Bank::open`], signed by others as well.
    pub fn open_together(
        &mut self,
        by: &Person,
        with: &[&Person],
        code: CodeHash,
        terms: &impl serde::Serialize,
    ) -> Outcome {
        let op = OpenOp { code, terms: codec::encode(terms), arguments: vec![0] };
        let tx = self.signed_together(by, with, Operation::Open(op), vec![]);
        self.submit(tx)
    }

    /// Opens an agreement that is not refused.
    #[track_caller]
    pub fn opened(&mut self, by: &Person, code: CodeHash, terms: &impl serde::Serialize) -> AgreementId {
        decoded(&self.open(by, code, terms).done().data)
    }

    /// Invokes a call with arguments given one by one in canonical bytes.
    pub fn invoke(
        &mut self,
        by: &Person,
        agreement: AgreementId,
        call: &str,
        arguments: &[Vec<u8>],
    ) -> Outcome {
        self.invoke_spending(by, agreement, call, arguments, vec![])
    }

    /// As [`Bank::invoke`], allowing what the signer's accounts may lose.
    pub fn invoke_spending(
        &mut self,
        by: &Person,
        agreement: AgreementId,
        call: &str,
        arguments: &[Vec<u8>],
        spend: Vec<(AccountId, &str)>,
    ) -> Outcome {
        let operation = self.calling(agreement, call, arguments);
        let mut spend: Vec<Spend> = spend
            .into_iter()
            .map(|(account, amount)| Spend { account, amount: money(amount).minor.unsigned_abs() })
            .collect();
        spend.sort();
        self.run(by, operation, spend)
    }

    /// An invocation signed by a person, to be run in a block with others.
    pub fn invocation(
        &mut self,
        by: &Person,
        agreement: AgreementId,
        call: &str,
        arguments: &[Vec<u8>],
    ) -> Transaction {
        let operation = self.calling(agreement, call, arguments);
        self.signed(by, operation, vec![])
    }

    /// Makes one block of transactions at a time, and returns its receipts; what has no room in it is left out.
    ///
    /// # Panics
    /// When the replica is broken, or a transaction is rejected.
    pub fn block_of(&mut self, time: Timestamp, transactions: Vec<Transaction>) -> Vec<FullReceipt> {
        let candidates = transactions.into_iter().map(Into::into).collect();
        let (built, block) =
            self.solo.produce(&mut self.chain, time, candidates).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(built.rejected.is_empty(), "{built:?}");
        self.check_books();
        block.receipts
    }

    /// Proposes a call that needs a second person.
    pub fn propose(
        &mut self,
        by: &Person,
        agreement: AgreementId,
        call: &str,
        arguments: &[Vec<u8>],
    ) -> ProposalId {
        let operation = Box::new(self.calling(agreement, call, arguments));
        let expires_at = Timestamp(self.chain.tip().time.0 + 7 * DAY_MS);
        let op = ProposeOp { operation, gas_limit: GAS, spend_max: vec![], expires_at };
        decoded(&self.run(by, Operation::Propose(op), vec![]).done().data)
    }

    /// An act of the bank's staff: by the officer, and where that takes two persons approved by the manager.
    pub fn staff(&mut self, operation: Operation) -> Outcome {
        let (officer, manager) = (self.officer.clone(), self.manager.clone());
        if self.chain.genesis().parameters.sandbox {
            return self.run(&officer, operation, vec![]);
        }
        let expires_at = Timestamp(self.chain.tip().time.0 + 7 * DAY_MS);
        let op = ProposeOp { operation: Box::new(operation), gas_limit: GAS, spend_max: vec![], expires_at };
        let proposal = decoded(&self.run(&officer, Operation::Propose(op), vec![]).done().data);
        self.approve(&manager, proposal)
    }

    /// Approves a proposal, which runs it.
    pub fn approve(&mut self, by: &Person, proposal: ProposalId) -> Outcome {
        self.run(by, Operation::Approve(proposal), vec![])
    }

    /// Moves money.
    pub fn transfer(&mut self, from: &Person, to: AccountId, euros: &str) -> Outcome {
        let amount = money(euros).minor.unsigned_abs();
        let op = TransferOp { from: from.account, to, amount, narrative: None, reference: None };
        self.run(from, Operation::Transfer(op), vec![Spend { account: from.account, amount }])
    }

    /// Signs and runs an operation in a block of its own.
    pub fn run(&mut self, by: &Person, operation: Operation, spend_max: Vec<Spend>) -> Outcome {
        let tx = self.signed(by, operation, spend_max);
        self.submit(tx)
    }

    /// An operation signed by a person, with a fresh key.
    pub fn signed(&mut self, by: &Person, operation: Operation, spend_max: Vec<Spend>) -> Transaction {
        self.signed_together(by, &[], operation, spend_max)
    }

    /// As [`Bank::signed`], by others as well: the first acts.
    pub fn signed_together(
        &mut self,
        by: &Person,
        with: &[&Person],
        operation: Operation,
        spend_max: Vec<Spend>,
    ) -> Transaction {
        let mut others = with.to_vec();
        others.sort_by_key(|person| person.party);
        let signers: Vec<&Person> = [by].into_iter().chain(others).collect();
        self.keys += 1;
        let mut choice = [0; 12];
        choice[4..].copy_from_slice(&self.keys.to_be_bytes());
        let now = self.chain.tip().time;
        let body = Body {
            version: BODY_VERSION,
            chain: self.chain.id(),
            authorisers: signers
                .iter()
                .map(|person| Authoriser { party: person.party, key: person.number })
                .collect(),
            key: IdempotencyKey::new((now.0 / DAY_MS) as u32, choice),
            valid_from: now,
            valid_until: Timestamp(now.0 + DAY_MS),
            gas_limit: GAS,
            spend_max,
            operation,
        };
        body.sign(&signers.iter().map(|person| person.key.as_ref()).collect::<Vec<_>>())
    }

    /// Runs a transaction in a block of its own, a millisecond after the last one.
    ///
    /// # Panics
    /// When the replica is broken.
    pub fn submit(&mut self, tx: Transaction) -> Outcome {
        let (id, time) = (tx.id(), Timestamp(self.chain.tip().time.0 + 1));
        let (built, block) = self
            .solo
            .produce(&mut self.chain, time, vec![tx.into()])
            .unwrap_or_else(|fault| panic!("{fault}"));
        self.check_books();
        if let Some((_, rejection)) = built.rejected.into_iter().find(|(rejected, _)| *rejected == id) {
            return Outcome { receipt: Err(rejection) };
        }
        let receipt = block.receipts.into_iter().find(|full| full.receipt.item.0 == id.0);
        Outcome { receipt: Ok(receipt.unwrap_or_else(|| panic!("{id} left no receipt"))) }
    }

    /// Attaches an agreement to an account as a hook: the owner's signed by `by`, the bank's by its staff.
    pub fn attach(
        &mut self,
        by: &Person,
        account: AccountId,
        of: HookOf,
        moment: HookMoment,
        agreement: AgreementId,
    ) -> Outcome {
        let record = self.agreement(agreement);
        let seen = Seen { agreement, code: record.code, terms_version: record.terms_version };
        self.hook(by, HookOp { account, of, moment, hook: Some(seen) })
    }

    /// Detaches the hook that is there.
    pub fn detach(&mut self, by: &Person, account: AccountId, of: HookOf, moment: HookMoment) -> Outcome {
        self.hook(by, HookOp { account, of, moment, hook: None })
    }

    fn hook(&mut self, by: &Person, op: HookOp) -> Outcome {
        match op.of {
            HookOf::Owner => self.run(by, Operation::Hook(op), vec![]),
            HookOf::Bank => self.staff(Operation::Hook(op)),
        }
    }

    fn calling(&self, agreement: AgreementId, call: &str, arguments: &[Vec<u8>]) -> Operation {
        let record = self.agreement(agreement);
        let spec = self.spec(&record.code);
        let (number, def) = spec
            .calls
            .iter()
            .enumerate()
            .find(|(_, def)| def.name == call)
            .unwrap_or_else(|| panic!("there is no call `{call}`"));
        let seen = Seen { agreement, code: record.code, terms_version: record.terms_version };
        let op = InvokeOp { seen, call: number as u16, arguments: fields(&spec, def, arguments) };
        if def.kind == CallKind::Sign { Operation::Sign(op) } else { Operation::Invoke(op) }
    }
}
