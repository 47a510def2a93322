// The demo bank's app: starts it, shows the section that the address names, moves the sandbox's clock.

import * as bank from "./bank.js";
import { announce, onChange, refuse } from "./dialog.js";
import * as keys from "./keys.js";
import { SCREENS } from "./screens.js";
import { card, el, when } from "./view.js";

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const aside = document.getElementById("clock");

const section = () => SCREENS.find((screen) => `#${screen.id}` === location.hash) ?? SCREENS[0];

let drawings = 0;

/** Shows a section; the focus goes to it when the customer chose it. */
async function show(chosen) {
  const screen = section();
  const drawing = (drawings += 1);
  for (const link of nav.children) {
    if (link.hash === `#${screen.id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${screen.title} · Tenor demo bank`;
  main.setAttribute("aria-busy", "true");
  let content;
  try {
    [content] = await Promise.all([screen.draw(), today()]);
  } catch (problem) {
    content = [card("This cannot be shown now", el("p", {}, bank.named(problem.message)),
      el("button", { type: "button", onclick: () => show(true) }, "Try again"))];
  }
  // A later drawing, of this section or another, is on its way.
  if (drawing !== drawings) return;
  main.replaceChildren(el("h1", {}, screen.title), ...content.filter(Boolean));
  main.removeAttribute("aria-busy");
  if (chosen) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

async function today() {
  const { time } = await bank.banks("/v1/network");
  document.getElementById("today").textContent = `Sandbox · ${when(time)}`;
  return time;
}

function welcome() {
  const steps = el("ol", { class: "steps", "aria-live": "polite" });
  const open = el("button", { type: "button", class: "primary wide", id: "enrol" }, "Open my account");
  open.addEventListener("click", async () => {
    open.disabled = true;
    try {
      await bank.enrol((step) => steps.append(el("li", {}, step)));
      announce("Your account is open.");
      await start();
    } catch (problem) {
      open.disabled = false;
      refuse(problem);
    }
  });
  main.replaceChildren(
    el("h1", {}, "Open an account"),
    card("A bank that you can check",
      el("p", {}, "Your key is made in this browser and stays here. Whatever leaves your account you sign, after reading "
        + "what it does; every receipt can be verified on this page without trusting the bank."),
      el("h3", {}, "With the account you sign"),
      el("ul", { class: "effects" },
        el("li", {}, "a loan of €1,200.00 at 4.9% a year, repaid in 12 monthly instalments, collected from your account "
          + "up to €500.00 a month;"),
        el("li", {}, "your membership of the corner shop's points programme.")),
      el("p", { class: "hint" }, "€2,500.00 of sandbox money is there to begin with. Nothing here is real money."),
      el("div", { class: "buttons" }, open), steps));
}

/** Moves the sandbox's time so many days or months ahead. */
async function ahead(months, days) {
  const to = new Date(await today());
  const before = to.getUTCDate();
  to.setUTCMonth(to.getUTCMonth() + months);
  if (to.getUTCDate() !== before) to.setUTCDate(0);
  to.setUTCDate(to.getUTCDate() + days);
  for (const button of aside.querySelectorAll("button")) button.disabled = true;
  announce("The clock is moving.");
  try {
    await bank.banks("/v1/sandbox/clock", { to: to.toISOString().slice(0, 10) });
    await show(false);
    announce(`It is now ${when(to)}. What fell due has been carried out.`);
  } catch (problem) {
    refuse(problem);
  }
  for (const button of aside.querySelectorAll("button")) button.disabled = false;
}

function clock() {
  const slider = el("input", { type: "range", min: 1, max: 12, value: 3, id: "months" });
  const go = el("button", { type: "button", class: "wide", id: "move" }, "Move 3 months ahead");
  slider.addEventListener("input", () => {
    go.textContent = `Move ${slider.value} month${slider.value === "1" ? "" : "s"} ahead`;
  });
  slider.setAttribute("aria-valuetext", "3 months");
  slider.addEventListener("input", () => slider.setAttribute("aria-valuetext", `${slider.value} months`));
  go.addEventListener("click", () => ahead(Number(slider.value), 0));
  const quick = (label, months, days) => el("button", { type: "button", onclick: () => ahead(months, days) }, label);
  const forget = el("button", { type: "button", class: "link" }, "Forget this customer");
  forget.addEventListener("click", async () => {
    await keys.forget();
    location.reload();
  });
  aside.replaceChildren(el("section", { class: "card" },
    el("h2", { id: "clock-title", tabindex: "-1" }, "Sandbox clock"),
    el("p", { class: "hint" }, "Time moves for the whole bank; everything that falls due until then happens."),
    el("div", { class: "buttons small" }, quick("A day", 0, 1), quick("A week", 0, 7), quick("A month", 1, 0)),
    el("div", { class: "field" }, el("label", { for: "months" }, "Months ahead"), slider), go,
    el("p", { class: "hint" }, forget)));
}

async function start() {
  if (!(await bank.recognise())) return welcome();
  await bank.learn();
  nav.replaceChildren(...SCREENS.map((screen) => el("a", { href: `#${screen.id}` }, screen.icon(), screen.short)));
  clock();
  const link = document.getElementById("to-clock");
  link.addEventListener("click", () => {
    aside.scrollIntoView({ block: "end" });
    document.getElementById("clock-title").focus({ preventScroll: true });
  });
  nav.hidden = aside.hidden = link.hidden = false;
  onChange(() => show(false));
  await show(true);
}

// A closed dialog offers nothing; what had the focus before it may have been drawn anew meanwhile.
const dialog = document.getElementById("dialog");
dialog.addEventListener("close", () => {
  if (dialog.open) return;
  dialog.replaceChildren();
  if (document.activeElement === document.body) main.focus({ preventScroll: true });
});
addEventListener("hashchange", () => bank.customer() && SCREENS.some((screen) => `#${screen.id}` === location.hash) && show(true));
// The chart has another form on a narrow window.
matchMedia("(max-width: 40rem)").addEventListener("change", () => bank.customer() && show(false));
await start().catch((problem) => main.replaceChildren(card("The bank does not answer", el("p", {}, problem.message))));
