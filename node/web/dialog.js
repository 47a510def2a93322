// What the customer is asked before a signature, and told after it.

import * as bank from "./bank.js";
import { el, facts, money, when, words } from "./view.js";

const dialog = () => document.getElementById("dialog");
let changed = () => {};

/** Called after something was done. */
export const onChange = (call) => (changed = call);

/** Says something to everybody, also to who does not see it. */
export function announce(text) {
  const place = document.getElementById("announce");
  place.textContent = "";
  requestAnimationFrame(() => (place.textContent = text));
}

function show(title, content, buttons) {
  const heading = el("h2", { id: "dialog-title", tabindex: "-1" }, title);
  dialog().replaceChildren(heading, ...content, el("div", { class: "buttons" }, buttons));
  if (!dialog().open) dialog().showModal();
  heading.focus();
}

const close = () => dialog().close();
const closing = (label = "Close", kind = null) => el("button", { type: "button", class: kind, onclick: close }, label);

/** Why not, in words. */
export function refuse(problem) {
  const document = problem.document ?? {};
  const code = [document.rule, document.iso20022 && `ISO 20022 ${document.iso20022}`].filter(Boolean).join(" · ");
  const possible = document.possible ? el("p", {}, `Possible: ${bank.named(document.possible)}`) : null;
  show("This was refused", [
    el("p", { class: "why", role: "alert" }, sentence(problem.message)),
    possible,
    el("p", {}, "No money has moved."),
    code ? el("p", { class: "hint" }, code) : null,
  ].filter(Boolean), [closing("Understood", "primary")]);
}

const sentence = (text) => words(bank.named(text).replace(/^[\w ]+: no money moves$/, "No money moves now"));

/** What the bytes that are to be signed say, as this browser reads them. */
function reading({ body, said }) {
  const [[kind, content]] = Object.entries(body.operation);
  const most = body.spend_max.map((one) => money(bank.euro(BigInt(one.amount)))).join(", ");
  return facts([
    ["You sign", { Transfer: "a payment", Open: "a new agreement", Invoke: "an instruction", Sign: "an agreement" }[kind] ?? kind],
    said ? ["Product", said.contract.split("@")[0].replaceAll("-", " ")] : null,
    said?.call ? ["Instruction", said.call.replaceAll("_", " ")] : null,
    ...Object.entries(said?.values ?? {}).filter(([, value]) => value !== null).map(([name, value]) =>
      [words(name).replace(/\.$/, "").replaceAll("_", " "), value.endsWith(" EUR") ? money(value) : /^\d{4}-\d\d-\d\d$/.test(value) ? when(value) : bank.named(value)]),
    kind === "Transfer" ? ["To", bank.owner(content.to) ?? bank.named(content.to)] : null,
    kind === "Transfer" ? ["Amount", money(bank.euro(BigInt(content.amount)))] : null,
    ["At most leaves your account", most || "nothing now"],
    ["Valid until", `${when(body.valid_until)}`],
  ]);
}

/** Prepares an operation, shows what would happen, and on the customer's word signs and hands it in. */
export async function confirm(title, operation, { spend, more = [], after } = {}) {
  try {
    const made = await bank.prepare(operation, spend);
    if (made.prepared.problem) return refuse(new bank.Problem(made.prepared.problem, 422));
    const { postings, effects } = made.prepared;
    // The bank words the postings first, then what the agreement reports; postings are worded here, by what is known.
    const told = [...postings.map((one) => posting(one, "pays", "receives")), ...effects.slice(postings.length).map(sentence)];
    const go = el("button", { type: "button", class: "primary" }, "Sign with my key");
    go.addEventListener("click", async () => {
      go.disabled = true;
      go.textContent = "Signing…";
      try {
        const receipt = await bank.submit(made);
        await after?.(receipt, made);
        await changed();
        done(receipt);
      } catch (problem) {
        refuse(problem);
      }
    });
    show(title, [reading(made), ...more, el("h3", {}, "What will happen"), el("ul", { class: "effects" }, told.map((line) => el("li", {}, line)))],
      [closing("Cancel"), go]);
  } catch (problem) {
    refuse(problem);
  }
}

/** The receipt, with a check that needs no trust in the bank. */
function done(receipt) {
  announce("Done. The receipt is shown.");
  show("Done", [
    el("p", { class: "tick" }, "Your bank has carried it out."),
    ...receiptContent(receipt),
  ], [closing("Close"), verifying(receipt)]);
}

/** The receipt behind a line of the statement. */
export async function receipt(entry) {
  try {
    const found = await bank.receiptOf(entry);
    show("Receipt", receiptContent(found), [closing("Close"), verifying(found)]);
  } catch (problem) {
    refuse(problem);
  }
}

/** A posting in words: what this page does not know is a book of an agreement, or somebody's account. */
function posting(one, pays, receives) {
  const whose = bank.owner(one.account) ?? (one.purpose ? "a book of the agreement" : bank.named(one.account));
  const purpose = one.purpose ? ` (${one.purpose.toLowerCase()})` : "";
  return words(`${whose} ${one.side === "debit" ? pays : receives} ${one.amount} ${one.currency}${purpose}`);
}

function receiptContent(found) {
  const lines = found.postings.map((one) => el("li", {}, posting(one, "paid", "received")));
  return [
    facts([
      ["Booked", when(found.time)],
      ["Block", String(found.height)],
      ["Receipt", el("span", { class: "mono" }, `${found.item.slice(0, 16)}…`)],
    ]),
    lines.length ? el("ul", { class: "effects" }, lines) : el("p", {}, "No money moved."),
    el("p", { id: "verified", role: "status", class: "verified" }),
  ];
}

function verifying(receipt) {
  const button = el("button", { type: "button", class: "primary" }, "Verify");
  button.addEventListener("click", async () => {
    const place = document.getElementById("verified");
    try {
      const shown = await bank.verify(receipt);
      place.className = "verified good";
      place.textContent = `Verified in this browser: the receipt stands in block ${shown.height}, signed by the bank's `
        + `validator. ${shown.bytes} bytes of proof, checked against the checkpoint kept since your account was opened.`;
    } catch (problem) {
      place.className = "verified bad";
      place.textContent = `This does not hold: ${problem.message}`;
    }
  });
  return button;
}
