// The sections of the app: what each reads, shows and offers to do.

import * as bank from "./bank.js";
import { announce, confirm, receipt, refuse } from "./dialog.js";
import { amountField, card, chart, el, facts, field, money, when } from "./view.js";

function icon(path) {
  return () => {
    const SVG = "http://www.w3.org/2000/svg";
    const picture = document.createElementNS(SVG, "svg");
    picture.setAttribute("viewBox", "0 0 24 24");
    picture.setAttribute("aria-hidden", "true");
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", path);
    picture.append(line);
    return picture;
  };
}

/** A form: what is wrong with its fields is said in it, by a live region. */
function form(label, fields, submit) {
  const wrong = el("p", { class: "error", role: "alert" });
  const made = el("form", { novalidate: true }, fields, wrong, el("button", { class: "primary wide" }, label));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    try {
      await submit();
    } catch (problem) {
      wrong.textContent = problem.message;
    }
  });
  return made;
}

const choices = (pairs) => el("select", {}, pairs.map(([value, label]) => el("option", { value }, label)));
const empty = (text) => el("p", { class: "quiet" }, text);
const account = () => bank.mine(`/v1/accounts/${bank.customer().account}`);

/** Standing orders and loans with their terms and what waits. */
async function agreements() {
  const { agreements } = await bank.mine("/v1/agreements");
  return Promise.all(agreements.map(async (one) => {
    const [shown, { schedules }] = await Promise.all([
      bank.mine(`/v1/agreements/${one.agreement}`),
      bank.mine(`/v1/agreements/${one.agreement}/schedule?past=0&ahead=2`),
    ]);
    bank.entitle(one.agreement, title({ ...one, terms: shown.terms }));
    return { ...one, terms: shown.terms, state: shown.state, schedules };
  }));
}

const isLoan = (one) => one.contract.startsWith("loan@");
const nextOf = (one, name) => one.schedules.find((found) => found.schedule.toLowerCase() === name && found.next.status === "due")?.next.date;
function title(one) {
  if (isLoan(one)) return "Loan";
  return one.terms.payee ? `Standing order to ${bank.named(one.terms.payee)}` : "Agreement";
}

async function home() {
  const [mine, all, statement] = await Promise.all([account(), agreements(), lines()]);
  const due = [];
  for (const one of all) {
    const date = nextOf(one, isLoan(one) ? "instalment" : "collect");
    if (!date) continue;
    const amount = isLoan(one) ? (await bank.view(one.agreement, "schedule")).find((row) => row.due >= date)?.amount : one.terms.amount;
    due.push({ date, amount: amount ?? "", title: isLoan(one) ? "Loan instalment" : title(one) });
  }
  due.sort((a, b) => a.date.localeCompare(b.date));
  return [
    el("section", { class: "card balance" }, el("h2", {}, "Current account"),
      el("strong", { id: "balance" }, money(`${mine.balance} EUR`)),
      el("p", { class: "quiet" }, `${money(`${mine.available} EUR`)} available`)),
    card("Due next", due.length ? el("ul", { class: "rows", id: "due" }, due.map((one) => el("li", {},
      el("span", {}, one.title), el("span", { class: "amount" }, one.amount ? money(one.amount) : ""),
      el("span", { class: "hint" }, when(one.date))))) : empty("Nothing falls due.")),
    card("Your agreements", el("ul", { class: "rows", id: "agreements" }, all.map((one) => el("li", {},
      el("span", {}, title(one)), el("span", { class: "badge" }, one.state),
      el("span", { class: "hint" }, isLoan(one) ? `${money(one.terms.principal)} at ${one.terms.rate}, since ${when(one.opened_at)}`
        : `${money(one.terms.amount)} ${one.terms.rhythm.toLowerCase()}, since ${when(one.opened_at)}`))))),
    statementCard(statement),
  ];
}

/** The account's lines, the oldest first. */
const lines = () => bank.mine(`/v1/accounts/${bank.customer().account}/statement?newest=200`);

function statementCard(statement) {
  const points = [];
  for (const line of statement.lines) {
    if (points.at(-1)?.day === line.booked.slice(0, 10)) points.pop();
    points.push({ day: line.booked.slice(0, 10), cents: bank.minor(line.balance) });
  }
  const newest = statement.lines.slice(-12).reverse();
  const rows = newest.map((line) => {
    const label = bank.named(line.for).replace(/^./, (first) => first.toUpperCase());
    return el("li", {},
      el("button", { type: "button", class: "link", onclick: () => receipt(line.entry) }, label),
      el("span", { class: line.amount.startsWith("-") ? "amount" : "amount in" },
        (line.amount.startsWith("-") ? "" : "+") + money(`${line.amount} EUR`)),
      el("span", { class: "hint" }, when(line.booked)),
      el("span", { class: "hint amount" }, money(`${line.balance} EUR`)));
  });
  const said = `Balance from ${when(points[0]?.day ?? 0)} to ${when(points.at(-1)?.day ?? 0)}, now ${money(`${statement.balance} EUR`)}`;
  return card("Statement", points.length ? chart(points, said) : null,
    rows.length ? el("ul", { class: "rows", id: "statement" }, rows) : empty("Nothing was booked yet."),
    statement.lines_in_all > newest.length ? el("p", { class: "hint" }, `The newest ${newest.length} of ${statement.lines_in_all} lines.`) : null);
}

async function pay() {
  const mine = await account();
  const to = choices(Object.entries(bank.PAYEES));
  const amount = amountField("Amount in euro", "", `${money(`${mine.available} EUR`)} available`);
  return [card("Pay someone", form("Review payment", [field("Pay to", to), amount.node], async () => {
    const value = amount.read();
    await confirm("Confirm the payment", { type: "transfer", from: bank.customer().account, to: bank.payee(to.value), amount: value });
  })), card("Add sandbox money", el("p", { class: "hint" }, "As if your salary came in."),
    el("div", { class: "buttons" }, el("button", { type: "button", onclick: salary }, "Receive €1,500.00")))];
}

async function salary() {
  try {
    await bank.banks("/v1/sandbox/faucet", { account: bank.customer().account, amount: "1500.00 EUR" });
    announce("€1,500.00 came in.");
    location.hash = "#home";
  } catch (problem) {
    refuse(problem);
  }
}

async function orders() {
  const all = (await agreements()).filter((one) => !isLoan(one));
  const { time } = await bank.banks("/v1/network");
  const to = choices(Object.entries(bank.PAYEES));
  const amount = amountField("Amount in euro");
  const rhythm = choices([["Monthly", "Every month"], ["Weekly", "Every week"]]);
  const tomorrow = new Date(Date.parse(time) + 864e5).toISOString().slice(0, 10);
  const first = el("input", { type: "date", value: tomorrow, min: tomorrow, required: true });
  const open = async () => {
    const value = amount.read();
    if (!first.value) throw new Error("First payment: a day is needed.");
    const terms = { payer: bank.customer().account, payee: bank.payee(to.value), amount: value, rhythm: rhythm.value, first: first.value };
    if (rhythm.value === "Monthly") terms.day = String(Number(first.value.slice(8)));
    await confirm("Confirm the standing order", { type: "open", contract: "standing-order", terms });
  };
  const act = (one, call, label) => el("button", { type: "button", onclick: () =>
    confirm(label, { type: "invoke", agreement: one.agreement, call }) }, label);
  const listed = all.map((one) => el("li", {}, el("span", {}, title(one)), el("span", { class: "amount" }, money(one.terms.amount)),
    el("span", { class: "hint" }, nextOf(one, "collect") ? `Next on ${when(nextOf(one, "collect"))}` : one.terms.rhythm),
    el("span", { class: "badge" }, one.state),
    one.state === "Ended" ? null : el("div", { class: "actions small" },
      one.state === "Active" ? act(one, "pause", "Pause") : act(one, "resume", "Resume"), act(one, "end", "End"))));
  return [
    card("Your standing orders", listed.length ? el("ul", { class: "rows", id: "orders" }, listed) : empty("You have none yet.")),
    card("Set up a standing order", form("Review standing order", [field("Pay to", to), amount.node, field("How often", rhythm), field("First payment", first)], open)),
  ];
}

async function loan() {
  const found = (await agreements()).filter(isLoan).sort((a, b) => b.opened_at.localeCompare(a.opened_at))[0];
  if (!found) return [card("Loan", empty("You have none."))];
  const [owed, plan] = await Promise.all([bank.view(found.agreement, "owed"), bank.view(found.agreement, "schedule")]);
  const open = bank.minor(owed.total);
  const next = nextOf(found, "instalment");
  const amount = amountField("Amount in euro", "", `At most ${money(owed.total)}, which repays everything`);
  const preview = el("p", { class: "hint", role: "status", id: "preview" });
  amount.input.addEventListener("input", () => {
    preview.textContent = "";
    try {
      const left = open - bank.minor(amount.read());
      preview.textContent = left >= 0n ? `After it you owe ${money(bank.euro(left))}.` : "This is more than you owe.";
    } catch {
      // The form says what is wrong when it is sent.
    }
  });
  const repay = (value) => {
    const left = open - bank.minor(value);
    confirm("Preview of the repayment", { type: "invoke", agreement: found.agreement, call: "repay", arguments: { amount: value } },
      { spend: value, more: [facts([["You owe now", money(owed.total)], ["You repay", money(value)],
        ["You owe after it", money(bank.euro(left < 0n ? 0n : left))]])] });
  };
  const rows = plan.map((row) => el("tr", {}, el("td", {}, when(row.due)), el("td", {}, money(row.amount)),
    el("td", {}, money(row.interest)), el("td", {}, money(row.principal))));
  return [
    card("Your loan", el("p", { class: "figure", id: "owed" }, money(owed.total)), el("p", { class: "quiet" }, "still owed"),
      facts([["State", el("span", { class: "badge" }, found.state)], ["Principal", money(owed.principal)], ["Interest so far", money(owed.interest)],
        bank.minor(owed.fees) ? ["Fees", money(owed.fees)] : null, bank.minor(owed.overdue) ? ["Overdue", money(owed.overdue)] : null,
        next ? ["Next instalment", when(next)] : null])),
    open > 0n ? card("Repay early", form("Preview repayment", [amount.node, preview], () => repay(amount.read())),
      el("div", { class: "buttons" }, el("button", { type: "button", onclick: () => repay(owed.total) }, `Repay all of ${money(owed.total)}`))) : null,
    card("Plan as agreed", el("table", { id: "plan" },
      el("thead", {}, el("tr", {}, ["Due", "Instalment", "Interest", "Principal"].map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows))),
  ];
}

async function points() {
  const member = { arguments: { member: bank.customer().party } };
  const asked = (name) => bank.banks(`/v1/agreements/programme/views/${name}`, member).then((found) => found.answer);
  const [usable, lots] = await Promise.all([asked("points"), asked("lots")]);
  const amount = amountField("Amount in euro", "45.00", "You get 2 points for each whole euro");
  const used = el("input", { inputmode: "numeric", autocomplete: "off", value: "100" });
  const buy = async () => {
    const value = amount.read();
    await confirm("Buy at the corner shop", { type: "transfer", from: bank.customer().account, to: bank.payee("shop"), amount: value }, {
      // The shop reports the purchase under the payment's own hash.
      after: (paid) => bank.staff("shop", { type: "invoke", agreement: "programme", call: "purchase", arguments: {
        member: bank.customer().party, amount: value, reference: paid.item } }) });
  };
  const redeem = () => {
    if (!/^\d{1,9}$/.test(used.value.trim())) throw new Error("Points: a whole number is needed.");
    return confirm("Pay with points", { type: "invoke", agreement: "programme", call: "redeem", arguments: { points: used.value.trim() } });
  };
  return [
    card("Your points", el("p", { class: "figure", id: "points" }, `${usable} points`),
      el("p", { class: "quiet" }, `worth ${money(bank.euro(BigInt(usable)))} at the corner shop`),
      lots.length ? facts(lots.map((lot) => [`Until ${when(lot.expires)}`, `${lot.points} points`])) : null),
    card("Earn", form("Buy and earn points", [amount.node], buy)),
    card("Redeem", form("Pay with points", [field("Points to use", used, "At least 100; a point is worth a cent. The shop gets the money from the bank.")], redeem)),
  ];
}

/** The sections in their order. */
export const SCREENS = [
  { id: "home", title: "Your money", short: "Home", draw: home, icon: icon("M4 11l8-7 8 7v9h-5v-6H9v6H4z") },
  { id: "pay", title: "Pay", short: "Pay", draw: pay, icon: icon("M4 12h15M13 6l6 6-6 6") },
  { id: "orders", title: "Standing orders", short: "Orders", draw: orders, icon: icon("M4 12a8 8 0 0 1 14-5l2 2M20 4v5h-5M20 12a8 8 0 0 1-14 5l-2-2M4 20v-5h5") },
  { id: "loan", title: "Loan", short: "Loan", draw: loan, icon: icon("M4 9l8-5 8 5M6 9v9M10 9v9M14 9v9M18 9v9M4 20h16") },
  { id: "points", title: "Points", short: "Points", draw: points, icon: icon("M12 4l2.5 5.2 5.5.8-4 4 1 5.6-5-2.7-5 2.7 1-5.6-4-4 5.5-.8z") },
];
