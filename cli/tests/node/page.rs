//! The demo bank, as a customer sees it in a browser.

use super::browser::Browser;
use super::home::{Node, agent, sandbox};
use serde_json::json;

fn button(label: &str) -> String {
    format!("//button[normalize-space(.)='{label}']")
}

/// Clicks what signs, and waits for the receipt.
#[track_caller]
fn sign(browser: &Browser) {
    browser.click(&button("Sign with my key"));
    browser.find("//dialog//h2[.='Done']");
}

#[track_caller]
fn section(browser: &Browser, name: &str, title: &str) {
    browser.click(&format!("//nav/a[normalize-space(.)='{name}']"));
    browser.find(&format!("//main[not(@aria-busy)]/h1[.='{title}']"));
}

/// Closes the dialog.
#[track_caller]
fn close(browser: &Browser, label: &str) {
    browser.click(&format!("//dialog{}", button(label)));
    browser.find("//dialog[not(@open)]");
}

/// A payment without a pointer: each thing has the focus in the order in which it stands, and nothing loses it.
fn pay_by_keyboard(browser: &Browser) {
    let (tab, enter, escape) = ("\u{E004}", "\u{E007}", "\u{E00C}");
    let focus = |expected: &str| {
        let at = browser.run("const at = document.activeElement; return at.id || at.textContent.trim()");
        assert_eq!(at, expected);
    };
    section(browser, "Home", "Your money");
    browser.run("document.querySelector('nav a[href=\"#pay\"]').focus()");
    browser.press(enter);
    browser.find("//main[not(@aria-busy)]/h1[.='Pay']");
    focus("main");
    for (keys, expected) in
        [(tab, "field-pay-to"), (tab, "field-amount-in-euro"), ("3.00", "field-amount-in-euro")]
    {
        browser.press(keys);
        focus(expected);
    }
    browser.press(tab);
    focus("Review payment");
    browser.press(enter);
    browser.find("//dialog[@open]//h2[.='Confirm the payment']");
    focus("dialog-title");
    for expected in ["Cancel", "Sign with my key"] {
        browser.press(tab);
        focus(expected);
    }
    browser.press(enter);
    browser.find("//dialog//h2[.='Done']");
    focus("dialog-title");
    assert_eq!(browser.text("//*[@id='announce' and .!='']"), "Done. The receipt is shown.");
    browser.press(escape);
    browser.find("//dialog[not(@open)]");
    focus("main");
}

#[test]
fn a_customer_lives_with_the_demo_bank() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::run(&folder.path().join("data"), &["--sandbox", "--demo"]);
    let browser = Browser::open();
    browser.go(&format!("{}/demo", node.api));
    browser.find("//main/h1[.='Open an account']");
    browser.picture("1-welcome");
    // The account is opened with the keyboard.
    browser.run("document.getElementById('enrol').focus()");
    browser.press("\u{E007}");
    browser.find("//*[@id='balance' and .='€3,700.00']");
    assert_eq!(browser.text("//ul[@id='due']/li/span[2]"), "€102.68");
    browser.picture("2-home");

    // A refusal is told before anything is signed, and in words.
    section(&browser, "Pay", "Pay");
    browser.fill("//input[@id='field-amount-in-euro']", "5000");
    browser.press("\u{E007}");
    assert_eq!(
        browser.text("//dialog//p[@role='alert']"),
        "Your account has €3,700.00 available, €5,000.00 needed."
    );
    assert!(browser.text("//dialog").contains("AM04"));
    browser.picture("3-refusal");
    close(&browser, "Understood");
    browser.fill("//input[@id='field-amount-in-euro']", "much");
    browser.press("\u{E007}");
    assert!(browser.text("//form/p[@role='alert']").contains("an amount like 12.50 is needed"));

    // A payment: read, signed, told, and verified here.
    browser.fill("//input[@id='field-amount-in-euro']", "25.00");
    browser.press("\u{E007}");
    let read = browser.text("//dialog//dl");
    assert!(read.contains("the landlord") && read.contains("€25.00"), "{read}");
    let focus = "return document.activeElement.id";
    assert_eq!(browser.run(focus), "dialog-title");
    browser.picture("4-sign");
    sign(&browser);
    browser.click(&button("Verify"));
    let verified = browser.text("//*[@id='verified' and contains(@class, 'verified ')]");
    assert!(verified.starts_with("Verified in this browser"), "{verified}");
    browser.picture("5-verified");
    close(&browser, "Close");

    pay_by_keyboard(&browser);

    // Points: earned by buying, refused where there are too few, redeemed.
    section(&browser, "Points", "Points");
    browser.fill("//input[@id='field-amount-in-euro']", "60.00");
    browser.click(&button("Buy and earn points"));
    sign(&browser);
    close(&browser, "Close");
    browser.find("//*[@id='points' and .='120 points']");
    browser.fill("//input[@id='field-points-to-use']", "500");
    browser.click(&format!("//form{}", button("Pay with points")));
    let why = browser.text("//dialog//p[@role='alert']");
    assert!(why.contains("120") && why.contains("500"), "{why}");
    close(&browser, "Understood");
    browser.fill("//input[@id='field-points-to-use']", "100");
    browser.click(&format!("//form{}", button("Pay with points")));
    sign(&browser);
    close(&browser, "Close");
    browser.find("//*[@id='points' and .='20 points']");
    browser.picture("6-points");

    // A standing order.
    section(&browser, "Orders", "Standing orders");
    browser.fill("//input[@id='field-amount-in-euro']", "100");
    browser.click(&button("Review standing order"));
    sign(&browser);
    close(&browser, "Close");
    assert!(browser.text("//ul[@id='orders']").contains("Next on 2 Jan 2026"));
    browser.picture("7-orders");

    // A part of the loan, early.
    section(&browser, "Loan", "Loan");
    browser.fill("//input[@id='field-amount-in-euro']", "200");
    assert_eq!(browser.text("//*[@id='preview' and .!='']"), "After it you owe €1,000.00.");
    browser.click(&button("Preview repayment"));
    assert!(browser.text("//dialog//dl[2]").contains("€1,000.00"));
    browser.picture("8-preview");
    sign(&browser);
    close(&browser, "Close");
    browser.find("//*[@id='owed' and .='€1,000.00']");

    // Three months later: the order has paid three times, the loan's instalments were collected.
    browser.click(&button("Move time"));
    browser.click("//button[@id='move']");
    browser.find("//*[@id='today' and contains(., '1 Apr 2026')]");
    section(&browser, "Home", "Your money");
    let statement = browser.text("//ul[@id='statement']");
    assert_eq!(statement.matches("−€100.00").count(), 3, "{statement}");
    assert!(statement.matches("−€102.68").count() >= 2, "{statement}");
    assert!(browser.text("//ul[@id='due']").contains("2 Apr 2026"));
    browser.find("//*[name()='svg' and contains(@aria-label, 'Balance from 1 Jan 2026 to')]");
    browser.picture("9-home-later");
    browser.size(1280, 900);
    browser.picture("10-wide");
    section(&browser, "Loan", "Loan");
    browser.picture("11-wide-loan");
    section(&browser, "Home", "Your money");
    // What fell due by itself has its receipt as well.
    browser.click("//ul[@id='statement']/li[1]/button");
    browser.click(&button("Verify"));
    browser.find("//*[@id='verified' and contains(., 'Verified in this browser')]");
    close(&browser, "Close");

    // Everything that can be worked has a name for who does not see it.
    for name in ["Pay", "Orders", "Loan", "Points"] {
        let title = if name == "Orders" { "Standing orders" } else { name };
        section(&browser, name, title);
        for control in browser.all("main input, main select, main button, aside input, aside button, nav a") {
            assert_ne!(browser.label(&control), "", "{name}");
        }
    }

    // What is kept is wrapped by a key that nobody gets; a proof that was changed shows nothing.
    let kept = browser.run(
        "const open = indexedDB.open('tenor-demo');
         const database = await new Promise((found) => (open.onsuccess = () => found(open.result)));
         const read = database.transaction('customer').objectStore('customer').get('customer');
         const kept = await new Promise((found) => (read.onsuccess = () => found(read.result)));
         database.close();
         return [kept.wrapping.extractable, kept.secret.bytes.byteLength, Object.keys(kept).sort().join()];",
    );
    assert_eq!(kept, json!([false, 48, "known,secret,token,wrapping"]));
    let changed = browser.run(
        "const bank = await import('/demo/bank.js'), core = await import('/demo/core.js');
         const me = bank.customer(), { lines } = await bank.mine(`/v1/accounts/${me.account}/statement`);
         const { height, index } = await bank.receiptOf(lines.at(-1).entry);
         const headers = { Authorization: `Bearer ${me.token}` };
         const proof = await (await fetch(`/v1/receipts/${height}/${index}/proof`, { headers })).arrayBuffer();
         const bundle = new Uint8Array(proof), checkpoint = core.unhex(me.checkpoint);
         core.verify(checkpoint, bundle);
         bundle[bundle.length >> 1] ^= 1;
         try { core.verify(checkpoint, bundle); } catch { return 'refused'; }",
    );
    assert_eq!(changed, "refused");

    // Terms are read out of the bytes: a bank that prepares others than were asked for gets no signature.
    let lied = browser.run(
        "const bank = await import('/demo/bank.js'), me = bank.customer(), real = window.fetch;
         window.fetch = (path, init) => real(path, String(path).endsWith(':prepare')
           ? { ...init, body: init.body.replace('7.00 EUR', '70.00 EUR') } : init);
         const terms = { payer: me.account, payee: bank.payee('landlord'), amount: '7.00 EUR', rhythm: 'Weekly', first: '2026-05-01' };
         try { await bank.prepare({ type: 'open', contract: 'standing-order', terms }); } catch (error) { return error.message; }
         finally { window.fetch = real; }",
    );
    assert!(lied.as_str().is_some_and(|lied| lied.contains("(another amount)")), "{lied}");
    let lied = browser.run(
        "const bank = await import('/demo/bank.js'), me = bank.customer();
         const terms = { borrower: me.account, principal: '10.00 EUR', rate: '19.9%', instalments: 2,
           first_due: '2027-01-01', collection_max: '500.00 EUR' };
         const opened = await bank.staff('officer', { type: 'open', contract: 'loan', terms });
         const loan = await bank.agreementOf('loan');
         await bank.agreed(opened, loan.agreement, terms);
         try { await bank.agreed(opened, loan.agreement, { ...terms, rate: '1.9%' }); } catch (error) { return error.message; }",
    );
    assert!(lied.as_str().is_some_and(|lied| lied.contains("(another rate)")), "{lied}");

    // The customer is known again, and nothing went wrong unseen.
    browser.go(&format!("{}/demo/", node.api));
    browser.find("//*[@id='balance']");
    assert_eq!(browser.errors(), Vec::<serde_json::Value>::new());
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn the_page_runs_nothing_that_is_not_the_node_s() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::run(&folder.path().join("data"), &["--sandbox", "--demo"]);
    let page = agent().get(format!("{}/demo/", node.api)).call().unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';")
    );
    assert!(!policy.contains("unsafe-inline") && !policy.contains("http"), "{policy}");
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    assert_eq!(node.get_as("bank", "/demo/").0, 404);
}

#[test]
fn a_sandbox_makes_customers_of_keys_and_acts_for_those_it_holds() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let key = public_of(&[7; 32]);
    let enrol = |body| node.post_as("bank", "/v1/sandbox/enrol", &body);
    let parties = node.get("/v1/lists/parties?limit=100")["list"].as_array().unwrap().len();
    let (status, made) = enrol(json!({ "public_key": key, "amount": "5.00 EUR" }));
    assert_eq!(status, 201, "{made}");
    let account = made["account"].as_str().unwrap();
    assert_eq!(node.get(&format!("/v1/accounts/{account}"))["balance"], "5.00");
    assert!(made["token"].as_str().unwrap().starts_with("tenor_"));
    for (body, status, code) in [
        (json!({ "public_key": "00", "amount": "5.00 EUR" }), 400, "bad_field"),
        (json!({ "public_key": "zz", "amount": "5.00 EUR" }), 400, "bad_field"),
        (json!({ "public_key": "00".repeat(34), "amount": "5.00 EUR" }), 400, "bad_field"),
        (json!({ "public_key": key, "amount": "5.00 EUR", "name": "x" }), 400, "bad_field"),
        (json!({ "public_key": key }), 400, "bad_field"),
        (json!({ "public_key": key, "amount": "5.00 USD" }), 400, "bad_field"),
        (json!({ "public_key": key, "amount": "-5.00 EUR" }), 400, "bad_field"),
        (json!({ "public_key": key, "amount": "5.001 EUR" }), 400, "bad_field"),
    ] {
        let (given, said) = enrol(body);
        assert_eq!((given, said["code"].as_str().unwrap()), (status, code), "{said}");
    }
    assert_eq!(node.get("/v1/lists/parties?limit=100")["list"].as_array().unwrap().len(), parties + 1);
    let pay = |who: &str, amount: &str| {
        let operation = json!({ "type": "transfer", "from": "ada", "to": "bob", "amount": amount });
        node.post_as("bank", "/v1/sandbox/act", &json!({ "who": who, "operation": operation }))
    };
    assert_eq!(pay("ada", "1.00 EUR").0, 201);
    assert_eq!(pay("ada", "9999.00 EUR").1["code"], "refused");
    assert_eq!(pay("nobody", "1.00 EUR").1["code"], "missing");
    for path in ["/v1/sandbox/act", "/v1/sandbox/enrol"] {
        let body = match path.ends_with("act") {
            true => json!({ "who": "ada", "operation": { "type": "release", "hold": "hold1" } }),
            false => json!({ "public_key": key, "amount": "5.00 EUR" }),
        };
        assert_eq!(node.post_as("ada", path, &body).1["code"], "not_allowed");
    }
    assert_eq!(node.stop(), Some(0));
}

/// The public key of a secret one.
fn public_of(secret: &[u8; 32]) -> String {
    let key = tenor_wire::crypto::SecretKey::from_bytes(secret).unwrap().public();
    tenor_wire::hexadecimal::hex(&tenor_abi::codec::encode(&key))
}
