// Making elements, words for amounts and days, and the chart. Text is text: nothing here turns it into markup.

/** An element with attributes, listeners (`onclick`) and children. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const number = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

/** An amount as people read it: "12.50 EUR" becomes "€12.50". The text goes through, never a float. */
export function money(text) {
  const [amount, code] = String(text).split(" ");
  if (code !== "EUR") return String(text);
  const sign = amount.startsWith("-") ? "−" : "";
  return `${sign}€${number.format(amount.replace("-", ""))}`;
}

/** A line as the bank words it, as people read it: euro amounts, and `name field=value` of what an agreement reports. */
export function words(line) {
  const told = /^(\w+) (\w+=.*)$/.exec(line);
  const plain = told ? `${told[1]}: ${told[2].replaceAll("=", " ").replaceAll("_", " ")}` : line;
  const said = plain.replace(/(-?\d+\.\d\d) EUR/g, (amount) => money(amount))
    .replace(/\. [a-z]/g, (start) => start.toUpperCase());
  return said.charAt(0).toUpperCase() + said.slice(1) + (/[.!?…]$/.test(said) ? "" : ".");
}

/** A day as people read it. */
export const when = (text) => day.format(new Date(text));

/** A list of terms and what they are. */
export function facts(rows) {
  return el("dl", { class: "facts" }, rows.filter(Boolean).map(([term, value]) =>
    el("div", {}, el("dt", {}, term), el("dd", {}, value))));
}

/** A card with a heading. */
export const card = (title, ...children) => el("section", { class: "card" }, el("h2", {}, title), ...children);

/** A labelled field. */
export function field(label, control, hint) {
  const id = `field-${label.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return el("div", { class: "field" }, el("label", { for: id }, label), control,
    hint ? el("p", { class: "hint", id: `${id}-hint` }, hint) : null);
}

/** An input for an amount in euro; `read` gives it as the bank wants it. */
export function amountField(label, value, hint) {
  const input = el("input", { inputmode: "decimal", autocomplete: "off", required: true, value: value ?? "" });
  const read = () => {
    const text = input.value.trim().replace(",", ".");
    if (!/^\d{1,12}(\.\d{1,2})?$/.test(text)) throw new Error(`${label}: an amount like 12.50 is needed.`);
    const [whole, part = ""] = text.split(".");
    return `${BigInt(whole)}.${part.padEnd(2, "0")} EUR`;
  };
  return { node: field(label, input, hint), input, read };
}

const SVG = "http://www.w3.org/2000/svg";
function svg(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The balance over time as steps: points are `{ day, cents }` in their order. The table below it says the same. */
export function chart(points, title) {
  const narrow = matchMedia("(max-width: 40rem)").matches;
  const [width, height, left, right, top, bottom] = [narrow ? 340 : 640, narrow ? 190 : 220, 52, 12, 14, 30];
  const at = points.map((point) => Date.parse(point.day));
  const [first, last] = [at[0], Math.max(at.at(-1), at[0] + 864e5)];
  const values = points.map((point) => Number(point.cents) / 100);
  const step = nice((Math.max(...values, 1) - Math.min(...values, 0)) / 3);
  const [low, high] = [Math.floor(Math.min(...values, 0) / step) * step, Math.ceil(Math.max(...values, 1) / step) * step];
  const x = (time) => left + ((time - first) / (last - first)) * (width - left - right);
  const y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title, class: "chart" });
  for (let value = low; value <= high + step / 2; value += step) {
    picture.append(
      svg("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }),
      svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, `€${value.toLocaleString("en-GB")}`),
    );
  }
  let line = `M${x(at[0])} ${y(values[0])}`;
  for (let place = 1; place < at.length; place += 1) line += `H${x(at[place])}V${y(values[place])}`;
  line += `H${x(last)}`;
  const labels = [[first, "start"], [(first + last) / 2, "middle"], [last, "end"]];
  for (const [time, anchor] of labels.filter(([, anchor]) => !narrow || anchor !== "middle")) {
    picture.append(svg("text", { x: x(time), y: height - 8, "text-anchor": anchor }, when(time)));
  }
  picture.append(
    svg("path", { d: `${line}V${y(Math.max(low, 0))}H${x(first)}Z`, class: "area" }),
    svg("path", { d: line, class: "line" }),
    svg("circle", { cx: x(last), cy: y(values.at(-1)), r: 4, class: "dot" }),
  );
  return picture;
}

function nice(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((step) => step * power >= rough) * power;
}
